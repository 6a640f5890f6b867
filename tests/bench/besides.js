// How long a device waits that registers beside 2,000 slow peers, against the same device alone. The slow ones are those of
// lib/phases.js that cost least to hold, so that what is measured is what they cost the service and not the making of them:
// before TLS, and in the phases of 20 s and more, each saying a byte a second or nothing. One device at a time.
'use strict';

const children = require('../lib/children');
const servers = require('./servers');
const usherd = require('../lib/usherd');
const { Crowd, descriptorLimit } = require('../lib/crowd');
const { enrolTpm, phases } = require('../lib/phases');
const { median } = require('./measure');
const { until } = require('../lib/wait');

const CROWD = 2000;
const SLOTS = 2100; // some are always between one connection and the next
const OPS = 1000;
const FILL_MS = 120000;
const LONG_MS = 20000;

const CASES = {
  mqtt_alone: { kind: 'mqtt', what: 'a device registers over MQTT, one at a time' },
  mqtt_beside_slow: { kind: 'mqtt', crowd: true, what: `the same beside ${CROWD} slow peers` },
  amqp_alone: { kind: 'amqp', what: 'a device registers over AMQP, one at a time' },
  amqp_beside_slow: { kind: 'amqp', crowd: true, what: `the same beside ${CROWD} slow peers` },
  https_alone: { kind: 'https', what: 'a device registers over HTTPS, one at a time' },
  https_beside_slow: { kind: 'https', crowd: true, what: `the same beside ${CROWD} slow peers` },
};
const NAMES = Object.keys(CASES);

/** One lot of devices that never registered before; `held` says how many slow ones there are. */
async function measure(server, made, kind, first) {
  const port = server.bench[`${kind}Port`];
  const load = { port, ca: server.ca, kind, count: OPS, concurrency: 1, first, scope: made.scope, 'group-key': made.groupKey, prefix: 'device-' };
  const args = Object.entries(load).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const { code, stdout, stderr } = await children.run(usherd.program('usher-load'), args, { timeout: FILL_MS });
  if (code !== 0) throw new Error(`usher-load: ${stderr.trim() || stdout.trim() || `exit code ${code}`}`);
  return JSON.parse(stdout);
}

async function fill(server) {
  const { bench } = server;
  const id = 'slow';
  const key = (await bench.control.enroll(id)).attestation.symmetricKey.primaryKey;
  const rows = phases(bench, { id, key }, await enrolTpm(bench, 'slow-tpm')).filter(({ bare, limit, least }) => bare || limit >= LONG_MS || least === 0);
  const crowd = new Crowd(rows, SLOTS);
  crowd.start();
  await until(FILL_MS, `${CROWD} slow peers`, () => crowd.open >= CROWD && bench.descriptors() >= CROWD);
  return crowd;
}

/** `made`: what prepare() of cases.js makes. Half of the repetitions alone before the crowd, half after. */
async function run(names, repetitions, made, say) {
  if (descriptorLimit() < SLOTS + 200) throw new Error(`the hard limit of open files is ${descriptorLimit()}, and ${SLOTS + 200} are needed: ulimit -Hn`);
  const server = await servers.startUsherd(made.dir, ['--set', 'limits.deviceRequests=0']);
  const results = Object.fromEntries(names.map((name) => [name, []]));
  let next = 0;
  const measureAll = async (crowd, times) => {
    for (let i = 0; i < times; i += 1) {
      for (const name of names.filter((one) => Boolean(CASES[one].crowd) === Boolean(crowd))) {
        results[name].push(await measure(server, made, CASES[name].kind, next));
        next += OPS;
        if (crowd && crowd.open < CROWD * 0.95) throw new Error(`only ${crowd.open} slow peers are left; ${crowd.failed[0] || ''}`);
      }
    }
  };
  await measure(server, made, 'mqtt', next); // warm
  next += OPS;
  await measureAll(null, Math.ceil(repetitions / 2));
  say('alone');
  if (names.some((name) => CASES[name].crowd)) {
    const crowd = await fill(server);
    say(`${crowd.open} slow peers are held`);
    await measureAll(crowd, repetitions);
    crowd.going = false;
    say(`beside slow peers, of whom ${crowd.closed} were closed and ${crowd.late.length} too late`);
    await crowd.over;
  }
  await measureAll(null, Math.floor(repetitions / 2));
  await server.stop();
  const of = (name, figure) => Number(median(results[name].map((one) => one[figure])).toFixed(3));
  return names.map((name) => ({
    case: name, what: CASES[name].what, repetitions, ops: OPS, per_second: of(name, 'per_second'), p50_ms: of(name, 'p50_ms'), p99_ms: of(name, 'p99_ms'),
  }));
}

module.exports = { NAMES, OPS, measure, run };
