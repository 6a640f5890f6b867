// Peers that are slow in every phase, all at once, each closed by the deadline of its phase (threats A2): TLS handshake 10 s,
// first MQTT packet 5 s, SASL 5 s, AMQP open and link 10 s, HTTP headers 10 s, HTTP body. Meanwhile a good device is served.
'use strict';

const assert = require('assert');
const amqp = require('../lib/amqp');
const device = require('../lib/device');
const mqtt = require('../lib/mqtt');
const sas = require('../lib/sas');
const websocket = require('../lib/websocket');
const { openTcp } = require('../lib/peer');
const { pause, until } = require('../lib/wait');

const LATE_MS = 1500; // a deadline may be noticed this much later
const EARLY_MS = 1000; // and a peer that still has time must not be closed
const TRICKLE_MS = 250;
// The record header and the first bytes of a ClientHello that says it is 512 bytes long.
const HELLO = Buffer.from('1603010200010001fc0303', 'hex');

/** Sends `bytes` one at a time, slowly, until they are out or the connection is over. */
async function trickle(peer, bytes) {
  for (const byte of bytes) {
    if (!peer.open) return;
    await peer.write(Buffer.from([byte]));
    await pause(TRICKLE_MS);
  }
}

/** The peers: each opens, starts its clock where its phase starts, and is slow. */
function peers(server, { id, key }) {
  const head = `PUT /${server.scope}/registrations/${id}/register?api-version=2019-03-31 HTTP/1.1\r\nHost: localhost\r\n`
    + `Content-Type: application/json\r\nAuthorization: ${sas.deviceToken({ scope: server.scope, id, key })}\r\n`;
  const connect = mqtt.connect({ clientId: id, username: device.username(server.scope, id), password: sas.deviceToken({ scope: server.scope, id, key }) });
  const tcp = (port) => () => openTcp({ port });
  const overHttps = () => device.openHttp(server);
  const overMqtt = () => device.openMqtt(server);
  const overWebSocket = () => websocket.connect(server);
  const overAmqp = () => amqp.openAmqp({ port: server.amqpPort, ca: server.ca });
  const letIn = Buffer.concat([amqp.HEADER.sasl, amqp.saslPlain(`${server.scope}/registrations/${id}`, sas.deviceToken({ scope: server.scope, id, key })), amqp.HEADER.amqp]);
  const body = { limit: 30000, least: 0 };
  return [
    { name: 'silent before TLS, HTTPS port', open: tcp(server.httpsPort), limit: 10000 },
    { name: 'silent before TLS, MQTT port', open: tcp(server.mqttPort), limit: 10000 },
    { name: 'a ClientHello byte by byte, HTTPS port', open: tcp(server.httpsPort), limit: 10000, slow: Buffer.concat([HELLO, Buffer.alloc(500)]) },
    { name: 'a ClientHello byte by byte, MQTT port', open: tcp(server.mqttPort), limit: 10000, slow: Buffer.concat([HELLO, Buffer.alloc(500)]) },
    { name: 'silent instead of CONNECT', open: overMqtt, limit: 5000 },
    { name: 'CONNECT byte by byte', open: overMqtt, limit: 5000, slow: connect },
    { name: 'half a CONNECT, then silent', open: overMqtt, limit: 5000, fast: connect.subarray(0, 40) },
    { name: 'silent after the change to WebSocket', open: overWebSocket, limit: 5000 },
    { name: 'CONNECT byte by byte in WebSocket', open: overWebSocket, limit: 5000, slow: websocket.binary(connect) },
    { name: 'pings in WebSocket instead of CONNECT', open: overWebSocket, limit: 5000, slow: Buffer.concat(Array(40).fill(websocket.ping(''))) },
    { name: 'half a head of a frame', open: overWebSocket, limit: 5000, fast: Buffer.from([0x82]) },
    { name: 'the opening handshake of WebSocket byte by byte', open: overHttps, limit: 10000, slow: websocket.handshake() },
    { name: 'silent before TLS, AMQP port', open: tcp(server.amqpPort), limit: 10000 },
    { name: 'silent instead of an AMQP header', open: overAmqp, limit: 5000 },
    { name: 'SASL byte by byte', open: overAmqp, limit: 5000, slow: letIn },
    { name: 'an AMQP header, and no open', open: overAmqp, limit: 5000, fast: amqp.HEADER.amqp },
    { name: 'half of SASL, then silent', open: overAmqp, limit: 5000, fast: letIn.subarray(0, 40) },
    { name: 'let in by SASL, then silent', open: overAmqp, limit: 10000, fast: letIn },
    { name: 'an AMQP open byte by byte', open: overAmqp, limit: 10000, fast: letIn, slow: amqp.open('c'.repeat(100)) },
    { name: 'an AMQP open, and no link', open: overAmqp, limit: 10000, fast: Buffer.concat([letIn, amqp.open(), amqp.begin()]) },
    { name: 'silent instead of a request', open: overHttps, limit: 10000 },
    { name: 'a request line byte by byte', open: overHttps, limit: 10000, slow: Buffer.from(head) },
    { name: 'headers, one more every now and then', open: overHttps, limit: 10000, fast: Buffer.from(head), slow: Buffer.from('X: y\r\n'.repeat(40)) },
    { name: 'a body that does not come', open: overHttps, ...body, fast: Buffer.from(`${head}Content-Length: 1000\r\n\r\n`) },
    { name: 'a body byte by byte', open: overHttps, ...body, fast: Buffer.from(`${head}Content-Length: 1000\r\n\r\n`), slow: Buffer.alloc(1000, 0x20) },
    { name: 'a chunked body byte by byte', open: overHttps, ...body, fast: Buffer.from(`${head}Transfer-Encoding: chunked\r\n\r\n3e8\r\n`), slow: Buffer.alloc(1000, 0x20) },
  ];
}

async function run(report, server, good) {
  const descriptors = server.descriptors();
  const mark = server.log.mark();
  const all = peers(server, good);
  const under = all.map(async (row) => {
    const peer = await row.open();
    const start = Date.now();
    if (row.fast) await peer.write(row.fast);
    if (row.slow) trickle(peer, row.slow);
    const took = await peer.closedBy(row.limit + LATE_MS + 2000, row.name, start).finally(() => peer.destroy());
    return took;
  });
  const served = (async () => {
    // For as long as the slow ones are there.
    for (let i = 0; i < 8; i += 1) {
      await good.check();
      await pause(1000);
    }
  })();
  served.catch(() => {});
  for (const [i, row] of all.entries()) {
    await report.check(`slow: ${row.name}: closed within ${row.limit / 1000} s`, async () => {
      const took = await under[i];
      assert.ok(took <= row.limit + LATE_MS, `closed after ${took} ms`);
      const least = row.least === undefined ? row.limit - EARLY_MS : row.least;
      assert.ok(took >= least, `closed after ${took} ms already`);
    }, 60000);
  }
  await report.check('slow: a good device is served all the while', () => served, 60000);
  await report.check('slow: each left one log line that says why', async () => {
    const lines = () => server.log.since(mark).filter(({ entry }) => entry && /timeout/.test(`${entry.error} ${entry.reason}`));
    await until(3000, `${all.length} log lines of time-outs`, () => lines().length >= all.length).catch(() => {});
    assert.strictEqual(lines().length, all.length, server.log.since(mark).map((line) => line.text).slice(0, 40).join(' | '));
  });
  await report.check('slow: no descriptor is left', () => until(5000, 'the descriptors', () => server.descriptors() <= descriptors));
}

module.exports = { run };
