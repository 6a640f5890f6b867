// MQTT 3.1.1 as bytes: an encoder that can also make what no client should send, a decoder that insists on what a
// server must send, and a peer over TLS. No session logic: a test says each packet itself.
'use strict';

const { Peer, openTls } = require('./peer');

const TYPE = {
  CONNECT: 1, CONNACK: 2, PUBLISH: 3, PUBACK: 4, PUBREC: 5, PUBREL: 6, PUBCOMP: 7, SUBSCRIBE: 8, SUBACK: 9,
  UNSUBSCRIBE: 10, UNSUBACK: 11, PINGREQ: 12, PINGRESP: 13, DISCONNECT: 14,
};
const NAME = Object.fromEntries(Object.entries(TYPE).map(([name, type]) => [type, name]));

function u16(value) {
  return Buffer.from([(value >> 8) & 0xff, value & 0xff]);
}

/** A length-prefixed string; a Buffer goes in as it is. */
function text(value) {
  const bytes = Buffer.isBuffer(value) ? value : Buffer.from(value, 'utf8');
  return Buffer.concat([u16(bytes.length), bytes]);
}

/** The variable-length integer of MQTT 2.2.3. */
function remaining(length) {
  const bytes = [];
  let left = length;
  do {
    const low = left % 128;
    left = Math.floor(left / 128);
    bytes.push(left > 0 ? low | 0x80 : low);
  } while (left > 0);
  return Buffer.from(bytes);
}

/** Any packet from its type, flags and body; `declared` lies about the length. */
function packet(type, flags, body, declared = body.length) {
  return Buffer.concat([Buffer.from([(type << 4) | flags]), remaining(declared), body]);
}

function connect({ clientId, username, password, clean = true, keepalive = 0, protocol = 'MQTT', level = 4, flags }) {
  let bits = clean ? 0x02 : 0;
  if (username !== undefined) bits |= 0x80;
  if (password !== undefined) bits |= 0x40;
  const parts = [text(protocol), Buffer.from([level, flags === undefined ? bits : flags]), u16(keepalive), text(clientId)];
  if (username !== undefined) parts.push(text(username));
  if (password !== undefined) parts.push(text(password));
  return packet(TYPE.CONNECT, 0, Buffer.concat(parts));
}

function subscribe(id, filters, flags = 2) {
  const parts = [u16(id)];
  for (const { topic, qos } of filters) parts.push(text(topic), Buffer.from([qos]));
  return packet(TYPE.SUBSCRIBE, flags, Buffer.concat(parts));
}

function unsubscribe(id, topics) {
  return packet(TYPE.UNSUBSCRIBE, 2, Buffer.concat([u16(id), ...topics.map(text)]));
}

function publish({ topic, payload = '', qos = 0, id = 0, dup = false, retain = false }) {
  const body = Buffer.isBuffer(payload) ? payload : Buffer.from(payload, 'utf8');
  const flags = (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0);
  return packet(TYPE.PUBLISH, flags, Buffer.concat([text(topic), qos > 0 ? u16(id) : Buffer.alloc(0), body]));
}

function puback(id) {
  return packet(TYPE.PUBACK, 0, u16(id));
}

const pingreq = () => packet(TYPE.PINGREQ, 0, Buffer.alloc(0));
const disconnect = () => packet(TYPE.DISCONNECT, 0, Buffer.alloc(0));

/** {value: packet, used} once `bytes` holds a whole packet, else null. Throws on what a server must not send. */
function decode(bytes) {
  let length = 0;
  let at = 1;
  for (;; at += 1) {
    if (at >= bytes.length) return null;
    if (at > 4) throw new Error('remaining length of more than four bytes');
    length += (bytes[at] & 0x7f) * 128 ** (at - 1);
    if (!(bytes[at] & 0x80)) break;
  }
  const from = at + 1;
  if (bytes.length < from + length) return null;
  const body = bytes.subarray(from, from + length);
  return { value: understand(bytes[0] >> 4, bytes[0] & 15, body), used: from + length };
}

function understand(type, flags, body) {
  const made = { type: NAME[type] || `type ${type}`, flags };
  const exactly = (n) => { if (body.length !== n) throw new Error(`${made.type} of ${body.length} bytes`); };
  if (type !== TYPE.PUBLISH && flags !== 0) throw new Error(`${made.type} with flags ${flags}`);
  switch (type) {
    case TYPE.CONNACK:
      exactly(2);
      return { ...made, sessionPresent: body[0], code: body[1] };
    case TYPE.PUBACK: case TYPE.UNSUBACK:
      exactly(2);
      return { ...made, id: body.readUInt16BE(0) };
    case TYPE.SUBACK:
      return { ...made, id: body.readUInt16BE(0), granted: [...body.subarray(2)] };
    case TYPE.PINGRESP:
      exactly(0);
      return made;
    case TYPE.PUBLISH: {
      const topicEnd = 2 + body.readUInt16BE(0);
      const qos = (flags >> 1) & 3;
      const payloadAt = topicEnd + (qos > 0 ? 2 : 0);
      if (payloadAt > body.length) throw new Error('PUBLISH shorter than its topic');
      return {
        ...made, qos, dup: (flags & 8) !== 0, retain: (flags & 1) !== 0,
        topic: body.toString('utf8', 2, topicEnd),
        id: qos > 0 ? body.readUInt16BE(topicEnd) : 0,
        payload: Buffer.from(body.subarray(payloadAt)),
      };
    }
    default:
      throw new Error(`a server sent ${made.type}`);
  }
}

class MqttPeer extends Peer {
  /** The next packet, whatever it is. */
  next(what = 'a packet', ms = 5000) {
    return this.take(ms, what, decode);
  }

  /** The next packet, which must be of this type. */
  async expect(type, ms = 5000) {
    const got = await this.next(type, ms);
    if (got.type !== type) throw new Error(`${this.name}: expected ${type}, got ${describe(got)}`);
    return got;
  }
}

function describe(got) {
  const { payload, ...rest } = got;
  return JSON.stringify(payload ? { ...rest, payload: payload.toString('utf8') } : rest);
}

function openMqtt(options) {
  return openTls({ name: 'mqtt', ...options, Class: MqttPeer });
}

module.exports = {
  TYPE, u16, text, remaining, packet, connect, subscribe, unsubscribe, publish, puback, pingreq, disconnect, decode, describe,
  MqttPeer, openMqtt,
};
