// How long a device waits that needs no function, beside 300 devices that wait for a slow one all the time (custom allocation), against
// the same device alone. The function answers in time, and refuses: so it is neither given up nor makes work for a hub.
'use strict';

const besides = require('./besides');
const doors = require('../lib/doors');
const sas = require('../lib/sas');
const servers = require('./servers');
const { Certificates } = require('../webhook/certificates');
const { Functions, answer } = require('../webhook/functions');
const { median } = require('./measure');
const { pause, until } = require('../lib/wait');

const CROWD = 300;
const HOSTS = 20; // of a host 32 are asked about at once
const ANSWER_MS = 4000;
const DEADLINE_MS = 20000; // 300 handshakes at once take their time too, and a function that is given up is waited for by nobody
const POLL_MS = 1000;
const FILL_MS = 60000;
const WAITING = 0.6; // of the crowd, at any moment: between two questions they poll, and pause
const FEW = 0.1; // may be refused for another reason on a busy machine

const CASES = {
  mqtt_beside_nobody: { kind: 'mqtt', what: 'a device registers over MQTT, one at a time' },
  mqtt_beside_webhooks: { kind: 'mqtt', crowd: true, what: `the same beside ${CROWD} devices whose webhook takes ${ANSWER_MS / 1000} s` },
};
const NAMES = Object.keys(CASES);

async function startFunction() {
  const made = new Functions();
  const pki = await Certificates.make();
  made.caFile = pki.caFile;
  made.waiting = 0;
  made.behaviours = {
    slow: (socket) => {
      made.waiting += 1;
      setTimeout(() => { made.waiting -= 1; if (!socket.destroyed) socket.write(answer(400, 'not this one')); }, ANSWER_MS);
    },
  };
  made.hosts = Array.from({ length: HOSTS }, (_, i) => `127.0.1.${i + 1}`);
  await made.serve('slow', await pki.signed('slow', made.hosts.map((host) => `IP:${host}`).join(',')), { host: '0.0.0.0' });
  return made;
}

/** Devices that register again as soon as they are told that it failed. */
async function fill(bench, fn) {
  const crowd = { going: true, told: 0, wrong: [] };
  const keys = await Promise.all(fn.hosts.map(async (host, i) => {
    const group = await bench.control.group(`slow-${i}`, {
      allocationPolicy: 'custom', customAllocationDefinition: { webhookUrl: fn.url('slow', { server: 'slow', host }), apiVersion: '2021-10-01' } });
    return group.attestation.symmetricKey.primaryKey;
  }));
  const life = async (id, key) => {
    const peer = await doors.open(bench, 'https', { id, key });
    while (crowd.going) {
      let got = await peer.register();
      while (crowd.going && got.json.status === 'assigning') {
        await pause(POLL_MS);
        got = await peer.poll(got.json.operationId);
      }
      if (!crowd.going) break;
      const { errorMessage } = got.json.registrationState;
      crowd.told += 1;
      if (!/status code: 400$/.test(errorMessage)) crowd.wrong.push(errorMessage);
      await pause(POLL_MS);
    }
    peer.close();
  };
  crowd.over = Promise.all(Array.from({ length: CROWD }, (_, i) => {
    const id = `waits-${i}`;
    return life(id, sas.deriveKey(keys[i % HOSTS], id)).catch((error) => crowd.wrong.push(error.message));
  }));
  await until(FILL_MS, `${CROWD} devices that wait`, () => fn.waiting >= CROWD * WAITING);
  return crowd;
}

/** `made`: what prepare() of cases.js makes. Half of the repetitions alone before the crowd, half after. */
async function run(names, repetitions, made, say) {
  const fn = await startFunction();
  const settings = { 'limits.deviceRequests': 0, 'webhook.deadline': DEADLINE_MS, 'webhook.allowAddresses': '127.0.0.0/8', 'webhook.ports': fn.ports.slow, 'webhook.caFile': fn.caFile };
  const server = await servers.startUsherd(made.dir, Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`]));
  const results = Object.fromEntries(names.map((name) => [name, []]));
  let next = 0;
  const measure = async () => {
    next += besides.OPS;
    return besides.measure(server, made, 'mqtt', next);
  };
  const measureAll = async (crowd, times) => {
    for (const name of names.filter((one) => Boolean(CASES[one].crowd) === Boolean(crowd))) {
      for (let i = 0; i < times; i += 1) results[name].push(await measure());
    }
    if (crowd && crowd.wrong.length > crowd.told * FEW) throw new Error(`devices do not wait for the function: ${crowd.wrong[0]}`);
  };
  await measure(); // warm
  await measureAll(null, Math.ceil(repetitions / 2));
  say('beside nobody');
  const crowd = await fill(server.bench, fn);
  say(`${fn.waiting} devices wait for a function`);
  await measureAll(crowd, repetitions);
  crowd.going = false;
  say(`beside devices that wait for a function, which were refused ${crowd.told} times, ${crowd.wrong.length} of them not by it`);
  await crowd.over;
  await measureAll(null, Math.floor(repetitions / 2));
  await server.stop();
  fn.stop();
  const of = (name, figure) => Number(median(results[name].map((one) => one[figure])).toFixed(3));
  return names.map((name) => ({
    case: name, what: CASES[name].what, repetitions, ops: besides.OPS, per_second: of(name, 'per_second'), p50_ms: of(name, 'p50_ms'), p99_ms: of(name, 'p99_ms'),
  }));
}

module.exports = { NAMES, run };
