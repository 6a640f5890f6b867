// A device on a connection of its own that it keeps, over any of the five doors, with a key, a certificate or a TPM: it registers
// and polls there as often as a test wants, and question and answer are apart, so that questions of many can leave together.
'use strict';

const assert = require('assert');
const device = require('./device');
const http1 = require('./http1');
const mqtt = require('./mqtt');
const sas = require('./sas');
const websocket = require('./websocket');
const { openDevice, plain } = require('./amqp-device');

const ANSWER_MS = 30000; // a sanitized build, on a busy machine
const FORM = { names: { receiver: 'r', sender: 's' }, credit: 1000 };
const REGISTER = '$dps/registrations/PUT/iotdps-register/?$rid=1';
const POLL = '$dps/registrations/GET/iotdps-get-operationstatus/?$rid=1&operationId=';

/** The connection was not let in, before anything could be asked; `socket` is that of TLS. */
function notLetIn(how, peer) {
  const error = Object.assign(new Error(how), { notLetIn: true, reused: tlsSocket(peer).isSessionReused() });
  peer.destroy();
  return error;
}

/** That of the connection, also when the protocol is in WebSocket. */
function tlsSocket({ socket }) {
  return socket instanceof websocket.Tunnel ? socket.peer.socket : socket;
}

/** A token: of the device's key, or of the one that was planted in its TPM. */
function tokenOf({ scope }, { id, key }) {
  return key === undefined ? undefined : sas.deviceToken({ scope, id, key });
}

const keysOf = (tpm) => ({ tpm: { endorsementKey: tpm.endorsementKey, storageRootKey: tpm.storageRootKey } });

class Connection {
  constructor(server, who, peer) {
    Object.assign(this, { server, who, peer, id: who.id, token: tokenOf(server, who) });
  }

  get socket() {
    return tlsSocket(this.peer);
  }

  /** What a device with a TPM does before it registers, each time: undefined, or the answer if that was no challenge. */
  async prove() {
    if (!this.who.tpm) return undefined;
    this.token = undefined;
    await this.ask({ registrationId: this.id, ...keysOf(this.who.tpm) });
    const got = await this.answer();
    if (got.json.authenticationKey === undefined) return got;
    assert.strictEqual(got.status, 401, 'a challenge');
    const key = this.who.tpm.activate(Buffer.from(got.json.authenticationKey, 'base64')).toString('base64');
    this.token = tokenOf(this.server, { id: this.id, key });
    return undefined;
  }

  /** A register call; its answer is for `answer`. */
  send() {
    return this.ask({ registrationId: this.id });
  }

  /** A whole register call: the first answer, whatever it is. */
  async register() {
    const refused = await this.prove();
    if (refused) return refused;
    await this.send();
    return this.answer();
  }

  async poll(operationId) {
    await this.sendPoll(operationId);
    return this.answer();
  }

  close() {
    this.peer.destroy();
  }
}

class OverMqtt extends Connection {
  static async open(server, who, options) {
    const peer = await device.openMqtt(server, { name: who.id, options });
    const made = new this(server, who, peer);
    const username = device.username(server.scope, who.id) + (who.tpm ? '&attestation=tpm' : '');
    await peer.write(mqtt.connect({ clientId: who.id, username, password: made.token }));
    const { code } = await peer.expect('CONNACK', ANSWER_MS);
    if (code !== 0) throw Object.assign(notLetIn(`CONNACK ${code}`, peer), { connack: code });
    await peer.write(mqtt.subscribe(1, [{ topic: device.RESPONSES, qos: 1 }]));
    assert.deepStrictEqual((await peer.expect('SUBACK', ANSWER_MS)).granted, [1]);
    return made;
  }

  ask(body) {
    const authorization = this.who.tpm && this.token;
    return this.publish(REGISTER, JSON.stringify(authorization ? { ...body, authorization } : body));
  }

  sendPoll(operationId) {
    return this.publish(POLL + operationId, ' ');
  }

  publish(topic, payload) {
    return this.peer.write(mqtt.publish({ topic, payload, qos: 1, id: 7 }));
  }

  async answer() {
    await this.peer.expect('PUBACK', ANSWER_MS);
    const got = await this.peer.expect('PUBLISH', ANSWER_MS);
    if (got.qos === 1) await this.peer.write(mqtt.puback(got.id));
    return device.parseResponse(got, '1');
  }
}

class OverMqttWs extends OverMqtt {
  static open(server, who, options) {
    return super.open(device.overWebSocket(server), who, options);
  }
}

class OverHttps extends Connection {
  static async open(server, who, options) {
    return new this(server, who, await device.openHttp(server, { name: who.id, options }));
  }

  ask(body) {
    return this.request('PUT', 'register', JSON.stringify(body));
  }

  sendPoll(operationId) {
    return this.request('GET', `operations/${operationId}`, '');
  }

  request(method, tail, body) {
    const path = `/${this.server.scope}/registrations/${encodeURIComponent(this.id)}/${tail}`;
    return this.peer.write(http1.request(`${method} ${path}?api-version=${device.VERSION} HTTP/1.1`, [
      'Host: localhost', 'Content-Type: application/json; charset=utf-8', ...(this.token ? [`Authorization: ${this.token}`] : []),
      `Content-Length: ${Buffer.byteLength(body)}`], body));
  }

  answer() {
    return this.peer.response(ANSWER_MS);
  }
}

/** As the Node SDK does; with a TPM the blob comes in two challenges of SASL, and one connection is for one registration. */
class OverAmqp extends Connection {
  static async open(server, who, options) {
    const opened = await openDevice(server, FORM, { id: who.id, tls: options, open: this.reach });
    const made = Object.assign(new this(server, who, opened.peer), { opened });
    const letIn = await made.authenticate();
    if (letIn.code !== 0) throw notLetIn(`SASL outcome ${letIn.code}`, opened.peer);
    await opened.connect();
    return made;
  }

  async authenticate() {
    const { opened, who, server } = this;
    if (who.tls) return { code: 0 }; // the handshake has said it
    if (!who.tpm) return opened.authenticate('PLAIN', plain({ ...who, scope: server.scope, token: this.token }));
    const first = Buffer.concat([Buffer.from(`\0${server.scope}\0${who.id}\0`), who.tpm.ek.bytes]);
    const parts = [];
    return opened.authenticate('TPM', first, (challenge) => {
      parts.push(challenge.subarray(1));
      const [, one, two] = parts;
      if (one === undefined) return Buffer.concat([Buffer.from([0]), who.tpm.srk.bytes]);
      if (two === undefined) return Buffer.from([0]);
      const key = who.tpm.activate(Buffer.concat([one, two])).toString('base64');
      return Buffer.concat([Buffer.from([0]), Buffer.from(tokenOf(server, { id: who.id, key }))]);
    });
  }

  async prove() { // when it came
    return undefined;
  }

  /** What was proven is used up by one register call; polls go on. */
  get once() {
    return this.who.tpm !== undefined;
  }

  ask(body) {
    return this.opened.send({ operation: 'iotdps-register', body: { data: JSON.stringify(body) } });
  }

  sendPoll(operationId) {
    return this.opened.send({ operation: 'iotdps-get-operationstatus', operationId, body: { value: '' } });
  }

  async answer() {
    const { rejected, json } = await this.opened.reply();
    if (rejected) return { status: Math.floor(rejected.json.errorCode / 1000), json: rejected.json };
    return { status: json.status === 'assigning' ? 202 : 200, json };
  }
}

class OverAmqpWs extends OverAmqp {
  static reach(server, how) {
    return websocket.openAmqp(server, how);
  }
}

const DOORS = { mqtt: OverMqtt, https: OverHttps, amqp: OverAmqp, 'mqtt-ws': OverMqttWs, 'amqp-ws': OverAmqpWs };
const NAMES = Object.keys(DOORS);

/** A connection of a device: {id} and `key`, `tls` ({cert, key}) or `tpm` (softtpm.js); `options` are more of TLS. */
function open(server, via, who, options = {}) {
  return DOORS[via].open(server, who, { ...who.tls, ...options });
}

/** The key for its hub that is in an `assigned` answer to a device with a TPM: base64. */
function hubKey(tpm, { registrationState: { tpm: { authenticationKey } } }) {
  return tpm.activate(Buffer.from(authenticationKey, 'base64')).toString('base64');
}

module.exports = { NAMES, DOORS, open, hubKey };
