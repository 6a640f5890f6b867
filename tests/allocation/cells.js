// One cell of the table: a device lives its first life, something happens to it, it registers again.
'use strict';

const assert = require('assert');
const sdk = require('./sdk');
const { API } = require('../lib/control');
const { bare } = require('../lib/far-hub');
const { inParallel } = require('../lib/pool');
const { until } = require('../lib/wait');
const { OUTCOMES, POLICIES, RULES, toldToOldDevices } = require('./table');

const INITIAL = { tags: { site: 'north' }, properties: { desired: { level: 3 } } };
const OPERATOR = { tags: { owner: 'ops' }, properties: { desired: { level: 4, mode: 'eco' } } };
const REPORTED = { temperature: 21.5 };
const LIVED = { tags: { site: 'north', owner: 'ops' }, desired: { level: 4, mode: 'eco' }, reported: REPORTED };
const FRESH = { tags: INITIAL.tags, desired: INITIAL.properties.desired, reported: {} };
const AT_ONCE = 4;

/** What a twin holds, and the versions of its two sections. */
function seen({ tags, properties: { desired, reported } }) {
  return {
    content: { tags, desired: bare(desired), reported: bare(reported) },
    versions: { desired: desired.$version, reported: reported.$version },
  };
}

class Cell {
  constructor(estate, policy, rule, scene) {
    Object.assign(this, { estate, policy, rule, scene });
    this.id = `${policy}-${rule}-${scene}`.replace(/[^A-Za-z0-9]+/g, '-').toLowerCase();
    this.name = `${policy}, ${rule}, ${scene}`;
    this.outcome = OUTCOMES[scene][RULES[rule].as];
  }

  terms(hubs, more = {}) {
    return { policy: this.policy, hubs, rule: RULES[this.rule].reprovision, initialTwin: INITIAL, ...more };
  }

  /** What the policy is told from now on; of a function, what it answers. */
  async says(hubs, chosen, more) {
    this.hubs = hubs;
    this.estate.chooser.answers.set(this.id, { iotHubHostName: this.estate.host(chosen) });
    if (this.who) await this.estate.change(this.id, this.terms(hubs, more));
    else this.who = { ...await this.estate.enroll(this.id, this.terms(hubs, more)), version: RULES[this.rule].version };
  }

  register() {
    return this.estate.register(this.who);
  }

  /** The device is at hub `at`: what it was told, what the record says, which hubs hold it. */
  async isAt(state, at, substatus, holders = [at], deviceId = this.id) {
    const { estate } = this;
    const told = [state.status, estate.named(state.assignedHub), state.deviceId, state.substatus];
    assert.deepStrictEqual(told, ['assigned', at, deviceId, toldToOldDevices(substatus)], 'what the device is told');
    const record = await estate.record(this.id);
    const recorded = [record.status, estate.named(record.assignedHub), record.deviceId, record.substatus];
    assert.deepStrictEqual(recorded, ['assigned', at, deviceId, substatus], 'the record');
    assert.deepStrictEqual((await estate.holders(deviceId)).sort(), [...holders].sort(), 'the hubs that hold it');
    const { symmetricKey } = (await estate.hubs[at].identity(deviceId)).authentication;
    assert.strictEqual(symmetricKey.primaryKey, this.who.key, 'its key there');
  }

  async twin(at, deviceId = this.id) {
    return seen(await this.estate.hubs[at].twin(deviceId));
  }

  /** The first registration, and what is written while it lives there. */
  async begin(hubs, chosen) {
    await this.says(hubs, chosen || hubs[0]);
    const state = await this.register();
    this.home = chosen || this.estate.named(state.assignedHub);
    assert.ok(hubs.includes(this.home), `${this.home} is not one of ${hubs}`);
    await this.isAt(state, this.home, 'initialAssignment');
    this.first = await this.twin(this.home);
    assert.deepStrictEqual(this.first, { content: FRESH, versions: { desired: 2, reported: 1 } });
  }

  async live() {
    const hub = this.estate.hubs[this.home];
    await hub.must('PATCH', `/twins/${this.id}`, OPERATOR, { 'If-Match': '"*"' });
    await sdk.report(hub, this.who, REPORTED);
    this.lived = await this.twin(this.home);
    assert.deepStrictEqual(this.lived.content, LIVED);
    assert.strictEqual(this.lived.versions.reported, 2, 'reported.$version after one update');
    this.generation = (await hub.identity(this.id)).generationId;
  }

  /** The last registration against the table. */
  async ends(other, deviceId) {
    const { at, substatus, twin, left } = this.outcome;
    const place = at === 'home' ? this.home : other;
    await this.isAt(await this.register(), place, substatus, left === 'kept' ? [place, this.home] : [place], deviceId);
    const now = await this.twin(place, deviceId);
    if (twin === 'fresh') assert.deepStrictEqual(now, this.first, 'the twin');
    if (twin === 'kept') assert.deepStrictEqual(now, this.lived, 'the twin');
    if (twin === 'moved') {
      assert.deepStrictEqual(now.content, this.lived.content, 'the twin');
      assert.strictEqual(now.versions.reported, 2, 'reported.$version');
    }
    if (twin === 'adopted') {
      assert.deepStrictEqual(now.content, { ...FRESH, reported: REPORTED }, 'the twin');
      assert.deepStrictEqual(now.versions, { desired: this.lived.versions.desired + 1, reported: 2 }, 'versions of the twin');
      assert.strictEqual((await this.estate.hubs[place].identity(this.id)).generationId, this.generation, 'generation');
    }
    if (twin === 'kept') assert.strictEqual((await this.estate.hubs[place].identity(this.id)).generationId, this.generation, 'generation');
  }

  /** The function was asked when allocation was evaluated, and only then; the second time it was told where the device is. */
  asked() {
    if (this.policy !== 'custom') return;
    const asks = this.estate.chooser.asksFor(this.id);
    const homeless = ['its registration deleted', 'its hub unlinked'].includes(this.scene);
    const evaluated = homeless || (this.scene !== 'the first time' && RULES[this.rule].as !== 'never');
    assert.strictEqual(asks.length, evaluated ? 2 : 1, 'how often the function was asked');
    const { deviceRuntimeContext: context, linkedHubs } = asks[asks.length - 1].body;
    assert.deepStrictEqual(linkedHubs.map((host) => this.estate.named(host)), this.hubs.filter((hub) => !evaluated || hub !== 'c' || this.scene !== 'its hub unlinked'), 'linkedHubs');
    if (evaluated && !homeless) assert.deepStrictEqual([context.currentIotHubHostName, context.currentDeviceId], [this.estate.host(this.home), this.id]);
    if (this.scene === 'its registration deleted') assert.ok(!('currentIotHubHostName' in context), 'a hub of a deleted registration');
  }

  /** What happens between the two registrations; returns where the policy says that the device is to go. */
  async happens() {
    const { after, then } = POLICIES[this.policy];
    const { scene, estate, home } = this;
    if (scene === 'the same hub') return home;
    if (scene === 'its hub changed by the policy') {
      const other = then || (home === 'a' ? 'b' : 'a');
      await this.says(after === 'the other' ? [other] : after, other);
      return other;
    }
    if (scene === "its enrollment's device ID changed") {
      await this.says(this.hubs, home, { deviceId: `${this.id}-renamed` });
      return home;
    }
    if (scene === 'its registration deleted') {
      await estate.service.control.must('DELETE', `/registrations/${this.id}?${API}`);
      return home;
    }
    throw new Error(`nothing happens in ${scene}`);
  }

  /** A changed device ID holds once the registration is deleted; the old identity stays with the hub. */
  async renamed() {
    const { estate, id, home } = this;
    const deviceId = `${id}-renamed`;
    await estate.service.control.must('DELETE', `/registrations/${id}?${API}`);
    await this.isAt(await this.register(), home, 'initialAssignment', [home], deviceId);
    assert.deepStrictEqual(await estate.holders(id), [home], 'the identity of the old name');
    assert.deepStrictEqual(await this.twin(home, deviceId), this.first);
  }

  async play() {
    const { before, first } = POLICIES[this.policy];
    await this.begin(before, first || (this.policy === 'custom' ? 'a' : undefined));
    if (this.scene === 'the first time') return this.asked();
    await this.live();
    await this.ends(await this.happens());
    this.asked();
    return this.scene === "its enrollment's device ID changed" ? this.renamed() : undefined;
  }
}

function cells(estate, scenes) {
  const all = [];
  for (const policy of Object.keys(POLICIES)) {
    for (const rule of Object.keys(RULES)) for (const scene of scenes) all.push(new Cell(estate, policy, rule, scene));
  }
  return all;
}

/** All cells but those whose hub is unlinked. */
async function table(report, estate) {
  const scenes = Object.keys(OUTCOMES).filter((scene) => scene !== 'its hub unlinked');
  await inParallel(AT_ONCE, cells(estate, scenes), (cell) => report.check(cell.name, () => cell.play()));
}

/** Hub C is unlinked under devices of every policy and rule; linked again, what they left there goes by itself. */
async function unlinked(report, estate) {
  const all = cells(estate, ['its hub unlinked']);
  const begun = new Set();
  await inParallel(AT_ONCE, all, async (cell) => {
    try {
      await cell.begin(['c'], 'c');
      await cell.live();
      await cell.says(cell.policy === 'static' ? ['a'] : ['c', 'a'], 'a'); // static takes one
      begun.add(cell);
    } catch (error) {
      report.fail(cell.name, error.message);
    }
  });
  await estate.unlink('c');
  await inParallel(AT_ONCE, [...begun], (cell) => report.check(cell.name, async () => {
    await cell.ends('a');
    cell.asked();
  }));
  await report.check('linked again, and the service started again: what was left behind at the hub goes by itself', async () => {
    await estate.link('c');
    await estate.restartService();
    const left = new Set([...begun].map(({ id }) => id));
    await until(20000, 'hub C to hold no device that left it', async () => (await estate.hubs.c.identities()).every(({ deviceId }) => !left.has(deviceId)));
    for (const cell of begun) assert.deepStrictEqual(await estate.holders(cell.id), ['a'], cell.name);
  });
}

module.exports = { table, unlinked, INITIAL, REPORTED, FRESH, LIVED, seen };
