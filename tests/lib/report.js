// The result lines of a suite: one line a case, `ok NAME`, `not ok NAME - reason` or `skip NAME - reason`,
// a last line `N passed, N failed[, N skipped]`, and an exit code that agrees.
'use strict';

const { within } = require('./wait');

class Skip extends Error {}

/** The reason as one line, short enough to read. */
function oneLine(text) {
  const line = String(text).replace(/\s+/g, ' ').trim();
  return line.length > 600 ? `${line.slice(0, 600)}…` : line;
}

class Report {
  constructor(prefix = '') {
    this.prefix = prefix;
    this.passed = 0;
    this.failed = 0;
    this.skipped = 0;
    this.filter = process.env.USHER_TEST_ONLY || '';
  }

  ok(name) {
    this.passed += 1;
    process.stdout.write(`ok ${this.prefix}${name}\n`);
  }

  fail(name, reason) {
    this.failed += 1;
    process.stdout.write(`not ok ${this.prefix}${name} - ${oneLine(reason)}\n`);
  }

  skip(name, reason) {
    this.skipped += 1;
    process.stdout.write(`skip ${this.prefix}${name} - ${oneLine(reason)}\n`);
  }

  /** Runs one case. It passes when `body` returns, and fails when it throws or takes longer than `ms`. */
  async check(name, body, ms = 30000) {
    if (this.filter && !`${this.prefix}${name}`.includes(this.filter)) return undefined;
    try {
      const value = await within(ms, name, Promise.resolve().then(body));
      this.ok(name);
      return value;
    } catch (error) {
      if (error instanceof Skip) this.skip(name, error.message);
      else this.fail(name, reasonOf(error));
      return undefined;
    }
  }

  /** Counts a line that a child process printed in this form, and prints it. */
  relay(line) {
    if (line.startsWith('ok ')) this.passed += 1;
    else if (line.startsWith('not ok ')) this.failed += 1;
    else if (line.startsWith('skip ')) this.skipped += 1;
    else return false;
    process.stdout.write(`${line}\n`);
    return true;
  }

  /** Prints the last line; returns the exit code. A suite in which nothing ran has failed. */
  finish() {
    const skipped = this.skipped ? `, ${this.skipped} skipped` : '';
    process.stdout.write(`${this.passed} passed, ${this.failed} failed${skipped}\n`);
    return this.failed === 0 && this.passed > 0 ? 0 : 1;
  }
}

function reasonOf(error) {
  if (!(error instanceof Error)) return JSON.stringify(error);
  if (process.env.USHER_TEST_TRACE) process.stderr.write(`${error.stack}\n`);
  const kind = error.name && error.name !== 'Error' && error.code !== 'ERR_ASSERTION' ? `${error.name}: ` : '';
  return kind + error.message;
}

/** Runs a whole suite: `body(report)`; whatever it throws is a failed case of its own. Ends the process. */
async function suite(name, body) {
  const report = new Report();
  try {
    await body(report);
  } catch (error) {
    report.fail(`${name}: the suite could not run`, reasonOf(error));
  }
  const code = report.finish();
  await require('./children').stopAll();
  process.exit(code);
}

module.exports = { Report, Skip, suite, oneLine, reasonOf };
