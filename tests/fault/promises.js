// What devices and operators were told before the server died, and whether it still holds afterwards (contracts: I1-I5).
'use strict';

const assert = require('assert');
const fs = require('fs');
const path = require('path');
const children = require('../lib/children');
const doors = require('../lib/doors');
const { attempt, poll, register } = require('./fleet');
const { until } = require('../lib/wait');

const RECOVERY_MS = 5000;

class Ledger {
  constructor() {
    // id: {who, answers: [json], credentials: what a hub may know it by; asking, told: of devices with a TPM}
    this.devices = new Map();
    this.writes_ = new Map(); // path: {etag or null when deleted, open: a write was sent and not answered}
    this.hubKeys = new Set(); // of devices with a TPM: all that were ever told
    this.doors = new Map(); // id: whether the device is let in since an operator was answered; undefined: not answered
  }

  knows(who) {
    if (!this.devices.has(who.id)) this.devices.set(who.id, { who, answers: [], credentials: new Set(), asking: 0 });
    return this.devices.get(who.id);
  }

  /** A device is about to register; from now on a hub may know it by this credential. */
  shows(who) {
    const known = this.knows(who);
    known.renewed = known.renewed || (known.who.tls !== undefined && known.who.credential !== who.credential);
    known.who = who;
    if (!who.tpm) known.credentials.add(who.credential);
  }

  /** It says its register call now, which takes a new key to the hub when it has a TPM. */
  asks(who) {
    this.knows(who).asking += 1;
  }

  /** It was told that it is assigned: it is known by this credential and no older one. */
  hasShown(who, answer) {
    const known = this.devices.get(who.id);
    if (!who.tpm) {
      known.credentials = new Set([who.credential]);
      return;
    }
    const told = { key: doors.hubKey(who.tpm, answer), at: answer.registrationState.lastUpdatedDateTimeUtc };
    known.asking -= 1;
    this.hubKeys.add(told.key);
    if (!known.told || known.told.at <= told.at) known.told = told; // of two at once, what was written down last
    known.credentials = new Set([known.told.key]);
  }

  /** An answer that a device got that is not let in. */
  refused(id, { notLetIn, status, json }) {
    if (notLetIn) return; // neither was it asked what it wants
    assert.ok(status === 401 && json.errorCode === 401002 && !('status' in json), `${id}, which is not let in, was answered ${status} ${JSON.stringify(json)}`);
  }

  /** An operator's change after which a device is let in (`to`) or not. */
  async closes(id, to, send) {
    this.doors.set(id, undefined);
    await send();
    this.doors.set(id, to);
  }

  /** An answer that a device got to a register call or a poll. Anything but `assigned` and `assigning` is an error. */
  answered(id, { status, json }) {
    const device = this.devices.get(id);
    assert.ok(status >= 200 && status <= 299 && ['assigned', 'assigning'].includes(json.status),
      `${id} was answered ${status} ${JSON.stringify(json)}`);
    device.answers.push(json);
  }

  /** A write of an operator; `send` resolves to the new record, or to undefined for a deletion. */
  async writes(path, send) {
    const record = this.writes_.get(path) || { etag: undefined, open: false };
    this.writes_.set(path, record);
    record.open = true;
    const made = await send();
    record.open = false;
    record.etag = made ? made.etag : null;
    return made;
  }
}

/** What a hub knows a device by: its primary key, or both thumbprints. */
function credentialOf({ type, symmetricKey, x509Thumbprint }) {
  return type === 'selfSigned' ? `${x509Thumbprint.primaryThumbprint} ${x509Thumbprint.secondaryThumbprint}` : symmetricKey.primaryKey;
}

/** All identities of all hubs: [{hub, deviceId, credential}]. */
async function identities(server) {
  const found = [];
  for (const hub of server.hubs) {
    const list = await server.control.must('GET', '/devices?top=1000', undefined, { Host: hub });
    found.push(...list.map((d) => ({ hub, deviceId: d.deviceId, credential: credentialOf(d.authentication) })));
  }
  return found;
}

class Check {
  constructor(server, ledger, made) {
    this.server = server;
    this.ledger = ledger;
    this.made = made;
  }

  async current(id) {
    const answer = await this.server.control.registration(id);
    return answer.status === 200 ? answer.json : null;
  }

  assigned() {
    return [...this.ledger.devices.values()].filter((d) => d.answers.some((json) => json.status === 'assigned'));
  }

  /** I5: whoever was refused is refused; whom an operator shut out is, at every door; whom an operator let in again is let in. */
  async closed() {
    const refuse = async (who) => {
      for (const via of doors.NAMES) this.ledger.refused(who.id, await attempt(this.server, { ...who, via }));
    };
    const asks = this.made.strangers.map(async (who, i) => {
      this.ledger.refused(who.id, await attempt(this.server, { ...who, via: doors.NAMES[i % doors.NAMES.length] }));
    });
    await Promise.all(asks);
    for (const { who } of this.made.breaches) {
      const open = this.ledger.doors.get(who.id);
      if (open === false) await refuse(who);
      else if (open) await this.letIn({ ...who, via: 'mqtt' });
    }
  }

  /** An operator let it in again; with a TPM it gets a new key by that. */
  async letIn(who) {
    this.ledger.shows(who);
    const answer = await register(this.server, new Forgetful(), who);
    if (!who.tpm) return;
    this.ledger.asks(who);
    this.ledger.hasShown(who, answer);
  }

  /** Whether a device may have been told meanwhile, by an operator's doing, that it is not let in. */
  barred(id) {
    return this.ledger.doors.has(id) && !this.ledger.doors.get(id);
  }

  /** I1: what was answered is there. */
  async durability() {
    for (const { who, answers } of this.assigned().filter((d) => !this.barred(d.who.id))) {
      const told = answers.filter((json) => json.status === 'assigned').pop().registrationState;
      const now = await until(RECOVERY_MS, `${who.id}, told ${told.assignedHub}, to have its registration`, async () => {
        const record = await this.current(who.id);
        return record && record.status === 'assigned' && record; // it was perhaps just registering again
      });
      assert.deepStrictEqual([now.assignedHub, now.deviceId, now.createdDateTimeUtc],
        [told.assignedHub, told.deviceId, told.createdDateTimeUtc], `registration of ${who.id}`);
    }
    for (const [path, { etag, open }] of this.ledger.writes_) {
      if (etag === undefined || open) continue; // never answered, or overtaken by a write that was not
      const answer = await this.server.control.request('GET', path);
      if (etag === null) assert.strictEqual(answer.status, 404, `${path}, which was deleted`);
      else assert.strictEqual(answer.json && answer.json.etag, etag, `${path}: ${answer.status} ${answer.text}`);
    }
  }

  /** I1: an operation that was answered `assigning` ends `assigned` when it is polled. */
  async operations() {
    for (const { who, answers } of this.ledger.devices.values()) {
      const last = answers[answers.length - 1];
      if (!last || last.status !== 'assigning' || this.barred(who.id)) continue;
      await until(RECOVERY_MS, `operation ${last.operationId} of ${who.id} to end`, async () => {
        const got = await poll(this.server, who, last.operationId);
        assert.ok(got.status === 200 || got.status === 202, `a poll by ${who.id}: ${got.status} ${got.body}`);
        if (got.json.status === 'assigned' && who.tpm) await this.hasKey(who, got.json);
        return got.json.status === 'assigned';
      });
    }
  }

  /** The key that a device with a TPM is told is the one that its hub knows it by. */
  async hasKey({ id, tpm }, answer) {
    const held = (await identities(this.server)).find(({ deviceId }) => deviceId === id);
    const key = doors.hubKey(tpm, answer);
    this.ledger.hubKeys.add(key);
    assert.strictEqual(key, held.credential, `the key that ${id} was told, and the hub's`);
  }

  /** I4: no hub holds an identity that no registration names; I2: none is in two hubs. */
  async orphans() {
    const everywhere = new Map();
    for (const identity of await identities(this.server)) {
      assert.ok(!everywhere.has(identity.deviceId), `${identity.deviceId} is in ${identity.hub} and in another hub`);
      everywhere.set(identity.deviceId, identity);
      await until(RECOVERY_MS, `${identity.deviceId} of ${identity.hub} to be named by a registration`, async () => {
        const now = await this.current(identity.deviceId);
        const named = now && (now.status === 'assigned' || (now.status === 'disabled' && this.barred(identity.deviceId)));
        return named && now.assignedHub === identity.hub;
      });
    }
    for (const { who } of this.assigned()) assert.ok(everywhere.has(who.id), `${who.id} was assigned and is in no hub`);
    for (const { deviceId, credential } of await identities(this.server)) { // by now no operation is under way
      const { who, asking, credentials } = this.ledger.devices.get(deviceId);
      if (who.tpm && asking > 0) continue; // it was not told yet which key the hub got: see again()
      assert.ok(credentials.has(credential), `a hub knows ${deviceId} by ${credential}, and it showed ${[...credentials].join(' or ')}`);
    }
  }

  /** The thumbprints of each registration are those of its identity. Once all else was asked, and the server is gone. */
  async records(dir) {
    const certified = [...this.ledger.devices.values()].filter((d) => d.who.tls);
    const settled = (d) => !d.renewed && d.answers.length > 0 && d.answers[d.answers.length - 1].status === 'assigned';
    if (certified.every(settled)) return; // and seen in the hub: the same record holds both
    const { registrations, identities: held } = await readRecords(dir);
    const named = new Map(registrations.map(([id, status, ...thumbprints]) => [id, { status, thumbprints }]));
    for (const [id, ...thumbprints] of held) {
      const { status, thumbprints: recorded } = named.get(id);
      assert.deepStrictEqual(recorded, thumbprints, `the thumbprints of ${id} (${status}) in its registration and in its hub`);
    }
  }

  /** I2 and I3: all answers to a device name one hub, and registering (again) gives that hub. */
  async again(most) {
    const all = [...this.ledger.devices.values()].filter((d) => !this.ledger.doors.has(d.who.id));
    const [sure, unsure] = [true, false].map((so) => all.filter((d) => d.answers.some((json) => json.status === 'assigned') === so));
    const kinds = ['key', 'tls', 'tpm'].map((proof) => sure.filter(({ who }) => who[proof] !== undefined).slice(-most));
    const asked = [...unsure, ...kinds.flat()];
    const told = new Map();
    for (const { who, answers } of asked) {
      const before = await this.current(who.id);
      const after = await register(this.server, new Forgetful(), who);
      const hubs = new Set(answers.filter((json) => json.status === 'assigned').map((json) => json.registrationState.assignedHub));
      if (before && before.status === 'assigned') hubs.add(before.assignedHub);
      hubs.add(after.registrationState.assignedHub);
      assert.strictEqual(hubs.size, 1, `${who.id} was told ${[...hubs].join(' and ')}`);
      assert.strictEqual(after.registrationState.deviceId, who.id, 'deviceId');
      if (who.tpm) this.ledger.hubKeys.add(doors.hubKey(who.tpm, after));
      told.set(who.id, { hub: [...hubs][0], credential: who.tpm ? doors.hubKey(who.tpm, after) : who.credential });
    }
    const everywhere = await identities(this.server);
    for (const { who } of asked) {
      const held = everywhere.filter((identity) => identity.deviceId === who.id);
      assert.deepStrictEqual(held, [{ deviceId: who.id, ...told.get(who.id) }], `identities of ${who.id}`);
    }
  }
}

/** I10: the keys that devices with TPMs were told, in `texts` or in a file of the folder, in any form. */
function leaked({ hubKeys }, dir, texts) {
  const places = [...texts.map((text, i) => [`log ${i + 1}`, Buffer.from(text)]),
    ...fs.readdirSync(dir).filter((name) => /\.db/.test(name)).map((name) => [name, fs.readFileSync(path.join(dir, name))])];
  for (const key of hubKeys) {
    const bytes = Buffer.from(key, 'base64');
    for (const [name, content] of places) {
      for (const form of [bytes, key, bytes.toString('hex'), bytes.toString('hex').toUpperCase()]) {
        assert.ok(!content.includes(form), `a key for a hub is in ${name}`);
      }
    }
  }
}

const READ = `
import json, sqlite3, sys
base = sqlite3.connect(sys.argv[1])
print(json.dumps({
    "registrations": base.execute("SELECT device_id, status, primary_thumbprint, secondary_thumbprint FROM registration").fetchall(),
    "identities": base.execute("SELECT id, primary_thumbprint, secondary_thumbprint FROM device").fetchall()}))
`;

/** What no answer shows: the thumbprints that registrations hold. Of a folder that no usherd has open. */
async function readRecords(dir) {
  const { code, stdout, stderr } = await children.run('python3', ['-I', '-S', '-c', READ, path.join(dir, 'usher.db')]);
  if (code !== 0) throw new Error(`the database of ${dir} cannot be read: ${stderr}`);
  return JSON.parse(stdout);
}

/** Takes no note of an answer, but insists on what it must be. */
class Forgetful extends Ledger {
  answered(id, got) {
    this.knows({ id });
    super.answered(id, got);
  }
}

module.exports = { Ledger, Check, leaked };
