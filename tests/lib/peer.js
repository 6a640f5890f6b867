// A raw TLS (or plain TCP) peer: sends exactly the bytes it is given and hands out what comes back.
'use strict';

const net = require('net');
const tls = require('tls');
const { within } = require('./wait');

class Closed extends Error {}

class Peer {
  constructor(socket, name) {
    this.socket = socket;
    this.name = name;
    this.buffer = Buffer.alloc(0);
    this.received = 0;
    this.over = null; // how the connection ended, once it has
    this.wake = () => {};
    this.ended = new Promise((resolve) => { this.setEnded = resolve; });
    socket.on('data', (data) => {
      this.received += data.length;
      this.buffer = Buffer.concat([this.buffer, data]);
      this.wake();
    });
    socket.on('end', () => this.finish('closed by the server'));
    socket.on('error', (error) => this.finish(error.code || error.message));
    socket.on('close', () => this.finish('closed'));
  }

  finish(how) {
    if (this.over) return;
    this.over = how;
    this.overAt = Date.now();
    this.setEnded(how);
    this.wake();
  }

  /** Sends; resolves once the bytes are with the kernel, or the connection is over. */
  write(bytes) {
    return new Promise((resolve) => {
      if (this.over || this.socket.destroyed) resolve();
      else this.socket.write(bytes, () => resolve());
    });
  }

  /**
   * Waits until `parse(buffer)` returns {value, used}, and takes those bytes.
   * Throws Closed when the connection ends first.
   */
  async take(ms, what, parse) {
    const more = async () => {
      for (;;) {
        const found = parse(this.buffer);
        if (found) {
          this.buffer = this.buffer.subarray(found.used);
          return found.value;
        }
        if (this.over) {
          throw new Closed(`${this.name}: ${what}: connection over (${this.over}) with ${this.buffer.length} bytes unread`);
        }
        await new Promise((resolve) => { this.wake = resolve; });
      }
    };
    return within(ms, `${this.name}: ${what}`, more());
  }

  /** Waits until the server has closed the connection; resolves to the milliseconds since `start`. */
  async closedBy(ms, what, start = Date.now()) {
    await within(ms, `${this.name}: ${what}: still open`, this.ended);
    return this.overAt - start;
  }

  /** True when the connection stays open and silent while `work` is done. */
  get open() {
    return !this.over;
  }

  destroy() {
    this.socket.destroy();
  }
}

/** A TLS connection to `port` of this machine, once the handshake is over. */
async function openTls({ port, ca, host = 'localhost', name = 'tls', Class = Peer, options = {} }) {
  const socket = tls.connect({ host: '127.0.0.1', port, servername: host, ca, ...options });
  socket.setNoDelay(true);
  const peer = new Class(socket, name);
  const ready = new Promise((resolve, reject) => {
    socket.once('secureConnect', resolve);
    peer.ended.then((how) => reject(new Closed(`${name}: TLS handshake: ${how}`)));
  });
  try {
    await within(10000, `${name}: TLS handshake`, ready);
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return peer;
}

/** A plain TCP connection to `port` of this machine. */
async function openTcp({ port, name = 'tcp' }) {
  const socket = net.connect({ host: '127.0.0.1', port });
  socket.setNoDelay(true);
  const peer = new Peer(socket, name);
  const ready = new Promise((resolve, reject) => {
    socket.once('connect', resolve);
    peer.ended.then((how) => reject(new Closed(`${name}: connect: ${how}`)));
  });
  await within(10000, `${name}: connect`, ready);
  return peer;
}

module.exports = { Peer, Closed, openTls, openTcp };
