// One life of a server: killed at a chosen system call while devices register, started again, looked at.
'use strict';

const bench = require('./bench');
const usherd = require('../lib/usherd');
const { Check, Ledger, leaked } = require('./promises');
const { Fleet, isGone } = require('./fleet');
const { NO_LEAK_CHECK, injecting } = require('../lib/strace');
const { within } = require('../lib/wait');

const KILL_WITHIN_MS = 15000;
const REGISTRATIONS_MAX = 300; // a point that was not reached by then is not going to be
const START_MS = 4000; // a sanitized build on a busy machine; a release build takes a tenth of this
const AGAIN = 2; // devices of either kind that register again after a kill, beside all that had no answer

/** Starts usherd under strace. Resolves to {server, ready}: it may have been killed before it was ready. */
async function startUnder(under, made, dir, args) {
  let server;
  const options = {
    dir, under, known: made.known, env: NO_LEAK_CHECK, args: [...bench.hubArguments(), ...args], onStart: (it) => { server = it; },
  };
  try {
    await usherd.start(options);
    return { server, ready: true };
  } catch (error) {
    const { signal } = await within(START_MS, `the server to be gone after: ${error.message}`, server.child.done);
    if (signal !== 'SIGKILL') throw error;
    return { server, ready: false };
  }
}

/** The server, which strace started, is dead or killed now; returns how it ended. */
async function end(server) {
  try {
    if (server.running) process.kill(server.pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error; // strace has not yet told us
  }
  return within(5000, 'the killed server to be gone', server.child.done);
}

/**
 * Lets the fleet register until the server dies at the nth `call`. Returns {hit, ledger, registrations}; `hit` is false
 * when it died before it was ready, or not within the time.
 */
async function interrupt(made, dir, { call, nth, args, shift }) {
  const ledger = new Ledger();
  const { server, ready } = await startUnder(injecting(call, nth), made, dir, args);
  if (!ready) return { hit: false, early: true, ledger };
  const fleet = new Fleet(server, made, ledger, { shift, most: REGISTRATIONS_MAX });
  const timer = setTimeout(() => fleet.stop(), KILL_WITHIN_MS);
  const failures = await fleet.run();
  clearTimeout(timer);
  const wrong = failures.find((error) => !isGone(error));
  if (wrong) {
    await end(server);
    throw wrong;
  }
  // A connection that was closed means that the server is dying; else the time was over.
  const { signal } = failures.length > 0 ? await within(5000, 'the server to be gone', server.child.done) : await end(server);
  if (failures.length > 0 && signal !== 'SIGKILL') throw new Error(`usherd was not killed but ended: ${JSON.stringify(server.log.lines.slice(-3))}`);
  return { hit: failures.length > 0, early: false, ledger, registrations: fleet.registrations, log: logOf(server) };
}

function logOf(server) {
  return server.log.lines.map((line) => line.text).join('\n');
}

/** Starts the server again as an operator would, and asks everything of it that must hold. */
async function recover(made, dir, ledger, args, found, logs = []) {
  const began = Date.now();
  const server = await usherd.start({ dir, args: [...bench.hubArguments(), ...args] });
  const took = Date.now() - began;
  const check = new Check(server, ledger, made);
  const hold = async (invariant, body) => {
    try {
      await body();
    } catch (error) {
      found.push({ invariant, error });
    }
  };
  try {
    await hold('start', () => { if (took > START_MS) throw new Error(`ready after ${took} ms`); });
    await hold('I5', () => check.closed());
    await hold('I1', () => check.durability());
    await hold('operations', () => check.operations());
    await hold('I4', () => check.orphans());
    await hold('I2', () => check.again(AGAIN));
  } finally {
    server.child.kill('SIGKILL');
    await server.child.done;
  }
  await hold('record', () => check.records(dir));
  await hold('I10', () => leaked(ledger, dir, [...logs, logOf(server)]));
}

module.exports = { interrupt, recover, startUnder, end };
