// A stop while all kinds of connections are open: each is closed, nothing that was answered is lost, and it does not take
// the time that a stop may take at most.
'use strict';

const assert = require('assert');
const amqp = require('../lib/amqp');
const device = require('../lib/device');
const http1 = require('../lib/http1');
const mqtt = require('../lib/mqtt');
const sas = require('../lib/sas');
const usherd = require('../lib/usherd');
const websocket = require('../lib/websocket');
const { openTcp } = require('../lib/peer');
const { GoodDevice } = require('./judge');
const { within } = require('../lib/wait');

const STOP_MS = 5000; // far below stop.wait
const HELLO = Buffer.from('1603010200010001fc0303', 'hex');

const IN_WEBSOCKET = 'a device that is idle in WebSocket';

/** One connection in every phase: [what, the peer]. */
async function connections(server, good) {
  const { id, key } = good;
  const head = `PUT /${server.scope}/registrations/${id}/register?api-version=2019-03-31 HTTP/1.1\r\nHost: localhost\r\n`
    + `Content-Type: application/json\r\nAuthorization: ${good.freshToken()}\r\n`;
  const opened = async (what, open, ...bytes) => {
    const peer = await open();
    for (const some of bytes) await peer.write(some);
    return [what, peer];
  };
  const https = () => device.openHttp(server);
  const mqtts = () => device.openMqtt(server);
  const amqps = () => amqp.openAmqp({ port: server.amqpPort, ca: server.ca });
  const served = await device.openHttp(server);
  await served.write(http1.request(`GET /enrollments/${id}?api-version=2021-10-01 HTTP/1.1`, ['Host: localhost']));
  await served.response();
  const onHub = await mqtts();
  await onHub.write(mqtt.connect({
    clientId: id, username: `${server.hub}/${id}/?api-version=2021-04-12`, password: sas.hubDeviceToken({ hub: server.hub, deviceId: id, key }),
  }));
  assert.strictEqual((await onHub.expect('CONNACK')).code, 0);
  return [
    await opened('silent before TLS', () => openTcp({ port: server.httpsPort })),
    await opened('in the middle of a TLS handshake', () => openTcp({ port: server.mqttPort }), HELLO),
    await opened('after TLS, HTTPS', https),
    await opened('after TLS, MQTT', mqtts),
    await opened('in the middle of a head', https, head),
    await opened('in the middle of a body', https, `${head}Content-Length: 100\r\n\r\n{`),
    await opened('in the middle of a CONNECT', mqtts, Buffer.from([0x10, 0x7f, 0, 4])),
    await opened('after TLS, AMQP', amqps),
    await opened('in the middle of SASL', amqps, amqp.HEADER.sasl),
    await opened('a device with a link', amqps, amqp.HEADER.sasl, amqp.saslPlain(`${server.scope}/registrations/${id}`, sas.deviceToken({ scope: server.scope, id, key })),
      amqp.HEADER.amqp, amqp.open(), amqp.begin(), amqp.attach('l', 0, `${server.scope}/registrations/${id}`, true)),
    await opened('a device that is idle', () => device.connectMqtt(server, { id, key })),
    await opened('after the change to WebSocket', () => websocket.connect(server)),
    await opened('in the middle of a frame', () => websocket.connect(server), websocket.binary('hello').subarray(0, 4)),
    await opened(IN_WEBSOCKET, () => device.connectMqtt(device.overWebSocket(server), { id, key })),
    ['kept alive', served],
    ['a device on the hub', onHub],
  ];
}

async function run(report) {
  const server = await usherd.start();
  const good = await GoodDevice.make(server, 'stop-good');
  await good.check();
  const fresh = await GoodDevice.make(server, 'stop-late');
  const peers = await connections(server, good);
  const late = await device.connectMqtt(server, { id: fresh.id, key: fresh.key });
  await late.write(mqtt.publish({ topic: '$dps/registrations/PUT/iotdps-register/?$rid=1', payload: '', qos: 1, id: 9 }));
  const start = Date.now();
  const stopped = server.stop(20000);
  for (const [what, peer] of peers) {
    await report.check(`stop: ${what}: the connection is closed`, () => within(STOP_MS, what, peer.ended));
  }
  await report.check('stop: a device in WebSocket is told that the service goes away: Close with 1001', () => {
    assert.strictEqual(peers.find(([what]) => what === IN_WEBSOCKET)[1].socket.closeStatus, 1001);
  });
  await report.check('stop: it ends in order and soon, with all of them open', async () => {
    const { code, signal } = await stopped;
    assert.strictEqual(code, 0, `exit code ${code}, signal ${signal}: ${server.log.lines.slice(-6).map((line) => line.text).join(' | ')}`);
    assert.ok(Date.now() - start < STOP_MS, `it took ${Date.now() - start} ms`);
    const odd = server.log.lines.filter((line) => typeof line.entry !== 'object' || line.entry === null);
    assert.deepStrictEqual(odd, [], 'lines that are no JSON');
  });
  await report.check('stop: a registration that was under way is answered and recorded, or neither answered nor lost', async () => {
    const got = [];
    for (let packet = mqtt.decode(late.buffer); packet; packet = mqtt.decode(late.buffer)) {
      got.push(packet.value);
      late.buffer = late.buffer.subarray(packet.used);
    }
    const answer = got.find((packet) => packet.type === 'PUBLISH');
    const again = await usherd.start({ dir: server.dir });
    const { status, json } = await again.control.registration(fresh.id);
    if (answer && device.parseResponse(answer, '1').status === 200) assert.deepStrictEqual([status, json.status], [200, 'assigned']);
    assert.strictEqual((await device.provisionMqtt(again, { id: fresh.id, key: fresh.key })).status, 200, 'afterwards');
    const { code } = await again.stop();
    assert.strictEqual(code, 0);
  });
}

module.exports = { run };
