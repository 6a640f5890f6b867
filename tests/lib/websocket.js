// WebSocket (RFC 6455) as a client says it, frame by frame, right or wrong: the opening handshake line by line, frames with
// any bits, and two kinds of peers behind it: one that sees frames, and one that sees the bytes in them (MQTT).
'use strict';

const crypto = require('crypto');
const { EventEmitter } = require('events');
const { AmqpPeer } = require('./amqp');
const http1 = require('./http1');
const { MqttPeer } = require('./mqtt');
const { openTls } = require('./peer');

const OPCODE = { CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 };
const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='; // of RFC 6455 1.3, with its answer
const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

/** A frame. `mask`: four bytes, or null for none; `declared` lies about the length; `form` 7, 16 or 64: bits of the length. */
function frame(opcode, payload = '', { fin = true, rsv = 0, mask = crypto.randomBytes(4), declared, form } = {}) {
  const body = Buffer.from(payload);
  const length = BigInt(declared === undefined ? body.length : declared);
  const bits = form || (length < 126n ? 7 : length < 65536n ? 16 : 64);
  const wide = Buffer.alloc(8);
  wide.writeBigUInt64BE(length);
  const first = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  const short = { 7: Number(length & 0x7fn), 16: 126, 64: 127 }[bits];
  const head = Buffer.concat([
    Buffer.from([first, (mask ? 0x80 : 0) | short]), wide.subarray({ 7: 8, 16: 6, 64: 0 }[bits]), mask || Buffer.alloc(0),
  ]);
  return Buffer.concat([head, mask ? body.map((byte, i) => byte ^ mask[i % 4]) : body]);
}

const binary = (payload, more) => frame(OPCODE.BINARY, payload, more);
const ping = (payload, more) => frame(OPCODE.PING, payload, more);

/** A Close frame, with a status or without. */
function close(status, reason = '', more = {}) {
  const body = status === undefined ? '' : Buffer.concat([Buffer.from([status >> 8, status & 0xff]), Buffer.from(reason)]);
  return frame(OPCODE.CLOSE, body, more);
}

/** {value: frame, used} once `bytes` holds a whole frame of a server, else null. Throws on what a server must not send. */
function decode(bytes) {
  if (bytes.length < 2) return null;
  const [first, second] = bytes;
  if (first & 0x70) throw new Error('a frame with reserved bits');
  if (second & 0x80) throw new Error('a server sent a masked frame');
  const wide = { 126: 2, 127: 8 }[second] || 0;
  if (bytes.length < 2 + wide) return null;
  const length = wide === 0 ? second : wide === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if ((wide === 2 && length < 126) || (wide === 8 && length < 65536)) throw new Error('a length that is not in its shortest form');
  const used = 2 + wide + length;
  if (bytes.length < used) return null;
  const payload = Buffer.from(bytes.subarray(2 + wide, used));
  const made = { opcode: first & 15, fin: (first & 0x80) !== 0, payload };
  if (made.opcode === OPCODE.CLOSE && length >= 2) made.status = payload.readUInt16BE(0);
  return { value: made, used };
}

/** The header lines of a right handshake; `more` replaces or adds some, undefined leaves one out. */
function handshakeLines(more = {}) {
  const lines = {
    Host: 'localhost', Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': KEY,
    'Sec-WebSocket-Protocol': 'mqtt', ...more,
  };
  return Object.entries(lines).flatMap(([name, value]) => [].concat(value === undefined ? [] : value).map((one) => `${name}: ${one}`));
}

/** A whole request for WebSocket. */
function handshake({ path = '/$iothub/websocket', headers = {} } = {}) {
  return http1.request(`GET ${path} HTTP/1.1`, handshakeLines(headers));
}

/** Sees whole frames, in their order. */
class FramePeer extends http1.HttpPeer {
  nextFrame(what = 'a frame', ms = 5000) {
    return this.take(ms, what, decode);
  }

  /** Says the handshake and returns the answer, whatever it is. */
  async shake(request) {
    await this.write(handshake(request));
    return this.response();
  }
}

/** Fails unless the answer changes the protocol as RFC 6455 4.2.2 wants it. */
function checkSwitched(answer, subprotocol) {
  const { status, headers } = answer;
  if (status !== 101) throw new Error(`answered ${status}: ${answer.body}`);
  const wanted = {
    upgrade: 'websocket', connection: 'Upgrade', 'sec-websocket-accept': ACCEPT, 'sec-websocket-protocol': subprotocol,
  };
  for (const [name, value] of Object.entries(wanted)) {
    if (headers[name] !== value) throw new Error(`${name}: ${headers[name]}, wanted ${value}`);
  }
  for (const name of ['sec-websocket-extensions', 'content-length', 'transfer-encoding']) {
    if (name in headers) throw new Error(`${name} in the answer: ${headers[name]}`);
  }
}

/** A connection to the HTTPS port, before any request. */
function open(server, { name = 'websocket', options } = {}) {
  return openTls({ port: server.httpsPort, ca: server.ca, name, options, Class: FramePeer });
}

/** A connection that has changed to WebSocket and says nothing yet. */
async function connect(server, { subprotocol = 'mqtt', path, headers, ...more } = {}) {
  const peer = await open(server, more);
  try {
    checkSwitched(await peer.shake({ path, headers: { 'Sec-WebSocket-Protocol': subprotocol, ...headers } }), subprotocol);
  } catch (error) {
    peer.destroy();
    throw error;
  }
  return peer;
}

/** A socket for a peer of the protocol within: bytes go out in frames, and those of binary frames come in. */
class Tunnel extends EventEmitter {
  /** `cut(bytes)` gives the frames that carry them: one whole frame, unless a test wants it otherwise. */
  constructor(peer, cut = (bytes) => [binary(bytes)]) {
    super();
    Object.assign(this, { peer, cut });
    peer.wake = () => this.drain();
    process.nextTick(peer.wake); // what has come already
  }

  drain() {
    try {
      for (let found = decode(this.peer.buffer); found; found = decode(this.peer.buffer)) {
        this.peer.buffer = this.peer.buffer.subarray(found.used);
        this.take(found.value);
      }
    } catch (error) {
      this.emit('error', error);
    }
    if (this.peer.over) this.emit('end');
  }

  take({ opcode, fin, payload, status }) {
    if (opcode === OPCODE.BINARY && fin) this.emit('data', payload);
    else if (opcode === OPCODE.CLOSE) this.closeStatus = status;
    else if (opcode === OPCODE.PONG) this.pongs = (this.pongs || 0) + 1;
    else throw new Error(`a frame with opcode ${opcode}, fin ${fin}`);
  }

  get destroyed() {
    return this.peer.socket.destroyed;
  }

  write(bytes, done) {
    this.peer.write(Buffer.concat(this.cut(bytes))).then(done);
  }

  destroy() {
    this.peer.destroy();
  }
}

/** MQTT in WebSocket: an MqttPeer; `socket.closeStatus` is what the server closed with. */
async function openMqtt(server, { cut, name = 'mqtt in WebSocket', ...more } = {}) {
  return new MqttPeer(new Tunnel(await connect(server, { name, ...more }), cut), name);
}

/** AMQP in WebSocket: an AmqpPeer. */
async function openAmqp(server, { cut, name = 'amqp in WebSocket', ...more } = {}) {
  return new AmqpPeer(new Tunnel(await connect(server, { name, subprotocol: 'AMQPWSB10', ...more }), cut), name);
}

module.exports = {
  OPCODE, KEY, ACCEPT, frame, binary, ping, close, decode, handshakeLines, handshake, checkSwitched, open, connect, openMqtt, openAmqp, FramePeer, Tunnel,
};
