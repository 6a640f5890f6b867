// The function, as bytes: servers that read one request at a time and hand it to whatever the last word of its path names.
'use strict';

const net = require('net');
const tls = require('tls');
const { Certificates } = require('./certificates');

const HERE = 'DNS:localhost,IP:127.0.0.1';

/** An HTTP answer whose length is right, unless `headers` say one. */
function answer(status, body = '', headers = {}) {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body);
  const all = { 'Content-Length': bytes.length, ...headers };
  const lines = Object.entries(all).filter(([, value]) => value !== undefined).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`HTTP/1.1 ${status} Scripted\r\n${lines.join('')}\r\n`), bytes]);
}

function listen(server, host, port = 0) {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve(server.address().port));
  });
}

/** One whole request at the front of `bytes`: {request, rest}, or null. */
function decode(bytes) {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const [first, ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  const headers = Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]));
  const whole = end + 4 + Number(headers['content-length'] || 0);
  if (bytes.length < whole) return null;
  const [method, target] = first.split(' ');
  const url = new URL(target, 'https://x');
  const request = { method, target, headers, name: url.pathname.split('/').pop(), query: url.search, text: bytes.toString('utf8', end + 4, whole) };
  return { request, rest: bytes.subarray(whole) };
}

class Functions {
  constructor() {
    this.ports = {};
    this.requests = []; // in order, those of all servers
    this.connections = {}; // by server, before anything is said on them
    this.behaviours = {};
    this.sockets = new Set();
  }

  /** All servers on 127.0.0.1, each on a port of its own. `behaviours`: name -> (socket, request), or bytes to answer. */
  static async start(behaviours) {
    const made = new Functions();
    made.behaviours = behaviours;
    const pki = await Certificates.make();
    made.caFile = pki.caFile;
    const good = await pki.signed('good', HERE);
    await made.serve('good', good);
    await made.serve('selfSigned', await pki.selfSigned('alone', HERE));
    await made.serve('expired', await pki.expired('expired', HERE));
    await made.serve('wrongName', await pki.signed('elsewhere', 'DNS:elsewhere.example'));
    await made.serve('oldTls', { ...good, minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: 'DEFAULT:@SECLEVEL=0' });
    await made.serveTcp('plain', (socket) => socket.once('data', () => socket.end(answer(400, 'this is http'))));
    await made.serveTcp('mute', () => {});
    await made.serveTcp('closing', (socket) => socket.destroy());
    await made.serveTcp('nobody', () => {});
    made.servers.nobody.close(); // its port is not listened on; nobody else here takes it
    return made;
  }

  get servers() {
    this.all = this.all || {};
    return this.all;
  }

  count(server, socket) {
    this.connections[server] = (this.connections[server] || 0) + 1;
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('error', () => {});
  }

  async serve(name, options, { host = '127.0.0.1', port } = {}) {
    const server = tls.createServer(options, (socket) => this.attend(name, socket));
    server.on('connection', (socket) => this.count(name, socket));
    server.on('tlsClientError', () => {});
    this.servers[name] = server;
    this.ports[name] = await listen(server, host, port);
  }

  async serveTcp(name, attend, { host = '127.0.0.1', port } = {}) {
    const server = net.createServer((socket) => { this.count(name, socket); attend(socket); });
    this.servers[name] = server;
    this.ports[name] = await listen(server, host, port);
  }

  attend(server, socket) {
    let bytes = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (data) => {
      bytes = Buffer.concat([bytes, data]);
      for (let found; (found = decode(bytes)) !== null;) {
        bytes = found.rest;
        this.obey(socket, { ...found.request, server });
      }
    });
  }

  obey(socket, request) {
    this.requests.push(request);
    const behaviour = this.behaviours[request.name];
    const does = typeof behaviour === 'function' ? behaviour(socket, request, this) : behaviour;
    if (Buffer.isBuffer(does)) socket.write(does);
    else if (behaviour === undefined) socket.write(answer(404, `no behaviour ${request.name}`));
  }

  /** The questions that named this row. */
  asked(name) {
    return this.requests.filter((request) => request.name === name);
  }

  url(name, { server = 'good', host = 'localhost', scheme = 'https' } = {}) {
    return `${scheme}://${host}:${this.ports[server]}/api/${name}?code=SECRET-of-the-function`;
  }

  stop() {
    for (const server of Object.values(this.servers)) server.close();
    for (const socket of this.sockets) socket.destroy();
  }
}

module.exports = { Functions, answer };
