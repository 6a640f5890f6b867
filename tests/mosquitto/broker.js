// Debian's Mosquitto with its dynamic security plugin, set up as docs/mosquitto.md says: a door for keys, one for
// certificates. And devices that knock there, by mqtt.js.
'use strict';

const assert = require('assert');
const fs = require('fs');
const net = require('net');
const os = require('os');
const path = require('path');
const { createRequire } = require('module');
const children = require('../lib/children');
const usherd = require('../lib/usherd');
const { within, until } = require('../lib/wait');

// a package that the SDKs bring along
const mqtt = createRequire(path.join(__dirname, '..', 'conformance', 'package.json'))('mqtt');

const PLUGIN = '/usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so';
const ADMIN = { username: 'admin-5e1f', password: 'the administrator' };
const SERVICE = { username: 'usher-7c2e', password: 'only for Usher' };
const NOT_AUTHORIZED = 135;

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => { server.once('listening', resolve); });
  const { port } = server.address();
  await new Promise((resolve) => { server.close(resolve); });
  return port;
}

async function must(program, ...args) {
  const { code, stdout, stderr } = await children.run(program, args);
  assert.strictEqual(code, 0, `${program} ${args.join(' ')}: ${stderr || stdout}`);
}

class Device {
  constructor(client) {
    this.client = client;
    this.heard = []; // "topic payload"
    this.lost = new Promise((resolve) => { client.once('close', () => resolve(true)); });
    client.on('message', (topic, payload) => this.heard.push(`${topic} ${payload}`));
    client.on('error', () => {});
  }

  /** 0, or the reason why not. */
  async publish(topic, payload, { retain = false } = {}) {
    const done = new Promise((resolve) => {
      this.client.publish(topic, payload, { qos: 1, retain }, (error) => resolve(error ? error.code || error : 0));
    });
    return within(5000, `the acknowledgement for ${topic}`, done);
  }

  async subscribe(topic) {
    const done = new Promise((resolve, reject) => {
      this.client.subscribe(topic, { qos: 0 }, (error, granted) => (error ? reject(error) : resolve(granted[0].qos)));
    });
    const code = await within(5000, `the acknowledgement for ${topic}`, done);
    return code >= 128 ? code : 0;
  }

  hears(line) {
    return until(5000, `${line} (heard: ${this.heard.join(' | ')})`, () => this.heard.includes(line));
  }

  leave() {
    return new Promise((resolve) => { this.client.end(true, {}, resolve); });
  }
}

class Broker {
  /** Makes certificates and files, and starts it. `deviceCas`: PEM of the CAs of devices with certificates. */
  static async start(deviceCas) {
    const broker = new Broker();
    broker.dir = usherd.scratch();
    broker.keyPort = await freePort();
    broker.certificatePort = await freePort();
    broker.host = `localhost:${broker.keyPort}`;
    broker.caFile = broker.file('server.pem');
    await must('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
      '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-keyout', broker.file('server.key'), '-out', broker.caFile);
    fs.writeFileSync(broker.file('devices.pem'), deviceCas);
    fs.writeFileSync(broker.file('mosquitto.conf'), broker.settings());
    await must('mosquitto_ctrl', 'dynsec', 'init', broker.file('dynamic-security.json'), ADMIN.username, ADMIN.password);
    await broker.run();
    await broker.admit();
    return broker;
  }

  file(name) {
    return path.join(this.dir, name);
  }

  settings() {
    return `per_listener_settings false
user ${os.userInfo().username}
allow_anonymous false
plugin ${PLUGIN}
plugin_opt_config_file ${this.file('dynamic-security.json')}
persistence true
persistence_location ${this.dir}/

listener ${this.keyPort} 127.0.0.1
certfile ${this.file('server.pem')}
keyfile ${this.file('server.key')}

listener ${this.certificatePort} 127.0.0.1
certfile ${this.file('server.pem')}
keyfile ${this.file('server.key')}
cafile ${this.file('devices.pem')}
require_certificate true
use_identity_as_username true
use_username_as_clientid true
`;
  }

  /** Starts the program; also after stop(), with what it knew. */
  async run() {
    this.child = children.start('mosquitto', ['-c', this.file('mosquitto.conf')]);
    const running = new Promise((resolve, reject) => {
      let said = '';
      const hear = (data) => { said += data; if (/ running/.test(said)) resolve(); };
      this.child.stdout.on('data', hear);
      this.child.stderr.on('data', hear);
      this.child.done.then(({ code }) => reject(new Error(`mosquitto ended with code ${code}: ${said}`)));
    });
    await within(10000, 'mosquitto to run', running);
  }

  stop() {
    return children.stop(this.child);
  }

  ctrl(...words) {
    return must('mosquitto_ctrl', '-h', 'localhost', '-p', String(this.keyPort), '--cafile', this.caFile,
      '-u', ADMIN.username, '-P', ADMIN.password, 'dynsec', ...words);
  }

  /** The client that Usher is, as docs/mosquitto.md makes it. */
  async admit() {
    await this.ctrl('setDefaultACLAccess', 'publishClientReceive', 'deny');
    await this.ctrl('createRole', 'usher-service');
    await this.ctrl('addRoleACL', 'usher-service', 'publishClientSend', 'devices/#', 'allow');
    await this.ctrl('createClient', SERVICE.username, '-p', SERVICE.password);
    await this.ctrl('addClientRole', SERVICE.username, 'admin');
    await this.ctrl('addClientRole', SERVICE.username, 'usher-service');
  }

  /** A connection that the broker took; throws its reason code when it did not. */
  async connect({ port = this.keyPort, id, ...options }) {
    const client = mqtt.connect({
      protocol: 'mqtts', host: '127.0.0.1', servername: 'localhost', port, ca: fs.readFileSync(this.caFile), clientId: id, protocolVersion: 5,
      reconnectPeriod: 0, ...options,
    });
    const device = new Device(client);
    const open = new Promise((resolve, reject) => {
      client.once('connect', resolve);
      client.once('error', reject);
    });
    await within(10000, `the broker's answer to ${id}`, open);
    return device;
  }

  byKey(id, key) {
    return this.connect({ id, username: id, password: key });
  }

  byCertificate(id, { cert, key }) {
    return this.connect({ port: this.certificatePort, id, cert, key });
  }

  async refuses(connecting) {
    await assert.rejects(connecting, (error) => error.code === NOT_AUTHORIZED);
  }

  /** What is retained below a topic, sorted; the administrator may read all. */
  async retained(topic) {
    const admin = await this.connect({ id: 'reader', ...ADMIN });
    try {
      const answers = '$CONTROL/dynamic-security/v1/response';
      await admin.subscribe(answers);
      await admin.subscribe(topic);
      // whose answer comes after what is retained
      await admin.publish('$CONTROL/dynamic-security/v1', '{"commands":[{"command":"getDefaultACLAccess"}]}');
      await until(5000, 'the plugin to answer', () => admin.heard.some((line) => line.startsWith(answers)));
      return admin.heard.filter((line) => !line.startsWith(answers)).sort();
    } finally {
      await admin.leave();
    }
  }
}

module.exports = { Broker, ADMIN, SERVICE, NOT_AUTHORIZED };
