// A device on a connection of its own that it keeps: it registers and polls there as often as a test wants, over either
// door, with a certificate or a derived key. Raw peers, because the SDKs close after each registration.
'use strict';

const assert = require('assert');
const device = require('../lib/device');
const http1 = require('../lib/http1');
const mqtt = require('../lib/mqtt');
const sas = require('../lib/sas');

/** How a device proves itself: {tls} with what it shows, or {key}. */
function tokenOf(bench, id, { key }) {
  return key === undefined ? undefined : sas.deviceToken({ scope: bench.scope, id, key });
}

class OverMqtt {
  static async open(bench, id, proof, options = {}) {
    const peer = await device.openMqtt(bench, { name: id, options: { ...proof.tls, ...options } });
    await peer.write(mqtt.connect({ clientId: id, username: device.username(bench.scope, id), password: tokenOf(bench, id, proof) }));
    const { code } = await peer.expect('CONNACK');
    if (code !== 0) {
      const error = Object.assign(new Error(`CONNACK ${code}`), { connack: code, reused: peer.socket.isSessionReused() });
      peer.destroy();
      throw error;
    }
    await peer.write(mqtt.subscribe(1, [{ topic: device.RESPONSES, qos: 1 }]));
    await peer.expect('SUBACK');
    return Object.assign(new OverMqtt(), { id, peer });
  }

  register() {
    return device.askMqtt(this.peer, '$dps/registrations/PUT/iotdps-register/?$rid=7', '7', JSON.stringify({ registrationId: this.id }), 10000);
  }

  poll(operationId) {
    return device.askMqtt(this.peer, `$dps/registrations/GET/iotdps-get-operationstatus/?$rid=8&operationId=${operationId}`, '8', ' ', 10000);
  }
}

class OverHttps {
  static async open(bench, id, proof, options = {}) {
    const peer = await device.openHttp(bench, { name: id, options: { ...proof.tls, ...options } });
    const base = `/${bench.scope}/registrations/${encodeURIComponent(id)}`;
    return Object.assign(new OverHttps(), { id, peer, base, token: tokenOf(bench, id, proof) });
  }

  async ask(method, path, body) {
    const headers = ['Host: localhost', 'Accept: application/json', ...(this.token ? [`Authorization: ${this.token}`] : [])];
    if (body) headers.push('Content-Type: application/json; charset=utf-8', `Content-Length: ${Buffer.byteLength(body)}`);
    await this.peer.write(http1.request(`${method} ${this.base}/${path}?api-version=${device.VERSION} HTTP/1.1`, headers, body));
    return this.peer.response(10000);
  }

  register() {
    return this.ask('PUT', 'register', JSON.stringify({ registrationId: this.id }));
  }

  poll(operationId) {
    return this.ask('GET', `operations/${operationId}`);
  }
}

const DOORS = { MQTT: OverMqtt, HTTPS: OverHttps };

/** The answer must be `assigned`; returns it. */
function mustBeAssigned({ status, json }, who = '') {
  assert.ok(status === 200 || status === 202, `${who} ${status}: ${JSON.stringify(json)}`);
  assert.strictEqual(json.status, 'assigned', `${who} ${JSON.stringify(json)}`);
  return json;
}

/** The answer must be 401 with 401002. */
function mustBeRefused({ status, json }, who = '') {
  assert.strictEqual(status, 401, `${who} ${status}: ${JSON.stringify(json)}`);
  device.checkError(json, 401);
  assert.strictEqual(json.errorCode, 401002, who);
}

module.exports = { DOORS, mustBeAssigned, mustBeRefused };
