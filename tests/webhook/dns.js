// A name server that answers as it is told, and differently the next time if it is told so. UDP; A and AAAA, nothing else.
'use strict';

const dgram = require('dgram');

const TYPES = { 1: 'A', 28: 'AAAA' };

/** The 16 bytes of an IPv6 address or the 4 of an IPv4 one. */
function bytesOf(address) {
  if (!address.includes(':')) return Buffer.from(address.split('.').map(Number));
  const [head, tail] = address.split('::').map((part) => (part ? part.split(':') : []));
  const words = tail === undefined ? head : [...head, ...Array(8 - head.length - tail.length).fill('0'), ...tail];
  return Buffer.from(words.flatMap((word) => [parseInt(word, 16) >> 8, parseInt(word, 16) & 255]));
}

class NameServer {
  /** `answers`: name -> (type, how often it was asked before) -> addresses. */
  constructor(answers) {
    this.answers = answers;
    this.asked = {};
    this.socket = dgram.createSocket('udp4');
    this.socket.on('message', (message, from) => this.socket.send(this.answer(message), from.port, from.address));
  }

  start() {
    return new Promise((resolve) => { this.socket.bind(53, '127.0.0.1', resolve); });
  }

  answer(message) {
    const labels = [];
    let at = 12;
    for (; message[at] !== 0; at += message[at] + 1) labels.push(message.toString('latin1', at + 1, at + 1 + message[at]));
    const name = labels.join('.').toLowerCase();
    const type = TYPES[message.readUInt16BE(at + 1)];
    const question = message.subarray(12, at + 5);
    const known = this.answers[name];
    const count = this.asked[`${name} ${type}`] || 0;
    this.asked[`${name} ${type}`] = count + 1;
    const addresses = known && type ? known(type, count) : [];
    const head = Buffer.alloc(12);
    message.copy(head, 0, 0, 2);
    head.writeUInt16BE(known ? 0x8580 : 0x8583, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(addresses.length, 6);
    const records = addresses.map((address) => {
      const data = bytesOf(address);
      const record = Buffer.from([0xc0, 12, 0, type === 'A' ? 1 : 28, 0, 1, 0, 0, 0, 0, 0, data.length]);
      return Buffer.concat([record, data]);
    });
    return Buffer.concat([head, question, ...records]);
  }
}

module.exports = { NameServer };
