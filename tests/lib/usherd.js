// Starts `usherd --dev` in a scratch folder on ports that were free, waits for `ready`, keeps its log, stops it.
// What a test needs to know (scope, ports, hub) is asked over the control socket, as an operator would.
'use strict';

const fs = require('fs');
const os = require('os');
const path = require('path');
const children = require('./children');
const { Control } = require('./control');
const { within, until } = require('./wait');

/** Where SDKs look when nobody tells them otherwise: to be had in a network namespace only. */
const USUAL_PORTS = { httpsPort: 443, mqttPort: 8883, amqpPort: 5671 };
const ROOT = path.resolve(__dirname, '..', '..');

/** The path of a program of the build: in the folder that script/test names, else in build/. */
function program(name) {
  const found = path.join(process.env.USHER_BUILD || path.join(ROOT, 'build'), name);
  if (!fs.existsSync(found)) throw new Error(`${found} is not there: run script/build, or set USHER_BUILD`);
  return found;
}

/** The JSON lines that usherd writes on stderr. */
class Log {
  constructor() {
    this.lines = []; // every whole line, in order: {text, entry} with entry undefined when it is not JSON
    this.rest = '';
  }

  feed(data) {
    const pieces = (this.rest + data.toString('utf8')).split('\n');
    this.rest = pieces.pop();
    for (const text of pieces) {
      let entry;
      try { entry = JSON.parse(text); } catch { /* stays undefined */ }
      this.lines.push({ text, entry });
    }
  }

  mark() {
    return this.lines.length;
  }

  since(mark) {
    return this.lines.slice(mark);
  }

  /** Waits for a line after `mark` that contains `piece`. */
  async waitFor(piece, { mark = 0, ms = 5000 } = {}) {
    return until(ms, `a log line with ${piece}`, () => this.since(mark).find((line) => line.text.includes(piece)));
  }
}

class Usherd {
  constructor(child, dir, out) {
    this.child = child;
    this.pid = child.pid;
    this.dir = dir;
    this.out = out; // what it printed on stdout, line by line
    this.log = new Log();
    this.socket = path.join(dir, 'control.sock');
    this.control = new Control(this.socket);
    this.service = 'dev';
  }

  /** Learns scope, ports and hub. */
  async learn() {
    this.ca = fs.readFileSync(path.join(this.dir, 'ca.pem'), 'utf8');
    this.caFile = path.join(this.dir, 'ca.pem');
    const status = await this.control.must('GET', '/control/status');
    const port = (protocol) => {
      const found = status.listeners.find((listener) => listener.protocol === protocol);
      if (!found) throw new Error(`no ${protocol} listener in ${JSON.stringify(status)}`);
      return found.port;
    };
    this.httpsPort = port('https');
    this.mqttPort = port('mqtt');
    this.amqpPort = port('amqp');
    const settings = await this.control.must('GET', `/control/services/${this.service}`);
    this.scope = settings.idScope;
    this.hubs = settings.iotHubs.map((hub) => hub.name);
    [this.hub] = this.hubs;
  }

  /** What learn() asks, from {scope, hubs, ca} and what it printed. */
  knows(known) {
    Object.assign(this, known);
    const port = (door) => Number(new RegExp(`provisioning host, ${door}\\s.*:(\\d+)`).exec(this.out.join('\n'))[1]);
    this.httpsPort = port('HTTPS');
    this.mqttPort = port('MQTT');
    this.amqpPort = port('AMQP');
  }

  /** Resident memory in KiB. */
  rss() {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(fs.readFileSync(`/proc/${this.pid}/status`, 'utf8'))[1]);
  }

  /** Address space in KiB: shows a large allocation even before it is touched. */
  addressSpace() {
    return Number(/^VmSize:\s+(\d+) kB/m.exec(fs.readFileSync(`/proc/${this.pid}/status`, 'utf8'))[1]);
  }

  descriptors() {
    return fs.readdirSync(`/proc/${this.pid}/fd`).length;
  }

  /** True for a build with AddressSanitizer, whose memory use says nothing. */
  sanitized() {
    return fs.readFileSync(program('usherd')).includes('__asan_init');
  }

  get running() {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Asks it to stop; resolves to {code, signal}. */
  stop(ms = 10000) {
    return children.stop(this.child, ms);
  }
}

/** A scratch folder that goes when this process ends, unless USHER_TEST_KEEP is set. */
function scratch() {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'usher-test-'));
  children.onExit(() => { if (!process.env.USHER_TEST_KEEP) fs.rmSync(dir, { recursive: true, force: true }); });
  return dir;
}

/** The process that runs the program when `child` is another one, such as strace, that started it; else the child. */
function innermost(pid) {
  const [inner] = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  return inner ? innermost(Number(inner)) : pid;
}

/**
 * Starts usherd --dev and waits for `ready`. `under` is a program to run it under, with its arguments (strace …).
 * `onStart(server)` is called at once, so that a caller can follow a server that never becomes ready. `known` is what
 * learn() would ask it, for a caller that knows; the ports are then read from what it prints. `logFile` is where the
 * log goes, instead of into `server.log`: for a caller that measures, and would only disturb by reading it.
 */
async function start({ args = [], dir = scratch(), httpsPort = 0, mqttPort = 0, amqpPort = 0, env = {}, under = [], onStart, known, logFile } = {}) {
  const command = [...under, program('usherd'), '--dev', '--dir', dir, '--https-port', String(httpsPort),
    '--mqtt-port', String(mqttPort), '--amqp-port', String(amqpPort), ...args];
  const logTo = logFile ? fs.openSync(logFile, 'a') : 'pipe';
  const child = children.start(command[0], command.slice(1), { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', logTo] });
  if (logFile) fs.closeSync(logTo);
  const out = [];
  const server = new Usherd(child, dir, out);
  if (onStart) onStart(server);
  if (child.stderr) child.stderr.on('data', (data) => server.log.feed(data));
  let rest = '';
  const ready = new Promise((resolve, reject) => {
    child.stdout.on('data', (data) => {
      const lines = (rest + data).split('\n');
      rest = lines.pop();
      out.push(...lines);
      if (lines.includes('ready')) resolve();
    });
    child.done.then(({ code, signal, error }) => {
      const last = server.log.lines.slice(-3).map((line) => line.text).join(' | ');
      reject(new Error(`usherd ended before it was ready (${error ? error.message : `code ${code}, signal ${signal}`}): ${last}`));
    });
  });
  await within(20000, 'usherd to be ready', ready);
  if (under.length > 0) server.pid = innermost(child.pid);
  if (known) server.knows(known);
  else await server.learn();
  return server;
}

/** What every suite asserts of a server once it is done with it: stops in order, said nothing that is not a log line. */
async function checkStop(report, server, label = 'usherd') {
  await report.check(`${label}: stops in order when asked, exit code 0`, async () => {
    if (!server.running) throw new Error(`it had ended by itself: ${JSON.stringify(await server.child.done)} ${tail(server)}`);
    const { code, signal } = await server.stop(15000);
    if (code !== 0) throw new Error(`exit code ${code}, signal ${signal}: ${tail(server)}`);
    const [stopping, stopped] = [ 'stopping', 'stopped' ].map(
        (event) => server.log.lines.filter(({entry}) => entry && entry.event === event));
    if (stopping.length !== 1 ||
        !/^\d+ device requests and operations, \d+ HTTP requests, \d+ connections$/.test(
            stopping[0].entry.detail))
        throw new Error(`one line should say what was under way: ${tail(server)}`);
    if (stopped.length !== 1 || !(stopped[0].entry.durationMs >= 0))
        throw new Error(`one line should say how long stopping took: ${tail(server)}`);
  });
  await report.check(`${label}: each line on stderr is one JSON object`, () => {
    const odd = server.log.lines.filter((line) => typeof line.entry !== 'object' || line.entry === null);
    if (odd.length > 0) throw new Error(`${odd.length} of ${server.log.lines.length} are not; the first: ${odd[0].text}`);
    if (server.log.rest) throw new Error(`an unfinished line: ${server.log.rest}`);
  });
}

function tail(server) {
  return server.log.lines.slice(-5).map((line) => line.text).join(' | ');
}

module.exports = { ROOT, USUAL_PORTS, program, scratch, start, checkStop, Usherd };
