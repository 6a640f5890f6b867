// The load that a kill interrupts: devices and operators that go on until the server dies or they are told to stop.
// Whatever they were told goes into a ledger (promises.js). An answer that is wrong while the server lives is an error.
'use strict';

const assert = require('assert');
const doors = require('../lib/doors');
const pki = require('../lib/pki');
const sas = require('../lib/sas');
const { API } = require('../lib/control');
const { Closed } = require('../lib/peer');
const { pause } = require('../lib/wait');

const POLL_PAUSE_MS = 10;
const OPERATION_MS = 5000;

/** A register call over the device's door (`via`), and its polls until it is not `assigning` any more: the last answer. */
async function register(server, ledger, who) {
  const { id } = who;
  const connection = await doors.open(server, who.via, who);
  try {
    const notChallenged = await connection.prove();
    if (notChallenged) ledger.answered(id, notChallenged); // which says that it is none of the good ones
    ledger.asks(who);
    await connection.send();
    let got = await connection.answer();
    ledger.answered(id, got);
    const end = Date.now() + OPERATION_MS;
    while (got.json.status === 'assigning') {
      if (Date.now() > end) throw new Error(`${id}: operation ${got.json.operationId} has not ended after ${OPERATION_MS} ms`);
      await pause(POLL_PAUSE_MS);
      got = await connection.poll(got.json.operationId);
      ledger.answered(id, got);
    }
    return got.json;
  } finally {
    connection.close();
  }
}

/** Asks how an operation is doing, over HTTPS; a device with a TPM proves itself anew for that. */
async function poll(server, who, operationId) {
  const connection = await doors.open(server, 'https', who);
  try {
    return await connection.prove() || await connection.poll(operationId);
  } finally {
    connection.close();
  }
}

/** The first answer to one register call, whatever it is: {status, json}; or {notLetIn} when it was refused before it could ask. */
async function attempt(server, who) {
  let connection;
  try {
    connection = await doors.open(server, who.via, who);
    return await connection.register();
  } catch (error) {
    if (error.notLetIn) return error;
    throw error;
  } finally {
    if (connection) connection.close();
  }
}

/** Another door each time. */
function door(i) {
  return doors.NAMES[i % doors.NAMES.length];
}

class Fleet {
  /** `bench` is what was enrolled beforehand (bench.js). Stops after `most` registrations. */
  constructor(server, bench, ledger, { shift = 0, most = Infinity } = {}) {
    this.shift = shift;
    this.server = server;
    this.bench = bench;
    this.ledger = ledger;
    this.most = most;
    this.stopped = false;
    this.registrations = 0;
  }

  groupDevice(id, via) {
    const key = sas.deriveKey(this.bench.groupKey, id);
    return { id, via, key, credential: key };
  }

  async registered(who) {
    this.ledger.shows(who);
    const answer = await register(this.server, this.ledger, who);
    this.ledger.hasShown(who, answer);
    this.registrations += 1;
    if (this.registrations >= this.most) this.stop();
    return answer;
  }

  /** New devices of the group, one after the other. */
  async newcomers(from, first) {
    for (let i = 1; !this.stopped; i += 1) await this.registered(this.groupDevice(`${from}-${i}`, door(first + i)));
  }

  /** Devices with TPMs; after the first round they register again, and get another key each time. */
  async tpms(first) {
    const { tpms } = this.bench;
    for (let i = first; !this.stopped; i += 1) await this.registered({ ...tpms[i % tpms.length], via: door(i + Math.floor(i / tpms.length)) });
  }

  /** One device with a TPM on two connections at once, each of which is challenged for itself. */
  async tpmPairs() {
    for (let i = 0; !this.stopped; i += 1) {
      const who = this.bench.tpmPairs[i % this.bench.tpmPairs.length];
      await this.both({ ...who, via: door(i) }, { ...who, via: door(i + 1) });
    }
  }

  /** Devices with enrollments of their own; after the first round they register again. */
  async regulars() {
    for (let i = 0; !this.stopped; i += 1) {
      const known = this.bench.individuals[i % this.bench.individuals.length];
      await this.registered({ ...known, via: door(i) });
    }
  }

  /** Devices with certificates: each registers, and again with the other certificate that it has by then. */
  async renewals(devices, first) {
    for (let i = 0; !this.stopped; i += 1) {
      const { id, certificates } = devices[i % devices.length];
      for (const [n, shown] of certificates.entries()) {
        if (!this.stopped) await this.registered({ id, via: door(i + n + first), ...shown });
      }
    }
  }

  /** One device with a certificate on two connections at once. */
  async certifiedPairs() {
    for (const [i, { id, certificates: [shown] }] of this.bench.twins.entries()) {
      if (this.stopped) return;
      await this.both({ id, via: door(i), ...shown }, { id, via: door(i + 1 + i % 2), ...shown });
    }
  }

  /** Devices that must be refused, come what may. */
  async strangers() {
    for (let i = 0; !this.stopped; i += 1) {
      const who = this.bench.strangers[i % this.bench.strangers.length];
      this.ledger.refused(who.id, await attempt(this.server, { ...who, via: door(i) }));
    }
  }

  /** An operator takes away what lets a device in, and gives it back; in between the device is refused. */
  async breaches() {
    for (let i = 0; !this.stopped; i += 1) {
      const { who, close, open } = this.bench.breaches[i % this.bench.breaches.length];
      const via = door(i);
      await this.registered({ ...who, via });
      await this.ledger.closes(who.id, false, () => close(this.server.control));
      this.ledger.refused(who.id, await attempt(this.server, { ...who, via }));
      if (this.stopped) return;
      await this.ledger.closes(who.id, true, () => open(this.server.control));
    }
  }

  /** One device on two connections at once. */
  async pairs() {
    for (let i = 1; !this.stopped; i += 1) {
      const id = `pair-${i}`;
      await this.both(this.groupDevice(id, door(i)), this.groupDevice(id, door(i + 1 + i % 2)));
    }
  }

  async both(...pair) {
    const made = await Promise.all(pair.map((who) => this.registered(who).catch((error) => ({ error }))));
    const [one, other] = made;
    if (one.error || other.error) throw one.error || other.error;
    assert.strictEqual(one.registrationState.assignedHub, other.registrationState.assignedHub, `${pair[0].id}: two hubs`);
  }

  /** Makes an enrollment, changes it, and removes every second one. */
  async operator() {
    const { control } = this.server;
    for (let i = 1; !this.stopped; i += 1) {
      const id = `made-${i}`;
      const path = `/enrollments/${id}?${API}`;
      const made = await this.ledger.writes(path, () => control.enroll(id));
      made.deviceId = `changed-${i}`;
      await this.ledger.writes(path, () => control.must('PUT', path, made, { 'If-Match': made.etag }));
      if (i % 2 === 0) await this.ledger.writes(path, () => control.must('DELETE', path));
    }
  }

  /** The same with certificates: enrollments by certificate, and CA certificates, proved or trusted at once. */
  async certifier() {
    const { control } = this.server;
    const { ca, other } = this.bench;
    for (let i = 1; !this.stopped; i += 1) {
      const id = `certified-${i}`;
      const enrollment = `/enrollments/${id}?${API}`;
      const made = await this.ledger.writes(enrollment, () => pki.enroll(control, id, [ca.pem('root')]));
      await this.ledger.writes(enrollment, () => pki.enroll(control, id, [ca.pem('root'), other.pem('root')], {}, { 'If-Match': made.etag }));
      const certificate = `/control/services/dev/certificates/certified-${i}`;
      await this.ledger.writes(certificate, () => pki.uploadCa(control, 'dev', `certified-${i}`, other.pem('root'), i % 2 === 0));
      if (i % 2 === 1) {
        const { properties } = await this.ledger.writes(certificate, () => control.must('POST', `${certificate}/generateVerificationCode`));
        const proof = await other.proof(properties.verificationCode);
        const proved = await this.ledger.writes(certificate, () => control.must('POST', `${certificate}/verify`, { certificate: proof }));
        assert.strictEqual(proved.properties.isVerified, true, certificate);
      } else {
        const any = { 'If-Match': '*' };
        await this.ledger.writes(enrollment, () => control.must('DELETE', enrollment, undefined, any));
        await this.ledger.writes(certificate, () => control.must('DELETE', certificate, undefined, any));
      }
    }
  }

  /** Who works together: at each kill one half of what there is, so that each of them gets far enough. */
  shifts() {
    const { members, owners } = this.bench;
    return [
      () => [this.newcomers('m', 0), this.regulars(), this.renewals(members, 0), this.tpms(0), this.breaches(), this.operator()],
      () => [this.newcomers('h', 1), this.pairs(), this.renewals(owners, 1), this.certifiedPairs(), this.tpmPairs(), this.strangers(),
        this.breaches(), this.certifier()],
    ];
  }

  /**
   * Runs a shift until the server has died or stop() is called. Throws what went wrong while it lived: whatever
   * fails is set aside until it is known that it did not fail because the server was killed.
   */
  async run() {
    const failures = [];
    const actors = this.shifts()[this.shift]();
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

module.exports = { Fleet, attempt, isGone, poll, register };
