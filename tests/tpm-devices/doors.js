// The three doors as a device with a TPM uses them, and as others misuse them: a challenge, and what is answered to it. Each
// door is {open, challenge, answer}: `open` gives a connection for a registration ID, `challenge` asks for a blob on it with any
// two public keys, `answer` registers with any token. What comes back is {blob}, {state, json} or {refused}.
'use strict';

const assert = require('assert');
const device = require('../lib/device');
const http1 = require('../lib/http1');
const mqtt = require('../lib/mqtt');
const { openDevice } = require('../lib/amqp-device');

const VERSION = '2021-06-01';

/** What the service said to a register call or a poll. */
function understand(status, json) {
  if (json && typeof json.authenticationKey === 'string') {
    assert.strictEqual(status, 401);
    assert.deepStrictEqual(Object.keys(json).sort(), ['authenticationKey', 'keyName', 'message']);
    return { blob: json.authenticationKey };
  }
  if (status >= 400) {
    device.checkError(json, status);
    return { refused: json.errorCode, message: json.message };
  }
  return { json, state: json.registrationState };
}

const body = (id, more) => JSON.stringify({ registrationId: id, ...more });

class Https {
  constructor(server, id, peer) {
    Object.assign(this, { server, id, peer });
  }

  static async open(server, id) {
    return new Https(server, id, await device.openHttp(server, { name: id }));
  }

  async ask(method, tail, token, text, id = this.id) {
    await this.peer.write(http1.request(`${method} /${this.server.scope}/registrations/${id}/${tail}?api-version=${VERSION} HTTP/1.1`, [
      'Host: localhost', 'Content-Type: application/json', ...(token ? [`Authorization: ${token}`] : []), `Content-Length: ${text.length}`], text));
    const got = await this.peer.response();
    return understand(got.status, got.json);
  }

  challenge(tpm) { return this.ask('PUT', 'register', undefined, body(this.id, { tpm })); }

  /** `tpm`: says its keys again, as most clients do. */
  answer(token, tpm) { return this.ask('PUT', 'register', token, body(this.id, tpm ? { tpm } : {})); }

  poll(token, operation) { return this.ask('GET', `operations/${operation}`, token, ''); }

  close() { this.peer.destroy(); }
}

class Mqtt {
  constructor(server, id, peer) {
    Object.assign(this, { server, id, peer, rid: 0 });
  }

  static async open(server, id) {
    const peer = await device.openMqtt(server, { name: id });
    await peer.write(mqtt.connect({ clientId: id, username: `${device.username(server.scope, id, VERSION)}&attestation=tpm` }));
    assert.strictEqual((await peer.expect('CONNACK')).code, 0);
    await peer.write(mqtt.subscribe(1, [{ topic: device.RESPONSES, qos: 1 }]));
    await peer.expect('SUBACK');
    return new Mqtt(server, id, peer);
  }

  async ask(topic, text) {
    this.rid += 1;
    const got = await device.askMqtt(this.peer, `$dps/registrations/${topic}$rid=${this.rid}`, String(this.rid), text);
    return understand(got.status, got.json);
  }

  challenge(tpm) { return this.ask('PUT/iotdps-register/?', body(this.id, { tpm })); }

  answer(token, tpm) { return this.ask('PUT/iotdps-register/?', body(this.id, { ...(tpm ? { tpm } : {}), authorization: token })); }

  close() { this.peer.destroy(); }
}

/** The challenge is part of SASL: `challenge` stops in the middle of it, `answer` goes on. */
class Amqp {
  constructor(server, id, opened) {
    Object.assign(this, { server, id, opened });
  }

  static async open(server, id) {
    return new Amqp(server, id, await openDevice(server, {}, { id }));
  }

  async challenge({ endorsementKey, storageRootKey }) {
    const { server, id, opened } = this;
    const got = [];
    const token = new Promise((resolve) => { this.give = resolve; });
    const initial = Buffer.concat([Buffer.from(`\0${server.scope}\0${id}\0`), Buffer.from(endorsementKey, 'base64')]);
    const asked = new Promise((resolve) => {
      this.outcome = opened.authenticate('TPM', initial, async (challenge) => {
        got.push(challenge.subarray(1));
        if (got.length === 1) return Buffer.concat([Buffer.from([0]), Buffer.from(storageRootKey, 'base64')]);
        if (got.length === 2) return Buffer.from([0]);
        resolve({ blob: Buffer.concat(got.slice(1)).toString('base64') });
        return Buffer.from(`\0${await token}`);
      });
    });
    return Promise.race([asked, this.outcome.then(() => ({ refused: 401002 }))]);
  }

  async answer(token) {
    this.give(token);
    if ((await this.outcome).code !== 0) {
      await this.opened.peer.closedBy(5000, 'after the outcome');
      return { refused: 401002 };
    }
    await this.opened.connect();
    const got = await this.opened.ask({ operation: 'iotdps-register', body: { data: body(this.id) } });
    if (got.rejected) return { refused: got.rejected.json.errorCode };
    return { json: got.json, state: got.json.registrationState };
  }

  close() { this.opened.peer.destroy(); }
}

module.exports = { Https, Mqtt, Amqp };
