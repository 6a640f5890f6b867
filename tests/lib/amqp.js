// AMQP 1.0 as bytes: an encoder in which a test says every type and frame itself, a decoder that insists on what a service
// must send, and a peer. No links, no sessions: those are in amqp-device.js.
'use strict';

const { Peer, openTls } = require('./peer');

const HEADER = { sasl: Buffer.from('AMQP\x03\x01\x00\x00', 'latin1'), amqp: Buffer.from('AMQP\x00\x01\x00\x00', 'latin1') };
const CODE = {
  open: 0x10, begin: 0x11, attach: 0x12, flow: 0x13, transfer: 0x14, disposition: 0x15, detach: 0x16, end: 0x17, close: 0x18,
  error: 0x1d, received: 0x23, accepted: 0x24, rejected: 0x25, released: 0x26, modified: 0x27, source: 0x28, target: 0x29,
  mechanisms: 0x40, init: 0x41, challenge: 0x42, response: 0x43, outcome: 0x44,
  header: 0x70, properties: 0x73, applicationProperties: 0x74, data: 0x75, value: 0x77,
};
const NAME = Object.fromEntries(Object.entries(CODE).map(([name, code]) => [code, name]));

// ---- values, each from the table of AMQP 1.0 part 1, 1.6; `wide` takes the longest form where there are several

const bytes = (...values) => Buffer.from(values);
function be(size, value) {
  const made = Buffer.alloc(size);
  if (size === 8) made.writeBigUInt64BE(BigInt(value));
  else made.writeUIntBE(value, 0, size);
  return made;
}

function sized(small, large, content, wide) {
  return wide || content.length > 255 ? Buffer.concat([bytes(large), be(4, content.length), content])
    : Buffer.concat([bytes(small, content.length), content]);
}

function compound(small, large, items, wide, count = items.length) {
  const content = Buffer.concat(items);
  return wide || content.length > 254 ? Buffer.concat([bytes(large), be(4, content.length + 4), be(4, count), content])
    : Buffer.concat([bytes(small, content.length + 1, count), content]);
}

/** The encoders of a client: all the same but for how much room they take. */
function encoder({ wide = false } = {}) {
  const text = (value) => Buffer.from(value, 'utf8');
  const made = {
    nil: () => bytes(0x40),
    bool: (value) => (wide ? bytes(0x56, value ? 1 : 0) : bytes(value ? 0x41 : 0x42)),
    ubyte: (value) => bytes(0x50, value),
    ushort: (value) => Buffer.concat([bytes(0x60), be(2, value)]),
    uint: (value) => {
      if (wide || value > 255) return Buffer.concat([bytes(0x70), be(4, value)]);
      return value === 0 ? bytes(0x43) : bytes(0x52, value);
    },
    ulong: (value) => {
      if (wide || value > 255) return Buffer.concat([bytes(0x80), be(8, value)]);
      return value === 0 ? bytes(0x44) : bytes(0x53, Number(value));
    },
    uuid: (hex) => Buffer.concat([bytes(0x98), Buffer.from(hex.replace(/-/g, ''), 'hex')]),
    binary: (value) => sized(0xa0, 0xb0, Buffer.from(value), wide),
    string: (value) => sized(0xa1, 0xb1, text(value), wide),
    symbol: (value) => sized(0xa3, 0xb3, text(value), wide),
    list: (items) => (items.length === 0 && !wide ? bytes(0x45) : compound(0xc0, 0xd0, items, wide)),
    map: (pairs) => compound(0xc1, 0xd1, pairs.flat(), wide),
  };
  /** A described type: its code, and a value; `fields` of a composite may have gaps, and end early. */
  made.described = (name, value) => Buffer.concat([bytes(0x00), made.ulong(CODE[name]), value]);
  made.composite = (name, fields) => made.described(name, made.list(Array.from(fields, (field) => (field === undefined ? made.nil() : field))));
  return made;
}

/** A frame; `type` 0 AMQP, 1 SASL. */
function frame(body, { channel = 0, type = 0 } = {}) {
  return Buffer.concat([be(4, 8 + body.length), bytes(2, type), be(2, channel), body]);
}

// ---- the decoder

class Reader {
  constructor(buffer) {
    this.buffer = buffer;
    this.at = 0;
  }

  take(size) {
    if (this.at + size > this.buffer.length) throw new Error(`AMQP value cut off at byte ${this.at}`);
    this.at += size;
    return this.buffer.subarray(this.at - size, this.at);
  }

  number(size) {
    return size === 8 ? Number(this.take(8).readBigUInt64BE(0)) : this.take(size).readUIntBE(0, size);
  }

  get done() {
    return this.at === this.buffer.length;
  }

  value() {
    return this.typed(this.number(1));
  }

  typed(code) {
    switch (code) {
      case 0x00: {
        const descriptor = this.value();
        return { described: NAME[descriptor] || `descriptor ${descriptor}`, value: this.value() };
      }
      case 0x40: return null;
      case 0x41: return true;
      case 0x42: return false;
      case 0x56: return this.number(1) === 1;
      case 0x43: case 0x44: return 0;
      case 0x45: return [];
      case 0x50: case 0x52: case 0x53: return this.number(1);
      case 0x60: return this.number(2);
      case 0x70: return this.number(4);
      case 0x80: return this.number(8);
      case 0x54: return this.take(1).readInt8(0);
      case 0x71: return this.take(4).readInt32BE(0);
      case 0x98: return { uuid: this.take(16).toString('hex') };
      default: return this.variable(code);
    }
  }

  variable(code) {
    const width = (code & 0x10) ? 4 : 1;
    const content = new Reader(Buffer.from(this.take(this.number(width))));
    switch (code & 0xef) {
      case 0xa0: return content.buffer;
      case 0xa1: return content.buffer.toString('utf8');
      case 0xa3: return { symbol: content.buffer.toString('latin1') };
      case 0xc0: return content.items(content.number(width));
      case 0xc1: return content.pairs(content.number(width));
      case 0xe0: {
        const count = content.number(width);
        const type = content.number(1);
        return Array.from({ length: count }, () => content.typed(type));
      }
      default: throw new Error(`AMQP type 0x${code.toString(16)}`);
    }
  }

  items(count) {
    const made = Array.from({ length: count }, () => this.value());
    if (!this.done) throw new Error('an AMQP list longer than its items');
    return made;
  }

  /** A map as an object; the types of its keys and values are in `typed`, which does not show up in comparisons. */
  pairs(count) {
    const all = this.items(count);
    const made = {};
    const keys = [];
    for (let i = 0; i < count; i += 2) {
      keys.push(all[i]);
      made[all[i] && all[i].symbol ? all[i].symbol : all[i]] = all[i + 1];
    }
    Object.defineProperty(made, 'keys', { value: keys, enumerable: false });
    return made;
  }
}

/** {value: frame, used} once `buffer` holds a whole frame. An empty frame has no name. */
function decode(buffer) {
  if (buffer.length < 8) return null;
  const size = buffer.readUInt32BE(0);
  if (size < 8 || buffer[4] !== 2) throw new Error(`a frame of size ${size} with data offset ${buffer[4]}`);
  if (buffer.length < size) return null;
  const made = { type: buffer[5], channel: buffer.readUInt16BE(6), size };
  if (size > 8) {
    const reader = new Reader(Buffer.from(buffer.subarray(8, size)));
    const { described, value } = reader.value();
    Object.assign(made, { name: described, fields: value, payload: reader.buffer.subarray(reader.at) });
  }
  return { value: made, used: size };
}

/** The sections of a message, by name; several of one kind in a list. */
function sections(payload) {
  const reader = new Reader(payload);
  const made = {};
  while (!reader.done) {
    const { described, value } = reader.value();
    made[described] = [...(made[described] || []), value];
  }
  return made;
}

/** On TLS, or on the Tunnel of websocket.js. */
class AmqpPeer extends Peer {
  write(...pieces) {
    return super.write(Buffer.concat(pieces));
  }

  /** The protocol header, which must be this one. */
  async header(kind, ms = 5000) {
    const got = await this.take(ms, `the ${kind} header`, (buffer) => (buffer.length < 8 ? null : { value: Buffer.from(buffer.subarray(0, 8)), used: 8 }));
    if (!got.equals(HEADER[kind])) throw new Error(`${this.name}: expected the ${kind} header, got ${got.toString('hex')}`);
  }

  /** The next frame that says something; `largest`: bytes of the largest so far. */
  async next(what = 'a frame', ms = 5000) {
    for (;;) {
      const got = await this.take(ms, what, decode);
      this.largest = Math.max(this.largest || 0, got.size);
      if (got.name) return got;
    }
  }

  /** The fields of the next frame, which must be of this name. */
  async expect(name, ms = 5000) {
    const got = await this.next(name, ms);
    if (got.name !== name) throw new Error(`${this.name}: expected ${name}, got ${describe(got)}`);
    return got.fields;
  }
}

function describe({ name, fields }) {
  return `${name} ${JSON.stringify(fields, (_, value) => (value && value.type === 'Buffer' ? Buffer.from(value.data).toString('latin1') : value))}`;
}

function openAmqp(options) {
  return openTls({ name: 'amqp', ...options, Class: AmqpPeer });
}

// ---- frames for tests that only want a client to have come so far

const plainly = encoder();
const amqpFrame = (name, fields) => frame(plainly.composite(name, fields));

const saslFrame = (name, fields) => frame(plainly.composite(name, fields), { type: 1 });
const saslInit = (mechanism, response, host) => saslFrame('init', [plainly.symbol(mechanism), plainly.binary(response), host && plainly.string(host)]);
const saslPlain = (user, password) => saslInit('PLAIN', `\0${user}\0${password}`);
const saslResponse = (bytes) => saslFrame('response', [plainly.binary(bytes)]);

const open = (container = 'test') => amqpFrame('open', [plainly.string(container), plainly.string('localhost')]);
const begin = () => amqpFrame('begin', [undefined, plainly.uint(0), plainly.uint(2048), plainly.uint(2048)]);

/** A link on which the client `receives` from the address, or sends to it. */
function attach(name, handle, address, receives) {
  const at = (which, used) => plainly.composite(which, used ? [plainly.string(address)] : []);
  return amqpFrame('attach', [plainly.string(name), plainly.uint(handle), plainly.bool(receives), undefined, undefined,
    at('source', receives), at('target', !receives), undefined, undefined, plainly.uint(0)]);
}

/** A frame of a message on a link; `more` of them follow. */
function transfer(handle, id, payload, more = false) {
  const head = plainly.composite('transfer', [plainly.uint(handle), plainly.uint(id), plainly.binary(`t${id}`), plainly.uint(0), plainly.bool(false), plainly.bool(more)]);
  return frame(Buffer.concat([head, Buffer.from(payload)]));
}

module.exports = {
  HEADER, CODE, encoder, frame, decode, sections, describe, AmqpPeer, openAmqp, saslFrame, saslInit, saslPlain, saslResponse, amqpFrame, open, begin, attach,
  transfer,
};
