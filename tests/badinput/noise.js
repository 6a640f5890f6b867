// Strangers cannot fill the log (threats A10): beyond so many lines a second, what they do wrong is counted instead of
// written. Whoever has proved who it is, and the operator at the control socket, has a line whatever goes on.
'use strict';

const assert = require('assert');
const device = require('../lib/device');
const http1 = require('../lib/http1');
const mqtt = require('../lib/mqtt');
const sas = require('../lib/sas');
const usherd = require('../lib/usherd');
const { API, mustUsher, overHttps } = require('../lib/control');
const { openTcp } = require('../lib/peer');
const { inParallel } = require('../lib/pool');
const { GoodDevice, canary } = require('./judge');
const { until } = require('../lib/wait');

const LIMIT = 5; // lines a second
const EACH = 40;
const WRONG = Buffer.alloc(64, 9).toString('base64');

/** What strangers do, each leaving exactly one line when nothing limits them. */
function noises(server, id) {
  const { scope, hub } = server;
  const refusedHttp = async (line, headers) => {
    const peer = await device.openHttp(server);
    await peer.write(http1.request(line, ['Host: localhost', ...headers]));
    await peer.response();
    peer.destroy();
  };
  const refusedMqtt = async (bytes) => {
    const peer = await device.openMqtt(server);
    await peer.write(bytes);
    await peer.closedBy(5000, 'a stranger');
    peer.destroy();
  };
  const token = sas.deviceToken({ scope, id, key: WRONG });
  return {
    'no TLS': async () => {
      const peer = await openTcp({ port: server.httpsPort });
      await peer.write('GET / HTTP/1.1\r\n\r\n');
      await peer.closedBy(5000, 'no TLS');
    },
    'no HTTP': async () => {
      const peer = await device.openHttp(server);
      await peer.write('nonsense\r\n\r\n');
      await peer.closedBy(5000, 'no HTTP');
    },
    'no token': () => refusedHttp(`GET /enrollments/x?${API} HTTP/1.1`, []),
    'no token for the hub': () => refusedHttp('GET /devices/x?api-version=2021-04-12 HTTP/1.1', []),
    'a wrong key over HTTPS': () => device.registerHttp(server, { id, token }),
    'a wrong key over MQTT': () => refusedMqtt(mqtt.connect({ clientId: id, username: device.username(scope, id), password: token })),
    'a wrong scope': () => refusedMqtt(mqtt.connect({ clientId: id, username: device.username('0neFFFFFFFF', id), password: token })),
    'a user name of nobody': () => refusedMqtt(mqtt.connect({ clientId: id, username: 'somebody', password: 'x' })),
    'a wrong key for the hub': () => refusedMqtt(mqtt.connect({
      clientId: id, username: `${hub}/${id}/?api-version=2021-04-12`, password: sas.hubDeviceToken({ hub, deviceId: id, key: WRONG }),
    })),
    'no MQTT': () => refusedMqtt(Buffer.alloc(16, 0xff)),
  };
}

async function flood(report, server, good, owner) {
  const all = Object.values(noises(server, good.id)).flatMap((noise) => Array.from({ length: EACH }, () => noise));
  await canary(server, server.log.mark()); // what was logged before has come
  const mark = server.log.mark();
  const ownerToken = sas.policyToken({ host: 'localhost', policy: owner.SharedAccessKeyName, key: owner.SharedAccessKey });
  const known = async () => {
    await good.check();
    // without an api-version
    await overHttps(server, 'GET', '/enrollments/known-caller', { token: ownerToken });
    await server.control.request('GET', '/enrollments/known-operator');
  };
  const start = Date.now();
  const half = all.length / 2;
  await inParallel(16, all.slice(0, half), (noise) => noise());
  await known();
  await inParallel(16, all.slice(half), (noise) => noise());
  const seconds = (Date.now() - start) / 1000;
  const entries = () => server.log.since(mark).map(({ entry }) => entry);
  const counted = () => entries().filter((entry) => entry.event === 'log.suppressed').reduce((sum, { count }) => sum + count, 0);
  const isKnown = (entry) => entry.event === 'registration.assigned' || /known-/.test(entry.path || '');
  // the line of the good device's enrollment may arrive after the mark
  const ours = ['log.suppressed', 'enrollment.created'];
  const written = () => entries().filter((entry) => !ours.includes(entry.event) && !isKnown(entry)).length;

  await report.check(`noise: of ${all.length} wrongs of strangers each is written or counted`, async () => {
    await until(5000, 'the count', () => written() + counted() >= all.length).catch(() => {});
    assert.strictEqual(written() + counted(), all.length, `${written()} written, ${counted()} counted`);
  });
  await report.check(`noise: no more than ${LIMIT} of them a second are written`, () => {
    const most = LIMIT * (seconds + 2);
    assert.ok(all.length > 2 * most, `${all.length} in ${seconds.toFixed(1)} s prove nothing`);
    assert.ok(written() <= most, `${written()} in ${seconds.toFixed(1)} s`);
  });
  await report.check('noise: a good device, a known caller and the operator have their lines meanwhile', () => {
    const known = entries().filter(isKnown).map((entry) => entry.path || entry.event);
    assert.deepStrictEqual(known.sort(), ['/enrollments/known-caller', '/enrollments/known-operator', 'registration.assigned', 'registration.assigned']);
  });
}

async function run(report) {
  const server = await usherd.start({ args: ['--set', `log.anonymousPerSecond=${LIMIT}`] });
  const owner = sas.parseConnectionString(await mustUsher(server, ['connection-string']));
  const good = await GoodDevice.make(server, 'noise-good');
  await flood(report, server, good, owner);
  await usherd.checkStop(report, server, 'noise: usherd');
}

module.exports = { run };
