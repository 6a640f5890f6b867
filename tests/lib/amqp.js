// AMQP 1.0 as bytes: just the frames that a test sends by hand.
'use strict';

const { openTls } = require('./peer');

const SASL_HEADER = Buffer.from('AMQP\x03\x01\x00\x00', 'latin1');
const HEADER = Buffer.from('AMQP\x00\x01\x00\x00', 'latin1');
const NULL = Buffer.from([0x40]);
const TRUE = Buffer.from([0x41]);
const FALSE = Buffer.from([0x42]);

function u32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A value of variable width: 0xb0 binary, 0xb1 string, 0xb3 symbol. */
function wide(code, value) {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([code]), u32(bytes.length), bytes]);
}

const binary = (value) => wide(0xb0, value);
const string = (value) => wide(0xb1, value);
const symbol = (value) => wide(0xb3, value);
const uint = (value) => Buffer.concat([Buffer.from([0x70]), u32(value)]);
const list = (...values) => wide(0xd0, Buffer.concat([u32(values.length), ...values]));
const described = (code, value) => Buffer.concat([Buffer.from([0x00, 0x53, code]), value]);

/** A frame; type 0 is AMQP, 1 SASL. */
function frame(type, body, channel = 0) {
  return Buffer.concat([u32(8 + body.length), Buffer.from([2, type, channel >> 8, channel & 255]), body]);
}

const saslInit = (mechanism, response) => frame(1, described(0x41, list(symbol(mechanism), response === undefined ? NULL : binary(response))));
const saslPlain = (user, password) => saslInit('PLAIN', `\0${user}\0${password}`);
const open = (container = 'test') => frame(0, described(0x10, list(string(container), string('localhost'))));
const begin = () => frame(0, described(0x11, list(NULL, uint(0), uint(2048), uint(2048))));

/** The peer's end receives (`receives`, from the address) or sends (to it). */
function attach(name, handle, address, receives) {
  const terminus = (code, value) => described(code, list(value === null ? NULL : string(value)));
  return frame(0, described(0x12, list(string(name), uint(handle), receives ? TRUE : FALSE, NULL, NULL,
    terminus(0x28, receives ? address : null), terminus(0x29, receives ? null : address), NULL, NULL, uint(0))));
}

function openAmqp(options) {
  return openTls({ name: 'amqp', ...options });
}

module.exports = { SASL_HEADER, HEADER, frame, saslInit, saslPlain, open, begin, attach, openAmqp };
