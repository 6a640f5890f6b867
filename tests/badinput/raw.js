// What holds of the raw rows of http.js and mqtt.js, of the wrong protocol at a door, and of all that over and over.
'use strict';

const assert = require('assert');
const device = require('../lib/device');
const http1 = require('../lib/http1');
const mqtt = require('../lib/mqtt');
const { oneLogLine, roomFor } = require('./judge');
const { openTcp, openTls } = require('../lib/peer');

const REPEAT = 5;

/** Sends one row of http.js and asserts its answer; the connection is over then, or serves `next`. */
async function sendHttp(server, { name, bytes, expect, next }, judged = (work) => work()) {
  const peer = await device.openHttp(server, { name });
  try {
    await judged(async () => {
      peer.write(bytes);
      const got = await peer.response(4000).catch((error) => {
        if (expect.includes('close') && !peer.open && peer.buffer.length === 0) return null;
        throw error;
      });
      if (got) {
        assert.ok(expect.includes(got.status), `answered ${got.status}, wanted ${expect.join(' or ')}: ${got.body}`);
        device.checkError(got.json, got.status);
      }
      if (!next) await peer.closedBy(3000, 'after the answer');
    });
    if (next) {
      await peer.write(next);
      assert.strictEqual((await peer.response(4000)).status, 202, 'the next request');
    }
    assert.strictEqual(peer.buffer.length, 0, `more than one answer: ${peer.buffer.toString('latin1').slice(0, 100)}`);
  } finally {
    peer.destroy();
  }
}

/** Sends one row of mqtt.js in place of CONNECT. */
async function sendMqttFirst(server, { name, bytes, connack }) {
  const peer = await device.openMqtt(server, { name });
  try {
    await peer.write(bytes);
    await peer.closedBy(3000, 'after bad bytes');
    const got = peer.buffer.length > 0 ? mqtt.decode(peer.buffer) : null;
    if (got) assert.strictEqual(peer.buffer.length, got.used, 'more than one answer');
    assert.ok(got === null || got.value.type === 'CONNACK', `answered with ${got && mqtt.describe(got.value)}`);
    const code = got === null ? undefined : got.value.code;
    assert.ok(connack.includes(code), `CONNACK ${code}, wanted ${connack.join(' or ')}`);
  } finally {
    peer.destroy();
  }
}

async function sendMqttAfter(server, good, { name, bytes }, judged) {
  const peer = await device.connectMqtt(server, { ...good, name });
  try {
    await judged(async () => {
      await peer.write(bytes);
      await peer.closedBy(3000, 'after bad bytes');
    });
    assert.strictEqual(peer.buffer.length, 0, `answered with ${peer.buffer.toString('hex').slice(0, 80)}`);
  } finally {
    peer.destroy();
  }
}

async function httpCases(report, server, rows) {
  for (const row of rows) {
    const then = row.next ? 'the next request served' : 'closed';
    await report.check(`HTTP: ${row.name}: ${row.expect.join(' or ')}, ${then}, one log line`,
      () => sendHttp(server, row, (work) => oneLogLine(server, work)));
  }
}

async function mqttCases(report, server, good, rows) {
  for (const row of rows.first) {
    const wanted = row.connack.map((code) => (code === undefined ? 'no answer' : `CONNACK ${code}`)).join(' or ');
    await report.check(`MQTT: ${row.name}: ${wanted}, closed, one log line`, () => oneLogLine(server, () => sendMqttFirst(server, row)));
  }
  for (const row of rows.after) {
    await report.check(`MQTT, connected: ${row.name}: closed, one log line`, () => sendMqttAfter(server, good, row, (work) => oneLogLine(server, work)));
  }
}

/** The wrong protocol at each door, and no TLS at all. */
async function wrongDoor(report, server) {
  const plain = {
    'an HTTP request': Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'), 'an MQTT CONNECT': mqtt.connect({ clientId: 'a', username: 'b', password: 'c' }),
    'an SSH banner': Buffer.from('SSH-2.0-OpenSSH_9.2\r\n'), 'an AMQP header': Buffer.from('AMQP\x00\x01\x00\x00', 'latin1'), 'zeros': Buffer.alloc(1024),
    'SSL 2.0': Buffer.from('802e0100020015000000100100800200800300800400800500800600400700c0000000000000000000000000000000', 'hex'),
    'a TLS record of 2^16 - 1': Buffer.concat([Buffer.from('160301ffff', 'hex'), Buffer.alloc(65535)]), 'a TLS alert': Buffer.from('15030100020228', 'hex'),
  };
  for (const [name, port] of [['HTTPS', server.httpsPort], ['MQTT', server.mqttPort], ['AMQP', server.amqpPort]]) {
    for (const [what, bytes] of Object.entries(plain)) {
      await report.check(`TLS, ${name} port: ${what} without TLS: closed, one log line`, () => oneLogLine(server, async () => {
        const peer = await openTcp({ port });
        peer.write(bytes);
        await peer.closedBy(3000, what);
        assert.ok(peer.received < 64, `answered with ${peer.received} bytes`);
      }));
    }
    for (const version of ['TLSv1', 'TLSv1.1']) {
      await report.check(`TLS, ${name} port: ${version} is refused, one log line`, () => oneLogLine(server, async () => {
        const options = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' };
        await assert.rejects(openTls({ port, ca: server.ca, options }), /handshake|alert|PROTOCOL|VERSION|ECONNRESET/i);
      }));
    }
    await report.check(`TLS, ${name} port: TLS 1.2 and 1.3 are both offered`, async () => {
      for (const version of ['TLSv1.2', 'TLSv1.3']) {
        const peer = await openTls({ port, ca: server.ca, options: { minVersion: version, maxVersion: version } });
        assert.strictEqual(peer.socket.getProtocol(), version);
        assert.ok(peer.socket.authorized);
        peer.socket.end(); // the handshake must be over for the server too, or it would say that it was not
        await peer.closedBy(3000, 'a goodbye');
      }
    });
  }
  await report.check('TLS, HTTPS port: an upgrade to HTTP/2 is not taken up: one answer, in HTTP/1.1', async () => {
    // RFC 9110 7.8 lets a server ignore it; only a switch of protocols behind a proxy's back would do harm.
    const peer = await device.openHttp(server);
    const upgrade = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'];
    for (let i = 0; i < 2; i += 1) {
      await peer.write(http1.request('GET /enrollments/h2c?api-version=2021-10-01 HTTP/1.1', ['Host: localhost', ...upgrade]));
      const got = await peer.response();
      assert.strictEqual(got.status, 401, String(got.body));
      assert.ok(!('upgrade' in got.headers), 'an Upgrade header');
    }
    assert.strictEqual(peer.buffer.length, 0, 'more than one answer');
    peer.destroy();
  });
  await report.check('TLS: MQTT on the HTTPS port: 400 or closed, one log line', () => oneLogLine(server, async () => {
    const peer = await device.openHttp(server);
    await peer.write(mqtt.connect({ clientId: 'a', username: 'b', password: 'c' }));
    await peer.closedBy(3000, 'MQTT on the HTTPS port');
    if (peer.buffer.length > 0) assert.strictEqual(http1.decode(peer.buffer).value.status, 400);
  }));
}

/** All the raw rows again and again: resident memory must settle. */
async function memoryCase(report, server, rows, good) {
  await report.check(`memory: all malformed HTTP and MQTT, ${REPEAT} times over, leaves resident memory where it was`, async () => {
    const once = async () => {
      for (const row of rows.http) await sendHttp(server, row).catch(() => {});
      for (const row of rows.first) await sendMqttFirst(server, row).catch(() => {});
      for (const row of rows.after) await sendMqttAfter(server, good, row, (work) => work()).catch(() => {});
    };
    await once();
    const before = server.rss();
    for (let i = 0; i < REPEAT; i += 1) await once();
    const grown = server.rss() - before;
    assert.ok(grown < roomFor(server), `grew by ${grown} KiB from ${before} KiB`);
  }, 180000);
}

module.exports = { httpCases, mqttCases, wrongDoor, memoryCase };
