// WebSocket as nobody should speak it (threats A12): opening handshakes with the answer each gets, and what may come after a
// right one with the status that the connection is closed with.
'use strict';

const assert = require('assert');
const device = require('../lib/device');
const mqtt = require('../lib/mqtt');
const ws = require('../lib/websocket');
const { oneLogLine, roomFor } = require('./judge');

const { OPCODE, binary, frame } = ws;
const REPEAT = 5;

/** [name, header lines that differ, status]. */
const handshakes = [
  ['no version', { 'Sec-WebSocket-Version': undefined }, 426],
  ['version 8', { 'Sec-WebSocket-Version': '8' }, 426],
  ['version 13 twice', { 'Sec-WebSocket-Version': ['13', '13'] }, 426],
  ['version "13, 8"', { 'Sec-WebSocket-Version': '13, 8' }, 426],
  ['version 013', { 'Sec-WebSocket-Version': '013' }, 426],
  ['no key', { 'Sec-WebSocket-Key': undefined }, 400],
  ['an empty key', { 'Sec-WebSocket-Key': '' }, 400],
  ['a key of 15 bytes', { 'Sec-WebSocket-Key': Buffer.alloc(15).toString('base64') }, 400],
  ['a key of 17 bytes', { 'Sec-WebSocket-Key': Buffer.alloc(17).toString('base64') }, 400],
  ['a key that is no base64', { 'Sec-WebSocket-Key': '????????????????????????' }, 400],
  ['two keys', { 'Sec-WebSocket-Key': [ws.KEY, ws.KEY] }, 400],
  ['no subprotocol', { 'Sec-WebSocket-Protocol': undefined }, 400],
  ['an empty subprotocol', { 'Sec-WebSocket-Protocol': '' }, 400],
  ['an unknown subprotocol', { 'Sec-WebSocket-Protocol': 'soap' }, 400],
  ['a subprotocol in another case', { 'Sec-WebSocket-Protocol': 'Mqtt' }, 400],
  ['a subprotocol with more behind it', { 'Sec-WebSocket-Protocol': 'mqtt;v=3' }, 400],
  ['a subprotocol in quotes', { 'Sec-WebSocket-Protocol': '"mqtt"' }, 400],
  ['a thousand subprotocols', { 'Sec-WebSocket-Protocol': 'a,'.repeat(1000) }, 400],
];

/** [name, bytes after the handshake, status of the Close]. */
const violations = [
  ['a frame without a mask', binary('hello', { mask: null }), 1002],
  ['an empty frame without a mask', binary('', { mask: null }), 1002],
  ['a text message', frame(OPCODE.TEXT, 'hello'), 1003],
  ['reserved bit 1, as compression sets it', binary('hello', { rsv: 4 }), 1002],
  ['reserved bit 2', binary('hello', { rsv: 2 }), 1002],
  ['reserved bit 3', binary('hello', { rsv: 1 }), 1002],
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) => [`opcode ${opcode}`, frame(opcode, ''), 1002]),
  ['a continuation of nothing', frame(OPCODE.CONTINUATION, 'hello'), 1002],
  ['a message within a message', Buffer.concat([binary('', { fin: false }), binary('hello')]), 1002],
  ['a text within a message', Buffer.concat([binary('', { fin: false }), frame(OPCODE.TEXT, 'hello')]), 1003],
  ['a ping in fragments', ws.ping('hello', { fin: false }), 1002],
  ['a ping of 126 bytes', ws.ping(Buffer.alloc(126)), 1002],
  ['a pong without a mask', frame(OPCODE.PONG, '', { mask: null }), 1002],
  ['a close in fragments', ws.close(1000, '', { fin: false }), 1002],
  ['a close of one byte', frame(OPCODE.CLOSE, 'x'), 1002],
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535].map((status) => [`a close with ${status}`, ws.close(status), 1002]),
  ['a close with a reason that is no UTF-8', ws.close(1000, Buffer.from([0xff, 0xfe])), 1007],
  ['a close of 126 bytes', ws.close(1000, Buffer.alloc(124, 0x20)), 1002],
  ['a length of 5 in two bytes', binary('hello', { form: 16 }), 1002],
  ['a length of 5 in eight bytes', binary('hello', { form: 64 }), 1002],
  ['a length of 2^63', binary('', { declared: 2n ** 63n, form: 64 }), 1002],
  ['a length of 2^64 - 1', binary('', { declared: 2n ** 64n - 1n, form: 64 }), 1002],
  ['a length of 2^63 - 1', binary('', { declared: 2n ** 63n - 1n, form: 64 }), 1009],
  ['a length of 2^40, without a mask so far', binary('', { declared: 2n ** 40n, form: 64 }).subarray(0, 10), 1009],
  ['a frame of more than a MiB', binary('', { declared: 1024 * 1024 + 1, form: 64 }), 1009],
  ['eleven pings at once', Buffer.concat(Array(11).fill(ws.ping('x'))), 1008],
  ['eleven pongs at once', Buffer.concat(Array(11).fill(frame(OPCODE.PONG, ''))), 1008],
  ['MQTT without frames', mqtt.connect({ clientId: 'a', username: 'b', password: 'c' }), 1002],
  ['another HTTP request', ws.handshake(), 1002],
];

/** [name, what is in the frames]: refused by the protocol within, and the layer says goodbye. */
const within = [
  ['HTTP in frames', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ['a CONNECT that says it has 256 MB', Buffer.concat([Buffer.from([0x10]), mqtt.remaining(268435455)])],
  ['WebSocket in WebSocket', binary('hello')],
  ['a PINGREQ before CONNECT', mqtt.pingreq()],
];

async function sendHandshake(server, [name, headers, status], judged = (work) => work()) {
  const peer = await ws.open(server, { name });
  try {
    await judged(async () => {
      const got = await peer.shake({ headers });
      assert.strictEqual(got.status, status, String(got.body));
      device.checkError(got.json, status);
      if (status === 426) assert.deepStrictEqual([got.headers['sec-websocket-version'], got.headers.upgrade], ['13', 'websocket']);
      if (/subprotocol/.test(name)) assert.match(got.json.message, /spoken here: mqtt, MQTT/);
      await peer.closedBy(3000, 'after the answer');
    });
    assert.strictEqual(peer.buffer.length, 0, 'more than one answer');
  } finally {
    peer.destroy();
  }
}

/** The last frame must be a Close with this status; nothing but Pongs before it. */
async function expectClose(peer, status) {
  for (;;) {
    const got = await peer.nextFrame('a Close frame', 3000);
    if (got.opcode === OPCODE.PONG) continue;
    assert.deepStrictEqual([got.opcode, got.status], [OPCODE.CLOSE, status]);
    break;
  }
  await peer.closedBy(3000, 'after Close');
  assert.strictEqual(peer.buffer.length, 0, 'bytes after Close');
}

async function sendFrames(server, [name, bytes, status], judged = (work) => work()) {
  const peer = await ws.connect(server, { name });
  try {
    await judged(async () => {
      peer.write(bytes);
      await expectClose(peer, status);
    });
  } finally {
    peer.destroy();
  }
}

async function sendWithin(server, [name, bytes], judged = (work) => work()) {
  await sendFrames(server, [name, binary(bytes), 1000], judged);
}

/** After CONNECT and SUBSCRIBE too, a violation is one, and the session of before is gone. */
async function connected(report, server, good) {
  for (const row of violations.filter(([name]) => /mask|2\^63|text message|eleven pings/.test(name))) {
    const [name, bytes, status] = row;
    await report.check(`WebSocket, MQTT connected: ${name}: Close with ${status}, one log line`, async () => {
      const peer = await device.connectMqtt(device.overWebSocket(server), { ...good, name });
      await oneLogLine(server, async () => {
        await peer.socket.peer.write(bytes); // without a frame around it
        await peer.closedBy(3000, 'after a violation');
      });
      assert.strictEqual(peer.socket.closeStatus, status);
    });
  }
}

/** What looks like a request for WebSocket and is none, or is one at a place where there is no WebSocket. */
async function otherwise(report, server) {
  const asked = async (request) => {
    const peer = await ws.open(server);
    await peer.write(request);
    const got = await peer.response();
    peer.destroy();
    return got;
  };
  const text = ws.handshake().toString('latin1');
  const rows = {
    'HTTP/1.0': [text.replace('HTTP/1.1', 'HTTP/1.0'), [401, 404]],
    'a body': [text.replace('\r\n\r\n', '\r\nContent-Length: 2\r\n\r\nhi'), [401, 404]],
    'POST instead of GET': [text.replace('GET', 'POST').replace('\r\n\r\n', '\r\nContent-Length: 0\r\n\r\n'), [401, 404]],
    'no Connection: Upgrade': [text.replace('Connection: Upgrade\r\n', ''), [401, 404]],
  };
  for (const [what, [request, statuses]] of Object.entries(rows)) {
    await report.check(`WebSocket handshake with ${what}: an ordinary request, ${statuses.join(' or ')}`, async () => {
      const got = await asked(request);
      assert.ok(statuses.includes(got.status), `${got.status}: ${got.body}`);
      assert.ok(!('sec-websocket-accept' in got.headers));
    });
  }
  await report.check('WebSocket handshake behind another request: both answered, in their order, then frames', async () => {
    const peer = await ws.open(server);
    await peer.write(Buffer.concat([Buffer.from('GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n'), ws.handshake(), ws.ping('there?')]));
    assert.notStrictEqual((await peer.response()).status, 101);
    ws.checkSwitched(await peer.response(), 'mqtt');
    assert.strictEqual((await peer.nextFrame()).payload.toString(), 'there?');
    peer.destroy();
  });
  await report.check('WebSocket over the control socket: 404', async () => {
    const got = await server.control.request('GET', '/mqtt', undefined, {
      Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': ws.KEY, 'Sec-WebSocket-Protocol': 'mqtt',
    });
    assert.strictEqual(got.status, 404, JSON.stringify(got.json));
  });
}

async function memoryCase(report, server) {
  await report.check(`memory: all malformed WebSocket, ${REPEAT} times over, leaves resident memory where it was`, async () => {
    const once = async () => {
      for (const row of handshakes) await sendHandshake(server, row).catch(() => {});
      for (const row of violations) await sendFrames(server, row).catch(() => {});
      for (const row of within) await sendWithin(server, row).catch(() => {});
    };
    await once();
    const before = server.rss();
    for (let i = 0; i < REPEAT; i += 1) await once();
    const grown = server.rss() - before;
    assert.ok(grown < roomFor(server), `grew by ${grown} KiB from ${before} KiB`);
  }, 120000);
}

async function run(report, server, good) {
  for (const row of handshakes) {
    await report.check(`WebSocket handshake: ${row[0]}: ${row[2]}, closed, one log line`,
      () => sendHandshake(server, row, (work) => oneLogLine(server, work)));
  }
  await otherwise(report, server);
  for (const row of violations) {
    await report.check(`WebSocket: ${row[0]}: Close with ${row[2]}, closed, one log line`,
      () => sendFrames(server, row, (work) => oneLogLine(server, work)));
  }
  for (const row of within) {
    await report.check(`WebSocket: ${row[0]}: closed, one log line`, () => sendWithin(server, row, (work) => oneLogLine(server, work)));
  }
  await connected(report, server, good);
  await memoryCase(report, server);
}

module.exports = { run };
