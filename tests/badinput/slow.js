// Peers that are slow in every phase, all at once, each closed by the deadline of its phase; meanwhile a good device is
// served. Then those that do not read, and those that do not close.
'use strict';

const assert = require('assert');
const net = require('net');
const amqp = require('../lib/amqp');
const device = require('../lib/device');
const http1 = require('../lib/http1');
const mqtt = require('../lib/mqtt');
const { API } = require('../lib/control');
const { openDevice, plain } = require('../lib/amqp-device');
const { enter, enrolTpm, phases } = require('../lib/phases');
const { oneLogLine } = require('./judge');
const { pause, until } = require('../lib/wait');

const LATE_MS = 1500; // a deadline may be noticed this much later
const EARLY_MS = 1000; // and a peer that still has time must not be closed
const TRICKLE_MS = 250;
const CLOSING_MS = 5000; // for the last bytes, and the peer's FIN
const UNREAD_MAX = 128 * 1024 * 1024; // far more than all buffers between us

async function eachPhase(report, server, good) {
  const rows = phases(server, good, await enrolTpm(server, 'slow-tpm'));
  const mark = server.log.mark();
  const before = server.rss();
  const under = rows.map(async (row) => {
    const { peer, start } = await enter(row, TRICKLE_MS);
    return peer.closedBy(row.limit + LATE_MS + 2000, row.name, start).finally(() => peer.destroy());
  });
  under.forEach((one) => one.catch(() => {}));
  const served = (async () => {
    // For as long as most of the slow ones are there.
    for (let i = 0; i < 25; i += 1) {
      await good.check();
      await pause(1000);
    }
  })();
  served.catch(() => {});
  for (const [i, row] of rows.entries()) {
    await report.check(`slow: ${row.name}: closed within ${row.limit / 1000} s`, async () => {
      const took = await under[i];
      assert.ok(took <= row.limit + LATE_MS, `closed after ${took} ms`);
      const least = row.least === undefined ? row.limit - EARLY_MS : row.least;
      assert.ok(took >= least, `closed after ${took} ms already`);
    }, 90000);
  }
  await report.check('slow: a good device is served all the while', () => served, 60000);
  await report.check('slow: each left one log line that says why', async () => {
    const lines = () => server.log.since(mark).filter(({ entry }) => entry && /timeout/.test(`${entry.error} ${entry.reason}`));
    await until(3000, `${rows.length} log lines of time-outs`, () => lines().length >= rows.length).catch(() => {});
    assert.strictEqual(lines().length, rows.length, server.log.since(mark).map((line) => line.text).slice(0, 60).join(' | '));
    const vague = lines().filter(({ entry }) => !/^waited \d+ ms for .+/.test(entry.reason));
    assert.deepStrictEqual(vague, [], 'lines that do not say what was waited for');
  });
  await report.check('slow: memory is back afterwards', () => {
    const grown = server.rss() - before;
    // caches that are filled once (sessions of TLS, heap), and what a sanitizer adds
    assert.ok(grown < (server.sanitized() ? 64 * 1024 : 4 * 1024), `grew by ${grown} KiB`);
  });
}

/** [what, a peer that is let in, what it says again and again without ever reading an answer]. */
function deaf(server, good, ownerToken) {
  const { id, key } = good;
  const linked = async () => {
    const one = await openDevice(server, {}, { id });
    await one.authenticate('PLAIN', plain({ scope: server.scope, id, token: good.freshToken() }));
    await one.connect();
    return one.peer;
  };
  const e = amqp.encoder();
  const link = Buffer.concat([amqp.attach('again', 5, `${server.scope}/registrations/${id}`, false), amqp.amqpFrame('detach', [e.uint(5), e.bool(true)])]);
  const read = http1.request(`GET /enrollments/${id}?${API} HTTP/1.1`, ['Host: localhost', `Authorization: ${ownerToken()}`]);
  return [
    ['pings over MQTT', () => device.connectMqtt(server, { id, key }), mqtt.pingreq()],
    ['pings over MQTT in WebSocket', () => device.connectMqtt(device.overWebSocket(server), { id, key }), mqtt.pingreq()],
    ['links that come and go over AMQP', linked, link],
    ['requests over HTTPS', () => device.openHttp(server), read],
  ];
}

async function deafOnes(report, server, good, ownerToken) {
  for (const [what, open, said] of deaf(server, good, ownerToken)) {
    await report.check(`slow: ${what}, and no answer is ever read: closed, one log line, no memory`, async () => {
      const before = server.rss();
      const peer = await open();
      const lot = Buffer.concat(Array(Math.ceil(65536 / said.length)).fill(said));
      (peer.socket.peer || peer).socket.pause();
      await oneLogLine(server, async () => {
        let sent = 0;
        while (peer.open && !peer.socket.destroyed && sent < UNREAD_MAX) {
          await Promise.race([peer.write(lot), peer.ended]);
          sent += lot.length;
        }
        assert.ok(sent < UNREAD_MAX, `still taken after ${sent} bytes`);
      });
      peer.destroy();
      const grown = server.rss() - before;
      assert.ok(grown < (server.sanitized() ? 64 * 1024 : 4 * 1024), `grew by ${grown} KiB`);
    }, 90000);
  }
}

/** The service has said what it had to say, and FIN; the peer goes on for ever. */
async function neverCloses(report, server) {
  for (const [door, port] of [['HTTPS', server.httpsPort], ['MQTT', server.mqttPort], ['AMQP', server.amqpPort]]) {
    await report.check(`slow: a close is not answered, ${door} port: the connection is gone within ${CLOSING_MS / 1000} s`, async () => {
      const socket = net.connect({ host: '127.0.0.1', port, allowHalfOpen: true });
      socket.setNoDelay(true);
      socket.resume();
      const gone = new Promise((resolve) => { socket.on('error', () => resolve(Date.now())); socket.on('close', () => resolve(Date.now())); });
      await new Promise((resolve) => { socket.once('connect', resolve); });
      socket.write('not TLS at all\r\n\r\n');
      await until(3000, 'the FIN', () => socket.readableEnded);
      const start = Date.now();
      let over;
      gone.then((at) => { over = at; });
      while (over === undefined && Date.now() - start < CLOSING_MS + 2 * LATE_MS) {
        socket.write('x');
        await pause(TRICKLE_MS);
      }
      socket.destroy();
      assert.ok(over !== undefined, `still there after ${Date.now() - start} ms`);
      assert.ok(over - start <= CLOSING_MS + LATE_MS, `gone after ${over - start} ms`);
    });
  }
}

async function run(report, server, good, ownerToken) {
  const descriptors = server.descriptors();
  await eachPhase(report, server, good);
  await neverCloses(report, server);
  await deafOnes(report, server, good, ownerToken);
  await report.check('slow: no descriptor is left', () => until(5000, 'the descriptors', () => server.descriptors() <= descriptors));
}

module.exports = { run };
