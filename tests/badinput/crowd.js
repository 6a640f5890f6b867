// Two thousand slow peers, in all phases and at all doors, held at once: good devices register beside them at each door, each
// slow one is closed by its deadline, and nothing of them is left. How fast good devices are meanwhile: script/bench.
'use strict';

const assert = require('assert');
const device = require('../lib/device');
const usherd = require('../lib/usherd');
const websocket = require('../lib/websocket');
const { environment } = require('./bench');
const { openDevice, plain } = require('../lib/amqp-device');
const { GoodDevice } = require('./judge');
const { Crowd, descriptorLimit } = require('../lib/crowd');
const { enrolTpm, phases } = require('../lib/phases');
const { until } = require('../lib/wait');

const CROWD = 2000;
const SLOTS = 2200; // some are always between one connection and the next
const FILL_MS = 90000;
const ROUNDS = 3; // of good devices

/** A registration at each door: [door, work]. */
function doors(server, { id, key }) {
  const overAmqp = async (open) => {
    const one = await openDevice(server, {}, { id, open });
    assert.deepStrictEqual(await one.authenticate('PLAIN', plain({ scope: server.scope, id, token: new GoodDevice(server, id, key).freshToken() })), { code: 0 });
    await one.connect();
    const got = await one.ask({ operation: 'iotdps-register', body: { data: '{}' } });
    assert.strictEqual(got.json && got.json.status, 'assigned', JSON.stringify(got.rejected));
    await one.leave();
  };
  const overMqtt = async (where) => {
    const got = await device.provisionMqtt(where, { id, key });
    assert.strictEqual(got.json.status, 'assigned', got.text);
  };
  return [
    ['HTTPS', async () => { assert.strictEqual((await device.registerHttp(server, { id, key })).status, 202); }],
    ['MQTT', () => overMqtt(server)],
    ['MQTT in WebSocket', () => overMqtt(device.overWebSocket(server))],
    ['AMQP', () => overAmqp()],
    ['AMQP in WebSocket', () => overAmqp(websocket.openAmqp)],
  ];
}

async function besides(report, server, good, crowd) {
  await report.check(`crowd: ${CROWD} slow peers are held at once, in ${crowd.rows.length} phases`, async () => {
    await until(FILL_MS, `${CROWD} connections`, () => crowd.open >= CROWD && server.descriptors() >= CROWD).catch((error) => {
      throw new Error(`${error.message}; the most was ${crowd.most}; ${crowd.failed.length} failed, the first: ${crowd.failed[0]}`);
    });
  }, FILL_MS + 5000);
  const peak = server.rss();
  for (const [door, register] of doors(server, good)) {
    await report.check(`crowd: a good device registers over ${door} beside them, ${ROUNDS} times`, async () => {
      for (let i = 0; i < ROUNDS; i += 1) {
        await until(20000, 'the crowd', () => crowd.open >= CROWD * 0.9);
        await register();
      }
    }, 60000);
  }
  return peak;
}

async function judge(report, server, crowd, { mark, before, descriptors, peak }) {
  await report.check('crowd: each is closed by its deadline', async () => {
    crowd.going = false;
    await crowd.over;
    assert.ok(crowd.closed >= CROWD, `${crowd.closed} were closed`);
    assert.deepStrictEqual(crowd.late.slice(0, 5), [], `${crowd.late.length} of ${crowd.closed} too late`);
    assert.deepStrictEqual(crowd.failed.slice(0, 5), [], `${crowd.failed.length} could not be opened`);
  }, 120000);
  await report.check('crowd: each has left one log line that says what was waited for', async () => {
    const lines = () => server.log.since(mark).filter(({ entry }) => entry && entry.error === 'timeout' && /^waited \d+ ms for ./.test(entry.reason)).length;
    await until(5000, 'the lines', () => lines() >= crowd.closed).catch(() => {});
    assert.strictEqual(lines(), crowd.closed);
  });
  await report.check('crowd: no descriptor is left', () => until(8000, 'the descriptors', () => server.descriptors() <= descriptors));
  await report.check('crowd: their memory is back', async () => {
    const room = (server.sanitized() ? 96 : 16) * 1024;
    await until(10000, 'the memory', () => server.rss() < before + room).catch(() => {
      throw new Error(`${server.rss()} KiB, from ${before} KiB before and ${peak} KiB with them`);
    });
  });
}

async function run(report) {
  const needed = SLOTS + 200;
  if (descriptorLimit() < needed) throw new Error(`the hard limit of open files is ${descriptorLimit()}, and ${needed} are needed: ulimit -Hn`);
  const args = ['log.anonymousPerSecond=1000000', 'limits.deviceRequests=0'].flatMap((one) => ['--set', one]);
  const server = await usherd.start({ env: environment(), args });
  const good = await GoodDevice.make(server, 'crowd-good');
  await good.check();
  const rows = phases(server, good, await enrolTpm(server, 'crowd-tpm'));
  for (const [, register] of doors(server, good)) await register();
  const found = { mark: server.log.mark(), before: server.rss(), descriptors: server.descriptors() };
  const crowd = new Crowd(rows, SLOTS);
  crowd.start();
  const peak = await besides(report, server, good, crowd);
  await judge(report, server, crowd, { ...found, peak });
  await usherd.checkStop(report, server, 'crowd: usherd');
}

module.exports = { run };
