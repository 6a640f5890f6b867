// A software TPM for one test: swtpm in a scratch folder, and a bridge to it for clients that speak the protocol of
// Microsoft's simulator (as npm's tss.js does). Not a TPM client: the tests bring the SDK's, or `usher device`.
'use strict';

const fs = require('fs');
const net = require('net');
const children = require('./children');
const { scratch } = require('./usherd');
const { Timeout, pause, within } = require('./wait');

const HOST = '127.0.0.1';
const READY_MS = 10000;
const COMMAND_MS = 30000; // a primary RSA key takes its time under load
const GET_RANDOM = Buffer.from('80010000000c0000017b0008', 'hex');
const LARGEST = 4096; // TPM_PT_MAX_COMMAND_SIZE and its answer

/** The simulator's commands that are more than a signal (TpmTcpProtocol.h); every other one is answered with u32 0. */
const SIMULATOR = { SEND: 8, HANDSHAKE: 15, END: 20 };

function u32(...values) {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, i) => bytes.writeUInt32BE(value, 4 * i));
  return bytes;
}

function listen(server, port) {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, HOST, () => { server.removeListener('error', reject); resolve(server.address().port); });
  });
}

const close = (server) => new Promise((resolve) => { server.close(resolve); });

/** Two listeners on neighbouring ports, as both swtpm's clients and the simulator's expect them: the first port. */
async function listenPair(first, second) {
  for (let tries = 0; tries < 50; tries += 1) {
    const port = await listen(first, 0);
    try {
      await listen(second, port + 1);
      return port;
    } catch {
      await close(first);
    }
  }
  throw new Error(`no two neighbouring ports of ${HOST} are free`);
}

async function freePair() {
  const servers = [net.createServer(), net.createServer()];
  const port = await listenPair(...servers);
  await Promise.all(servers.map(close));
  return port;
}

/** One command and its answer, on a connection of its own: swtpm serves one at a time, so that nobody may keep it. */
function exchange(port, command) {
  const answer = new Promise((resolve, reject) => {
    const socket = net.connect({ host: HOST, port }, () => socket.write(command));
    let got = Buffer.alloc(0);
    socket.on('data', (data) => {
      got = Buffer.concat([got, data]);
      if (got.length >= 6 && got.length >= got.readUInt32BE(2)) socket.end(() => resolve(got));
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('swtpm closed the connection without an answer')));
  });
  return within(COMMAND_MS, 'swtpm', answer);
}

/** What a client of the simulator's command port has sent so far: {used, command} or {used, reply}, or null for more. */
function understand(bytes) {
  if (bytes.length < 4) return null;
  const what = bytes.readUInt32BE(0);
  if (what === SIMULATOR.HANDSHAKE) return bytes.length < 8 ? null : { used: 8, reply: u32(1, 0, 0) };
  if (what === SIMULATOR.END) return { used: 4, end: true };
  if (what !== SIMULATOR.SEND) return { used: 4, reply: u32(0) };
  if (bytes.length < 9) return null;
  const length = bytes.readUInt32BE(5);
  if (length > LARGEST) throw new Error(`a TPM command of ${length} bytes`);
  return bytes.length < 9 + length ? null : { used: 9 + length, command: bytes.subarray(9, 9 + length) };
}

class Swtpm {
  constructor(child, port) {
    Object.assign(this, { child, port, sockets: new Set(), servers: [], last: Promise.resolve() });
    this.tcti = `swtpm:host=${HOST},port=${port}`;
  }

  /** A TPM as it comes from the factory: no owner, no persistent keys; or what `dir` has (see TpmMaker). */
  static async start({ dir = scratch() } = {}) {
    for (let tries = 0; ; tries += 1) {
      const port = await freePair();
      const child = children.start('swtpm', ['socket', '--tpm2', '--tpmstate', `dir=${dir}`, '--flags', 'not-need-init,startup-clear',
        '--server', `type=tcp,port=${port},bindaddr=${HOST}`, '--ctrl', `type=tcp,port=${port + 1},bindaddr=${HOST}`,
        '--log', `file=${dir}/log`]);
      const tpm = new Swtpm(child, port);
      try {
        await tpm.ready();
        tpm.bridgePort = await tpm.openBridge();
        return tpm;
      } catch (error) {
        await children.stop(child);
        // Somebody else may have taken the ports between asking for them and using them.
        if (tries === 3 || error instanceof Timeout) throw new Error(`swtpm: ${error.message}: ${tail(`${dir}/log`)}`);
      }
    }
  }

  async ready() {
    let ended;
    this.child.done.then(({ code, signal, error }) => { ended = error || new Error(`ended with code ${code}, signal ${signal}`); });
    const answers = async () => {
      while (!ended) {
        const got = await exchange(this.port, GET_RANDOM).catch(() => null);
        if (got && got.readUInt32BE(6) === 0) return;
        await pause(10);
      }
      throw ended;
    };
    await within(READY_MS, 'swtpm to be ready', answers());
  }

  /** One TPM command after the other, whoever asks. */
  command(bytes) {
    const answer = this.last.then(() => exchange(this.port, bytes));
    this.last = answer.catch(() => {});
    return answer;
  }

  openBridge() {
    const commands = net.createServer((socket) => this.keep(socket, (bytes) => this.serve(socket, bytes)));
    const platform = net.createServer((socket) => this.keep(socket, (bytes) => {
      for (let at = 0; at + 4 <= bytes.length; at += 4) socket.write(u32(0));
      return bytes.subarray(bytes.length - (bytes.length % 4));
    }));
    this.servers = [commands, platform];
    return listenPair(commands, platform);
  }

  /** Gathers what a client sends; `take` answers what is whole, in order, and returns the rest. */
  keep(socket, take) {
    this.sockets.add(socket);
    let rest = Buffer.alloc(0);
    let turn = Promise.resolve();
    socket.on('data', (data) => {
      turn = turn.then(async () => { rest = await take(Buffer.concat([rest, data])); }).catch(() => socket.destroy());
    });
    socket.on('error', () => {});
    socket.on('close', () => this.sockets.delete(socket));
  }

  async serve(socket, bytes) {
    let rest = bytes;
    for (let one = understand(rest); one; one = understand(rest)) {
      rest = rest.subarray(one.used);
      if (one.end) socket.end();
      if (one.reply) socket.write(one.reply);
      if (one.command) {
        const answer = await this.command(one.command);
        socket.write(Buffer.concat([u32(answer.length), answer, u32(0)]));
      }
    }
    return rest;
  }

  async stop() {
    for (const socket of this.sockets) socket.destroy();
    await Promise.all(this.servers.map(close));
    await children.stop(this.child);
  }
}

function tail(file) {
  try {
    return fs.readFileSync(file, 'utf8').trim().split('\n').slice(-3).join(' | ');
  } catch {
    return 'no log';
  }
}

module.exports = { Swtpm };
