// The processes that a suite starts. Each is known by its PID and is ended when the suite ends, however it ends.
'use strict';

const { spawn } = require('child_process');
const { within } = require('./wait');

const running = new Set();
const atExit = [];

/** Starts a program; `child.done` resolves to {code, signal} when it has ended. */
function start(program, args, options = {}) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  running.add(child);
  child.done = new Promise((resolve) => {
    child.once('error', (error) => { running.delete(child); resolve({ code: null, signal: null, error }); });
    child.once('close', (code, signal) => { running.delete(child); resolve({ code, signal }); });
  });
  return child;
}

/** Runs a program to its end: {code, signal, stdout, stderr}. */
async function run(program, args, { timeout = 20000, input, ...options } = {}) {
  const child = start(program, args, { ...options, stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'] });
  const out = [];
  const err = [];
  child.stdout.on('data', (d) => out.push(d));
  child.stderr.on('data', (d) => err.push(d));
  if (input !== undefined) child.stdin.end(input);
  try {
    const { code, signal, error } = await within(timeout, `${program} ${args.join(' ')}`, child.done);
    if (error) throw error;
    return { code, signal, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() };
  } finally {
    if (running.has(child)) child.kill('SIGKILL');
  }
}

/** Asks a child to end, and makes it end when it has not within `ms`. */
async function stop(child, ms = 10000) {
  if (!running.has(child)) return child.done;
  child.kill('SIGTERM');
  try {
    return await within(ms, `process ${child.pid} to end`, child.done);
  } catch (error) {
    child.kill('SIGKILL');
    await child.done;
    throw error;
  }
}

async function stopAll() {
  await Promise.all([...running].map((child) => stop(child, 5000).catch(() => {})));
}

/** Calls `work` (synchronous) when this process ends. */
function onExit(work) {
  atExit.push(work);
}

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  for (const work of atExit) {
    try { work(); } catch { /* leaving anyway */ }
  }
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130));

module.exports = { start, run, stop, stopAll, onExit };
