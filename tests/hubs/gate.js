// What stands before a hub: passes calls on, or is as bad as networks, gateways and operators can be. The hub behind it stays well,
// so that a test can look there meanwhile.
'use strict';

const crypto = require('crypto');
const fs = require('fs');
const https = require('https');
const net = require('net');
const path = require('path');
const children = require('../lib/children');
const sas = require('../lib/sas');
const usherd = require('../lib/usherd');
const { pause } = require('../lib/wait');

const SLOW_MS = 600; // each answer; a registration takes several calls
const RETRY_AFTER_S = 2;
const POLICY = 'iothubowner';
const ANSWERS = {
  throttled: { status: 429, headers: { 'Retry-After': String(RETRY_AFTER_S) }, code: 'ThrottlingException' },
  broken: { status: 500, headers: {}, code: 'ServerError' },
  overloaded: { status: 503, headers: {}, code: 'ServiceUnavailable' },
};

function certificateOf(dir) {
  return { cert: fs.readFileSync(path.join(dir, 'server.pem')), key: fs.readFileSync(path.join(dir, 'server.key')) };
}

class Gate {
  /** Before `far` (lib/far-hub.js), with its certificate; `stranger`: a folder with one that is not trusted. */
  static async open(far, stranger) {
    const gate = new Gate();
    const serve = (request, response) => gate.serve(request, response).catch(() => response.destroy());
    Object.assign(gate, { far, mode: 'well', sockets: new Set(), calls: 0, port: 0 });
    gate.accepted = [far.policies[POLICY].primaryKey, far.policies[POLICY].secondaryKey];
    gate.agent = new https.Agent({ keepAlive: true, ca: far.server.ca });
    gate.trusted = https.createServer(certificateOf(far.server.dir), serve);
    gate.strange = https.createServer(certificateOf(stranger), serve);
    await gate.listen();
    gate.host = `localhost:${gate.port}`;
    children.onExit(() => gate.agent.destroy());
    return gate;
  }

  async listen() {
    this.front = net.createServer((socket) => this.taken(socket));
    await new Promise((resolve, reject) => this.front.once('error', reject).listen(this.port, '127.0.0.1', resolve));
    this.front.unref();
    this.port = this.front.address().port;
  }

  taken(socket) {
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('error', () => {});
    if (this.mode === 'silent') return; // a connection that nobody reads
    (this.mode === 'strange' ? this.strange : this.trusted).emit('connection', socket);
  }

  /** well, down, silent, slow, throttled, broken, overloaded, strange (its certificate), undeletable. */
  async be(mode) {
    const was = this.mode;
    this.mode = mode;
    this.calls = 0;
    for (const socket of this.sockets) socket.destroy();
    if (mode === 'down' && was !== 'down') await new Promise((resolve) => this.front.close(resolve));
    if (was === 'down' && mode !== 'down') await this.listen();
  }

  /** While `body` runs; then well again, whatever happened. */
  async while(mode, body) {
    await this.be(mode);
    try {
      return await body();
    } finally {
      await this.be('well');
    }
  }

  /** Whether a call shows one of the keys that are good now. */
  lets(authorization) {
    const found = /^SharedAccessSignature (.*)$/.exec(authorization || '');
    if (!found) return false;
    const { sr, sig, se, skn } = Object.fromEntries(new URLSearchParams(found[1]));
    const raw = /sr=([^&]*)/.exec(found[1])[1];
    return skn === POLICY && Boolean(sr) && this.accepted.some((key) => [raw, sr].some((text) => sas.signature(text, se, key) === sig));
  }

  async serve(request, response) {
    const { mode } = this;
    this.calls += 1;
    const parts = [];
    for await (const part of request) parts.push(part);
    const refuse = ({ status, headers = {}, code }) => {
      response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8', 'iothub-errorcode': code, ...headers });
      response.end(JSON.stringify({ Message: `ErrorCode:${code};${code === 'IotHubUnauthorizedAccess' ? 'Unauthorized' : 'not now'}`, ExceptionMessage: `Tracking ID:${crypto.randomUUID()}` }));
    };
    if (ANSWERS[mode]) return refuse(ANSWERS[mode]);
    if (mode === 'undeletable' && request.method === 'DELETE') return refuse(ANSWERS.overloaded);
    if (!this.lets(request.headers.authorization)) return refuse({ status: 401, code: 'IotHubUnauthorizedAccess' });
    if (mode === 'slow') await pause(SLOW_MS);
    return this.pass(request, Buffer.concat(parts), response);
  }

  pass(request, body, response) {
    const { far } = this;
    const { connection, 'transfer-encoding': encoding, ...headers } = request.headers;
    headers.host = far.host;
    headers['content-length'] = body.length;
    headers.authorization = sas.policyToken({ host: far.host, policy: POLICY, key: far.policies[POLICY].primaryKey });
    const onward = https.request({ host: '127.0.0.1', servername: 'localhost', port: far.server.httpsPort, agent: this.agent, method: request.method, path: request.url, headers });
    onward.on('response', (answer) => {
      const { connection: end, ...passed } = answer.headers;
      response.writeHead(answer.statusCode, passed);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    onward.end(body);
  }

  close() {
    for (const socket of this.sockets) socket.destroy();
    this.agent.destroy();
    if (this.mode !== 'down') this.front.close();
  }
}

module.exports = { Gate, POLICY, RETRY_AFTER_S };
