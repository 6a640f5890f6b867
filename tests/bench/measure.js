// One repetition: the load generator against a server, and what that cost the server.
'use strict';

const children = require('../lib/children');
const usherd = require('../lib/usherd');
const { pause, until } = require('../lib/wait');

const QUIET_MS = 20;
const LOAD_MS = 900000;

/** Waits until a server does nothing any more (connections that close after the last answer are part of the work). */
async function quiet(server) {
  let before = server.cpu();
  for (let i = 0; i < 200; i += 1) {
    await pause(QUIET_MS);
    const now = server.cpu();
    if (now - before < QUIET_MS * 10) return now; // less than 1 % of a core
    before = now;
  }
  throw new Error('the server does not come to rest');
}

function argumentsOf(server, port, load) {
  return ['--port', String(port), '--ca', server.ca, ...Object.entries(load).flatMap(([name, value]) => [`--${name}`, String(value)])];
}

/** Devices that stay connected until the child's stdin ends: {child}, once all of them are let in. */
async function hold(server, port, load) {
  const child = children.start(usherd.program('usher-load'), argumentsOf(server, port, load), { stdio: ['pipe', 'pipe', 'pipe'] });
  let text = '';
  let problem = '';
  child.stderr.on('data', (data) => { problem += data; });
  child.stdout.on('data', (data) => { text += data; });
  await until(LOAD_MS, 'the devices to connect', () => text.includes('\n') || child.exitCode !== null);
  const did = text.includes('\n') ? JSON.parse(text) : undefined;
  if (!did || did.failed > 0) throw new Error(`usher-load: ${problem.trim() || text.trim()}`);
  await quiet(server);
  return { child };
}

/** `load` is the arguments of usher-load without port and CA. */
async function repetition(server, port, load) {
  const before = await quiet(server);
  const { code, stdout, stderr } = await children.run(usherd.program('usher-load'), argumentsOf(server, port, load), { timeout: LOAD_MS });
  if (code !== 0) throw new Error(`usher-load: ${stderr.trim() || stdout.trim() || `exit code ${code}`}`);
  const did = JSON.parse(stdout);
  const after = await quiet(server);
  return {
    ops: did.ops, cpu_us_per_op: (after - before) / did.ops, per_second: did.per_second, p50_ms: did.p50_ms, p99_ms: did.p99_ms,
    rss_kib: server.rss(),
  };
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The median of each figure, and the CPU time of each repetition; ops are those of one. */
function summary(name, what, repetitions) {
  const made = { case: name, what, repetitions: repetitions.length, ops: repetitions[0].ops };
  for (const figure of ['cpu_us_per_op', 'per_second', 'p50_ms', 'p99_ms', 'rss_kib']) {
    made[figure] = Number(median(repetitions.map((one) => one[figure])).toFixed(3));
  }
  made.each = repetitions.map((one) => Number(one.cpu_us_per_op.toFixed(3)));
  return made;
}

module.exports = { repetition, hold, summary, median };
