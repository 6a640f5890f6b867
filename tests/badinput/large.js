// Lengths beyond the caps (threats A4): declared and never sent, declared and sent, over every door, before and after the
// peer has proved itself. The limits: 4 KB before authentication, 96 KB a message.
'use strict';

const assert = require('assert');
const device = require('../lib/device');
const http1 = require('../lib/http1');
const mqtt = require('../lib/mqtt');
const websocket = require('../lib/websocket');
const { openTcp } = require('../lib/peer');
const { noGrowth, oneLogLine } = require('./judge');

const HUGE = 256 * 1024 * 1024;
const HUGEST_MQTT = 268435455; // what four bytes of remaining length can say

/** Asserts that no address space is taken for what was only declared, then as judge.noGrowth. */
async function reservesNothing(server, work) {
  const before = server.addressSpace();
  await noGrowth(server, work);
  const grown = server.addressSpace() - before;
  assert.ok(grown < 64 * 1024, `address space grew by ${grown} KiB`);
}

function mqttRows(server, good) {
  const fresh = () => device.openMqtt(server);
  const known = () => device.connectMqtt(server, good);
  const framed = () => websocket.connect(server);
  const within = async () => (await device.connectMqtt(device.overWebSocket(server), good)).socket.peer; // the one of frames
  const topic = mqtt.text('$dps/registrations/PUT/iotdps-register/?$rid=1');
  return [
    ['a CONNECT that says it has 256 MB', fresh, Buffer.concat([Buffer.from([0x10]), mqtt.remaining(HUGEST_MQTT)])],
    ['a CONNECT that says it has 256 MB, and begins', fresh, Buffer.concat([Buffer.from([0x10]), mqtt.remaining(HUGEST_MQTT), mqtt.text('MQTT'), Buffer.alloc(4096)])],
    ['a CONNECT of 5 KB', fresh, mqtt.connect({ clientId: good.id, username: device.username(server.scope, good.id), password: 'x'.repeat(5000) })],
    ['a PUBLISH that says it has 256 MB, from nobody', fresh, Buffer.concat([Buffer.from([0x30]), mqtt.remaining(HUGEST_MQTT)])],
    ['a PUBLISH that says it has 256 MB', known, Buffer.concat([Buffer.from([0x30]), mqtt.remaining(HUGEST_MQTT)])],
    ['a PUBLISH that says it has 256 MB, and begins', known, Buffer.concat([Buffer.from([0x30]), mqtt.remaining(HUGEST_MQTT), topic, Buffer.alloc(8192, 0x20)])],
    ['a PUBLISH of 200 KB', known, mqtt.publish({ topic: '$dps/registrations/PUT/iotdps-register/?$rid=1', payload: Buffer.alloc(200 * 1024, 0x20), qos: 1, id: 5 })],
    ['a frame of WebSocket that says it has 2^63 - 1 bytes, from nobody', framed, websocket.binary('', { declared: 2n ** 63n - 1n, form: 64 })],
    ['a frame of WebSocket that says it has a MiB, and begins, from nobody', framed, websocket.binary(Buffer.alloc(8192), { declared: 1024 * 1024, form: 64 })],
    ['a frame of WebSocket that says it has 2^40 bytes, and begins', within, websocket.binary(Buffer.alloc(10000), { declared: 2n ** 40n, form: 64 })],
    ['a SUBSCRIBE that says it has 256 MB', known, Buffer.concat([Buffer.from([0x82]), mqtt.remaining(HUGEST_MQTT)])],
  ];
}

function httpRows(server, good) {
  const path = `/${server.scope}/registrations/${good.id}/register?api-version=2019-03-31`;
  const base = ['Host: localhost', 'Content-Type: application/json'];
  const auth = `Authorization: ${good.freshToken()}`;
  const put = (lines, body = '') => http1.request(`PUT ${path} HTTP/1.1`, [...base, ...lines], body);
  return [
    ['a Content-Length of 256 MB, from nobody', put([`Content-Length: ${HUGE}`]), [401, 413]],
    ['a Content-Length of 256 MB', put([auth, `Content-Length: ${HUGE}`]), [413]],
    ['a Content-Length of 256 MB, and some of it', put([auth, `Content-Length: ${HUGE}`], Buffer.alloc(65536, 0x20)), [413]],
    ['a Content-Length of 256 MB that waits for 100', put([auth, `Content-Length: ${HUGE}`, 'Expect: 100-continue']), [413]],
    ['a Content-Length of 256 MB on the service API, from nobody', http1.request('PUT /enrollments/x?api-version=2021-10-01 HTTP/1.1', [...base, `Content-Length: ${HUGE}`]), [401, 413]],
    ['a body of 200 KB', put([auth, `Content-Length: ${200 * 1024}`], Buffer.alloc(200 * 1024, 0x20)), [413]],
    ['a chunk of 256 MB', put([auth, 'Transfer-Encoding: chunked'], `${HUGE.toString(16)}\r\n{`), [413]],
    ['chunks of 200 KB in all', put([auth, 'Transfer-Encoding: chunked'], `${`2000\r\n${' '.repeat(8192)}\r\n`.repeat(25)}0\r\n\r\n`), [413]],
  ];
}

async function run(report, server, good) {
  for (const [what, open, bytes] of mqttRows(server, good)) {
    await report.check(`large, MQTT: ${what}: closed at once, one log line, no memory`, () => reservesNothing(server, async () => {
      const peer = await open();
      await oneLogLine(server, async () => {
        const start = Date.now();
        peer.write(bytes);
        const took = await peer.closedBy(3000, what, start);
        assert.ok(took < 2000, `closed after ${took} ms`);
      });
      peer.destroy();
    }));
  }
  for (const [what, bytes, statuses] of httpRows(server, good)) {
    await report.check(`large, HTTPS: ${what}: ${statuses.join(' or ')}, closed, one log line, no memory`, () => reservesNothing(server, async () => {
      const peer = await device.openHttp(server);
      await oneLogLine(server, async () => {
        peer.write(bytes);
        const got = await peer.response();
        assert.ok(statuses.includes(got.status), `${got.status} ${got.body}`);
        device.checkError(got.json, got.status);
        await peer.closedBy(5000, 'after the answer');
      });
      peer.destroy();
    }));
  }
  await report.check('large: a PUBLISH of 96 KB to the device door is within the limit', async () => {
    const peer = await device.connectMqtt(server, good);
    const payload = Buffer.concat([Buffer.from(`{"registrationId":"${good.id}","payload":"`), Buffer.alloc(90 * 1024, 0x61), Buffer.from('"}')]);
    const got = await device.askMqtt(peer, '$dps/registrations/PUT/iotdps-register/?$rid=1', '1', payload);
    assert.strictEqual(got.status, 200, got.text);
    peer.destroy();
  });
  await report.check('large: a ClientHello that says it has 16 MB is refused without memory', () => reservesNothing(server, async () => {
    // A record that announces a handshake message of 16 MB in place of a ClientHello.
    const peer = await openTcp({ port: server.httpsPort });
    await oneLogLine(server, async () => {
      await peer.write(Buffer.from('160301400001ffffff0303', 'hex'));
      await peer.write(Buffer.alloc(16384));
      await peer.closedBy(12000, 'after a ClientHello of 16 MB');
    });
    peer.destroy();
  }));
}

module.exports = { run };
