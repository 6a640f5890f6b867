// A disk that fails, a disk that is full, and two processes that want the same one (threats F4, F5, F7).
'use strict';

const assert = require('assert');
const bench = require('./bench');
const usherd = require('../lib/usherd');
const sas = require('../lib/sas');
const doors = require('../lib/doors');
const { Fleet, attempt, isGone, poll, register } = require('./fleet');
const { Ledger } = require('./promises');
const { injecting } = require('../lib/strace');
const { recover, startUnder, end } = require('./kill');
const { until, within } = require('../lib/wait');

const ARGS = ['--set', 'threads=1'];
const FULL_CALLS = 60; // how many writes to the disk fail in a row before there is room again
const TRIES = 400;

/** 503 is no promise: whoever gets it asks again. */
class Patient extends Ledger {
  answered(id, got) {
    if (got.status === 503) throw new Unavailable(`${id}: 503 ${JSON.stringify(got.json)}`);
    super.answered(id, got);
  }

  refused(id, got) {
    if (got.status === 503) throw new Unavailable(`${id}: 503 ${JSON.stringify(got.json)}`);
    super.refused(id, got);
  }
}

class Unavailable extends Error {}

function refusedForNow(error) {
  return error instanceof Unavailable || error.status === 503 || error.connack === 3;
}

/** An I/O error at the nth call of its kind during registrations: nothing that was answered may be lost. */
async function diskFails(made, call, nth, shift) {
  const dir = bench.copy(made);
  const ledger = new Patient();
  const { server, ready } = await startUnder(injecting(call, nth, 'error=EIO'), made, dir, ARGS);
  assert.ok(ready, 'usherd did not start');
  const fleet = new Fleet(server, made, ledger, { shift });
  const running = fleet.run();
  const { code, signal } = await within(20000, 'usherd to end when its disk fails', server.child.done)
    .catch(async (error) => { fleet.stop(); await end(server); throw error; });
  const wrong = (await running).find((error) => !isGone(error) && !refusedForNow(error));
  if (wrong) throw wrong;
  assert.ok(signal === null && code > 0 && code < 99, `it ended with code ${code}, signal ${signal}: ${tail(server)}`);
  assert.ok(server.log.lines.some((line) => line.entry && line.entry.event === 'store.failed'), `its log does not say so: ${tail(server)}`);
  const found = [];
  await recover(made, dir, ledger, ARGS, found);
  if (found.length > 0) throw new Error(`${found[0].invariant}: ${found[0].error.message}`);
  bench.remove(dir);
}

function tail(server) {
  return server.log.lines.slice(-3).map((line) => line.text).join(' | ');
}

function keyOf(made, id) {
  const key = sas.deriveKey(made.groupKey, id);
  return { key, credential: key };
}

/** Sends writes until one is (`full`) or is not refused because the disk is full; notes those that were taken. */
async function writeUntil(server, taken, full) {
  for (let i = 0; i < TRIES; i += 1) {
    const id = `full-${taken.size}-${i}-${full}`;
    const answer = await server.control.request('PUT', `/enrollments/${id}?${bench.API}`,
      { registrationId: id, attestation: { type: 'symmetricKey', symmetricKey: {} } });
    assert.ok(answer.status === 200 || answer.status === 503, `a write was answered ${answer.status} ${answer.text}`);
    if (answer.status === 200) taken.set(id, answer.json.etag);
    if ((answer.status === 503) === full) return answer;
  }
  throw new Error(`${TRIES} writes, and the disk was never ${full ? 'full' : 'good again'}`);
}

async function holdsAll(server, taken) {
  for (const [id, etag] of taken) {
    const answer = await server.control.request('GET', `/enrollments/${id}?${bench.API}`);
    assert.strictEqual(answer.json && answer.json.etag, etag, `the enrollment ${id}: ${answer.status} ${answer.text}`);
  }
}

async function diskFull(report, made, before) {
  const dir = bench.copy(made);
  const first = before + 30;
  const { server } = await startUnder(injecting('pwrite64', `${first}..${first + FULL_CALLS - 1}`, 'error=ENOSPC'), made, dir, ARGS);
  const ledger = new Ledger();
  const known = { id: 'early', via: 'https', ...keyOf(made, 'early') };
  const late = { id: 'late', via: 'https', ...keyOf(made, 'late') };
  const taken = new Map();
  let early;
  ledger.shows(known);
  ledger.shows(late);
  await report.check('disk full: a write is answered 503 and a device that registers too', async () => {
    early = await register(server, ledger, known);
    const answer = await writeUntil(server, taken, true);
    assert.ok(Number(answer.headers['retry-after']) > 0, 'a retry-after');
    const error = await register(server, new Patient(), late).then((json) => new Error(JSON.stringify(json)), (e) => e);
    assert.ok(refusedForNow(error), `the device was told: ${error.message}`);
  });
  await report.check('disk full: a device with a certificate that is not let in is refused or told 503, and never let in', async () => {
    for (const who of made.strangers) {
      for (const via of doors.NAMES) {
        const got = await attempt(server, { ...who, via });
        if (got.status !== 503) ledger.refused(who.id, got);
      }
    }
  });
  await report.check('disk full: reads and polls go on', async () => {
    await holdsAll(server, taken);
    const answer = await server.control.registration('early');
    assert.strictEqual(answer.status, 200, answer.text);
    const polled = await poll(server, known, early.operationId);
    assert.deepStrictEqual([polled.status, polled.json.status], [200, 'assigned']);
  });
  await report.check('disk full: once there is room again, writes and registrations succeed, without a person', async () => {
    await writeUntil(server, taken, false);
    await until(10000, 'the device to be assigned', () => register(server, ledger, late).catch((error) => {
      if (refusedForNow(error)) return null;
      throw error;
    }));
    assert.ok(server.running, 'it has ended');
    await holdsAll(server, taken);
  });
  await end(server);
  await report.check('disk full: what was answered is there after a crash and a new start', async () => {
    const found = [];
    await recover(made, dir, ledger, ARGS, found);
    if (found.length > 0) throw new Error(`${found[0].invariant}: ${found[0].error.message}`);
    const after = await usherd.start({ dir, args: [...bench.hubArguments(), ...ARGS] });
    await holdsAll(after, taken);
    await after.stop();
  });
  bench.remove(dir);
}

async function secondProcess(made) {
  const dir = bench.copy(made);
  const first = await usherd.start({ dir, args: bench.hubArguments() });
  let second;
  const error = await usherd.start({ dir, args: bench.hubArguments(), onStart: (it) => { second = it; } }).then(() => null, (e) => e);
  if (error === null) await second.stop();
  assert.ok(error, 'a second process was let in');
  const { code } = await second.child.done;
  assert.ok(code > 0, `exit code ${code}`);
  assert.match(second.log.lines.map((line) => line.text).join('\n'), /another (process|usherd)|in use/i, 'what it says');
  const ledger = new Ledger();
  const who = { id: 'd', via: 'mqtt', ...keyOf(made, 'd') };
  ledger.shows(who);
  assert.strictEqual((await register(first, ledger, who)).status, 'assigned', 'the first process goes on');
  assert.ok((await first.control.registration('d')).json, 'and its control socket too');
  await first.stop();
  bench.remove(dir);
}

async function cases(report, made, calibrate) {
  const counts = await calibrate(made, ARGS);
  // Not the second fdatasync: that is of the folder, after the log was made, and SQLite does not look at what it says.
  const failing = [['fdatasync', 1], ['fdatasync', 3], ['fdatasync', 7], ['fdatasync', 20], ['pwrite64', 1], ['pwrite64', 40]];
  for (const [i, [call, nth]] of failing.entries()) {
    await report.check(`disk fails at ${call} ${nth}: usherd ends with an error, and loses nothing that it acknowledged`,
      () => diskFails(made, call, counts[call].before + nth, i % 2));
  }
  await diskFull(report, made, counts.pwrite64.before);
  await report.check('a second process on the same folder is refused, and the first goes on', () => secondProcess(made));
}

module.exports = { cases };
