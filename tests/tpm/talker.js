// A program of the build that answers each line with one line.
'use strict';

const readline = require('readline');
const children = require('../lib/children');
const { program } = require('../lib/usherd');
const { within } = require('../lib/wait');

const ANSWER_MS = 30000; // a TPM makes its keys first

class Talker {
  constructor(name, args) {
    this.name = name;
    this.child = children.start(program(name), args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.lines = readline.createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  async next() {
    const { value, done } = await within(ANSWER_MS, this.name, this.lines.next());
    if (done) throw new Error(`${this.name} ended without an answer`);
    return value;
  }

  ask(line) {
    this.child.stdin.write(`${line}\n`);
    return this.next();
  }

  async close() {
    this.child.stdin.end();
    const { code, signal } = await within(ANSWER_MS, `${this.name} to end`, this.child.done);
    if (code !== 0) throw new Error(`${this.name} ended with ${code === null ? signal : `code ${code}`}`);
  }
}

module.exports = { Talker };
