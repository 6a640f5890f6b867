// The load that a kill interrupts: devices and operators that go on until the server dies or they are told to stop.
// Whatever they were told goes into a ledger (promises.js). An answer that is wrong while the server lives is an error.
'use strict';

const assert = require('assert');
const device = require('../lib/device');
const http1 = require('../lib/http1');
const sas = require('../lib/sas');
const { Closed } = require('../lib/peer');
const { pause } = require('../lib/wait');

const POLL_PAUSE_MS = 10;
const OPERATION_MS = 5000;

/** Polls (`ask`) until the operation has ended. */
async function followed(first, id, ask) {
  const end = Date.now() + OPERATION_MS;
  let got = first;
  while (got.json.status === 'assigning') {
    if (Date.now() > end) throw new Error(`${id}: operation ${got.json.operationId} has not ended after ${OPERATION_MS} ms`);
    await pause(POLL_PAUSE_MS);
    got = await ask(got.json.operationId);
  }
  return got.json;
}

/** One register call over MQTT, and its polls until it is not `assigning` any more. */
async function viaMqtt(server, ledger, { id, key }) {
  const peer = await device.connectMqtt(server, { id, key });
  try {
    const ask = async (topic, body) => {
      const got = await device.askMqtt(peer, topic, '1', body);
      ledger.answered(id, got);
      return got;
    };
    const first = await ask('$dps/registrations/PUT/iotdps-register/?$rid=1', JSON.stringify({ registrationId: id }));
    return await followed(first, id, (operation) => ask(
      `$dps/registrations/GET/iotdps-get-operationstatus/?$rid=1&operationId=${operation}`, ' '));
  } finally {
    peer.destroy();
  }
}

function httpRequest(server, { id, key }, line, body) {
  const bytes = Buffer.from(body, 'utf8');
  return http1.request(line, ['Host: localhost', 'Content-Type: application/json; charset=utf-8',
    `Authorization: ${sas.deviceToken({ scope: server.scope, id, key })}`, `Content-Length: ${bytes.length}`], bytes);
}

/** The same over HTTPS, on one connection. */
async function viaHttps(server, ledger, { id, key }) {
  const peer = await device.openHttp(server, { name: id });
  const path = `/${server.scope}/registrations/${id}`;
  try {
    await peer.write(httpRequest(server, { id, key }, `PUT ${path}/register?api-version=${device.VERSION} HTTP/1.1`,
      JSON.stringify({ registrationId: id })));
    const first = await peer.response();
    ledger.answered(id, first);
    return await followed(first, id, async (operation) => {
      const got = await poll(server, { id, key }, operation, peer);
      ledger.answered(id, got);
      return got;
    });
  } finally {
    peer.destroy();
  }
}

/** Asks how an operation is doing, over HTTPS. */
async function poll(server, { id, key }, operationId, open) {
  const peer = open || await device.openHttp(server, { name: id });
  try {
    const line = `GET /${server.scope}/registrations/${id}/operations/${operationId}?api-version=${device.VERSION} HTTP/1.1`;
    await peer.write(httpRequest(server, { id, key }, line, ''));
    return await peer.response();
  } finally {
    if (!open) peer.destroy();
  }
}

function register(server, ledger, who) {
  return who.via === 'mqtt' ? viaMqtt(server, ledger, who) : viaHttps(server, ledger, who);
}

class Fleet {
  /** `bench` is what was enrolled beforehand: {groupKey, individuals: [{id, key}]}. Stops after `most` registrations. */
  constructor(server, bench, ledger, most = Infinity) {
    this.server = server;
    this.bench = bench;
    this.ledger = ledger;
    this.most = most;
    this.stopped = false;
    this.registrations = 0;
  }

  groupDevice(id, via) {
    const who = { id, via, key: sas.deriveKey(this.bench.groupKey, id) };
    this.ledger.knows(who);
    return who;
  }

  async registered(who) {
    const answer = await register(this.server, this.ledger, who);
    this.registrations += 1;
    if (this.registrations >= this.most) this.stop();
    return answer;
  }

  /** New devices of the group, one after the other. */
  async newcomers(via, from) {
    for (let i = 1; !this.stopped; i += 1) await this.registered(this.groupDevice(`${from}-${i}`, via));
  }

  /** Devices with enrollments of their own; after the first round they register again. */
  async regulars() {
    for (let i = 0; !this.stopped; i += 1) {
      const known = this.bench.individuals[i % this.bench.individuals.length];
      const who = { ...known, via: i % 2 ? 'mqtt' : 'https' };
      this.ledger.knows(who);
      await this.registered(who);
    }
  }

  /** One device on two connections at once. */
  async pairs() {
    for (let i = 1; !this.stopped; i += 1) {
      const id = `pair-${i}`;
      const both = [this.groupDevice(id, 'mqtt'), this.groupDevice(id, 'https')].map((who) => this.registered(who));
      const [one, other] = await Promise.all(both.map((made) => made.catch((error) => ({ error }))));
      if (one.error || other.error) throw one.error || other.error;
      assert.strictEqual(one.registrationState.assignedHub, other.registrationState.assignedHub, `${id}: two hubs`);
    }
  }

  /** Makes an enrollment, changes it, and removes every second one. */
  async operator() {
    const { control } = this.server;
    for (let i = 1; !this.stopped; i += 1) {
      const id = `made-${i}`;
      const made = await this.ledger.writes(id, () => control.enroll(id));
      made.deviceId = `changed-${i}`;
      const headers = { 'If-Match': made.etag };
      await this.ledger.writes(id, () => control.must('PUT', `/enrollments/${id}?api-version=2021-10-01`, made, headers));
      if (i % 2 === 0) await this.ledger.writes(id, () => control.must('DELETE', `/enrollments/${id}?api-version=2021-10-01`));
    }
  }

  /**
   * Runs them all until the server has died or stop() is called. Throws what went wrong while it lived: whatever
   * fails is set aside until it is known that it did not fail because the server was killed.
   */
  async run() {
    const failures = [];
    const actors = [this.newcomers('mqtt', 'm'), this.newcomers('https', 'h'), this.regulars(), this.pairs(), this.operator()];
    await Promise.all(actors.map((actor) => actor.catch((error) => {
      this.stopped = true;
      failures.push(error);
    })));
    return failures;
  }

  stop() {
    this.stopped = true;
  }
}

/** True for a failure that says no more than that the other side is gone. */
function isGone(error) {
  return error instanceof Closed || ['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ENOENT'].includes(error.code)
    || /socket hang up/.test(error.message);
}

module.exports = { Fleet, isGone, poll, register };
