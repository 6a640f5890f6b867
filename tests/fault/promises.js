// What devices and operators were told before the server died, and whether it still holds afterwards (contracts: I1-I4).
'use strict';

const assert = require('assert');
const { API } = require('../lib/control');
const { poll, register } = require('./fleet');
const { until } = require('../lib/wait');

const RECOVERY_MS = 5000;

class Ledger {
  constructor() {
    this.devices = new Map(); // id: {who, answers: [json]}
    this.writes_ = new Map(); // enrollment id: {etag or null when deleted, open: a write was sent and not answered}
  }

  knows(who) {
    if (!this.devices.has(who.id)) this.devices.set(who.id, { who, answers: [] });
  }

  /** An answer that a device got to a register call or a poll. Anything but `assigned` and `assigning` is an error. */
  answered(id, { status, json }) {
    const device = this.devices.get(id);
    assert.ok(status >= 200 && status <= 299 && ['assigned', 'assigning'].includes(json.status),
      `${id} was answered ${status} ${JSON.stringify(json)}`);
    device.answers.push(json);
  }

  /** A write of an operator; `send` resolves to the new record, or to undefined for a deletion. */
  async writes(id, send) {
    const record = this.writes_.get(id) || { etag: undefined, open: false };
    this.writes_.set(id, record);
    record.open = true;
    const made = await send();
    record.open = false;
    record.etag = made ? made.etag : null;
    return made;
  }
}

/** All identities of all hubs: [{hub, deviceId, key}]. */
async function identities(server) {
  const found = [];
  for (const hub of server.hubs) {
    const list = await server.control.must('GET', '/devices?top=1000', undefined, { Host: hub });
    found.push(...list.map((d) => ({ hub, deviceId: d.deviceId, key: d.authentication.symmetricKey.primaryKey })));
  }
  return found;
}

class Check {
  constructor(server, ledger) {
    this.server = server;
    this.ledger = ledger;
  }

  async current(id) {
    const answer = await this.server.control.registration(id);
    return answer.status === 200 ? answer.json : null;
  }

  assigned() {
    return [...this.ledger.devices.values()].filter((d) => d.answers.some((json) => json.status === 'assigned'));
  }

  /** I1: what was answered is there. */
  async durability() {
    for (const { who, answers } of this.assigned()) {
      const told = answers.filter((json) => json.status === 'assigned').pop().registrationState;
      const now = await until(RECOVERY_MS, `${who.id}, told ${told.assignedHub}, to have its registration`, async () => {
        const record = await this.current(who.id);
        return record && record.status === 'assigned' && record; // it was perhaps just registering again
      });
      assert.deepStrictEqual([now.assignedHub, now.deviceId, now.createdDateTimeUtc],
        [told.assignedHub, told.deviceId, told.createdDateTimeUtc], `registration of ${who.id}`);
    }
    for (const [id, { etag, open }] of this.ledger.writes_) {
      if (etag === undefined || open) continue; // never answered, or overtaken by a write that was not
      const answer = await this.server.control.request('GET', `/enrollments/${id}?${API}`);
      if (etag === null) assert.strictEqual(answer.status, 404, `the deleted enrollment ${id}`);
      else assert.strictEqual(answer.json && answer.json.etag, etag, `the enrollment ${id}: ${answer.status} ${answer.text}`);
    }
  }

  /** I1: an operation that was answered `assigning` ends `assigned` when it is polled. */
  async operations() {
    for (const { who, answers } of this.ledger.devices.values()) {
      const last = answers[answers.length - 1];
      if (!last || last.status !== 'assigning') continue;
      await until(RECOVERY_MS, `operation ${last.operationId} of ${who.id} to end`, async () => {
        const got = await poll(this.server, who, last.operationId);
        assert.ok(got.status === 200 || got.status === 202, `a poll by ${who.id}: ${got.status} ${got.body}`);
        return got.json.status === 'assigned';
      });
    }
  }

  /** I4: no hub holds an identity that no registration names; I2: none is in two hubs. */
  async orphans() {
    const everywhere = new Map();
    for (const identity of await identities(this.server)) {
      assert.ok(!everywhere.has(identity.deviceId), `${identity.deviceId} is in ${identity.hub} and in another hub`);
      everywhere.set(identity.deviceId, identity);
      await until(RECOVERY_MS, `${identity.deviceId} of ${identity.hub} to be named by a registration`, async () => {
        const now = await this.current(identity.deviceId);
        return now && now.status === 'assigned' && now.assignedHub === identity.hub;
      });
    }
    for (const { who } of this.assigned()) {
      const identity = everywhere.get(who.id);
      assert.ok(identity, `${who.id} was assigned and is in no hub`);
      assert.strictEqual(identity.key, who.key, `the key of ${who.id} in its hub`);
    }
  }

  /** I2 and I3: all answers to a device name one hub, and registering (again) gives that hub. */
  async again(most) {
    const unsure = [...this.ledger.devices.values()].filter((d) => !d.answers.some((json) => json.status === 'assigned'));
    for (const { who, answers } of [...unsure, ...this.assigned().slice(-most)]) {
      const before = await this.current(who.id);
      const after = await register(this.server, new Forgetful(), who);
      const hubs = new Set(answers.filter((json) => json.status === 'assigned').map((json) => json.registrationState.assignedHub));
      if (before && before.status === 'assigned') hubs.add(before.assignedHub);
      hubs.add(after.registrationState.assignedHub);
      assert.strictEqual(hubs.size, 1, `${who.id} was told ${[...hubs].join(' and ')}`);
      assert.strictEqual(after.registrationState.deviceId, who.id, 'deviceId');
      const held = (await identities(this.server)).filter((identity) => identity.deviceId === who.id);
      assert.deepStrictEqual(held, [{ hub: [...hubs][0], deviceId: who.id, key: who.key }], `identities of ${who.id}`);
    }
  }
}

/** Takes no note of an answer, but insists on what it must be. */
class Forgetful extends Ledger {
  answered(id, got) {
    this.knows({ id });
    super.answered(id, got);
  }
}

module.exports = { Ledger, Check };
