// Two usherd: `hub` with its embedded hub, `service` that links it by connection string and trusts its CA. Asks both.
'use strict';

const assert = require('assert');
const fs = require('fs');
const device = require('../lib/device');
const http1 = require('../lib/http1');
const usherd = require('../lib/usherd');
const { API, mustUsher } = require('../lib/control');
const { FarHub } = require('../lib/far-hub');
const { pause, until } = require('../lib/wait');

const SETTINGS = { threads: 1, 'device.retryAfter': 1, 'hubs.callDeadline': 2000, 'limits.deviceRequests': 0 };

/** A service: its embedded hub stays linked, and devices go where their enrollment says. */
async function startService({ dir, caFile, settings = {}, ...ports }) {
  const all = { ...SETTINGS, ...(caFile ? { 'hubs.caFile': caFile } : {}), ...settings };
  const args = Object.entries(all).flatMap(([name, value]) => ['--set', `${name}=${value}`]);
  return usherd.start({ args, dir, ...ports });
}

class Pair {
  /** Starts both and links them. */
  static async start() {
    const pair = new Pair();
    pair.far = await FarHub.start();
    pair.hub = pair.far.server;
    pair.host = pair.far.host;
    pair.policies = pair.far.policies;
    pair.dir = usherd.scratch();
    pair.service = await startService({ dir: pair.dir, caFile: pair.hub.caFile });
    pair.own = pair.service.hub; // the service's embedded hub
    await pair.link();
    return pair;
  }

  /** Kills the service as a power cut would, and starts it again in its folder, on its ports. */
  async crashService() {
    const { service } = this;
    service.child.kill('SIGKILL');
    await service.child.done;
    this.service = await startService({
      dir: this.dir, caFile: this.hub.caFile, httpsPort: service.httpsPort, mqttPort: service.mqttPort, amqpPort: service.amqpPort,
    });
  }

  /** Links the hub, or links it anew with another policy or key. */
  link(policy, key, server = this.service) {
    return mustUsher(server, ['hub', 'link', this.host, '--connection-string', this.far.connectionString(policy, key)]);
  }

  /** An individual enrollment whose device goes to one hub: its key. */
  async enroll(id, { to = this.host, server = this.service, ...more } = {}) {
    const made = await server.control.enroll(id, { allocationPolicy: 'static', iotHubs: [to], ...more });
    return made.attestation.symmetricKey.primaryKey;
  }

  /** Changes an enrollment, whatever it was. */
  async changeEnrollment(id, more) {
    const path = `/enrollments/${id}?${API}`;
    const { attestation, ...now } = await this.service.control.must('GET', path);
    const keys = await this.service.control.must('POST', `/enrollments/${id}/attestationmechanism?${API}`);
    const body = { ...now, attestation: keys, ...more };
    return (await this.service.control.must('PUT', path, body, { 'If-Match': '*' })).attestation.symmetricKey.primaryKey;
  }

  ask(method, path, body, headers) {
    return this.far.ask(method, path, body, headers);
  }

  must(method, path, body, headers) {
    return this.far.must(method, path, body, headers);
  }

  identity(id) {
    return this.far.identity(id);
  }

  twin(id) {
    return this.far.twin(id);
  }

  /** The service's record of a device. */
  async record(id) {
    return (await this.service.control.registration(id)).json;
  }

  /** The names of all identities in the hub. */
  async identities() {
    return (await this.must('GET', '/devices')).map((one) => one.deviceId);
  }
}

/** Asks once how an operation is doing, over HTTPS. */
async function poll(server, { id, key, tls, operationId }) {
  const peer = await device.openHttp(server, { name: id, options: tls });
  try {
    await peer.write(http1.request(`GET /${server.scope}/registrations/${id}/operations/${operationId}?api-version=${device.VERSION} HTTP/1.1`, [
      'Host: localhost', ...device.authorization({ scope: server.scope, id, key, tls }),
    ]));
    return await peer.response();
  } finally {
    peer.destroy();
  }
}

/** Polls, as it is told to, until the operation has ended: the last answer's JSON. */
async function follow(server, { id, key, tls, operationId, ms = 60000 }) {
  return until(ms, `the operation of ${id} to end`, async () => {
    const got = await poll(server, { id, key, tls, operationId });
    if (got.status === 200) return got.json;
    assert.strictEqual(got.status, 202, `poll: ${got.status} ${got.body}`);
    assert.strictEqual(got.json.status, 'assigning', String(got.body));
    await pause(1000 * Number(got.headers['retry-after']));
    return undefined;
  });
}

/** A whole registration over HTTPS: the JSON of its last answer. */
async function provision(server, { id, key, tls, ms }) {
  const put = await device.registerHttp(server, { id, key, tls });
  assert.strictEqual(put.status, 202, `register: ${put.status} ${put.body}`);
  return put.json.status === 'assigning' ? follow(server, { id, key, tls, ms, operationId: put.json.operationId }) : put.json;
}

/** Registers while the hub is away: answered `assigning` with a time to come back. Returns the operation's ID. */
async function beginWhileAway(server, { id, key, tls }) {
  const put = await device.registerHttp(server, { id, key, tls });
  assert.strictEqual(put.status, 202, String(put.body));
  assert.strictEqual(put.json.status, 'assigning', String(put.body));
  assert.match(put.headers['retry-after'] || '', /^[1-9]\d*$/, 'Retry-After');
  return put.json.operationId;
}

/** The hub is stopped, with its ports still its own, while `body` runs; and runs again afterwards, whatever happened. */
async function whileAway(pair, body) {
  pair.hub.child.kill('SIGSTOP');
  await until(5000, 'the hub to stop', () => / T /.test(fs.readFileSync(`/proc/${pair.hub.pid}/stat`, 'utf8')));
  try {
    return await body();
  } finally {
    pair.hub.child.kill('SIGCONT');
  }
}

module.exports = { Pair, startService, poll, follow, provision, beginWhileAway, whileAway };
