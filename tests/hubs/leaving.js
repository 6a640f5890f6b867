// A device is to leave a hub that cannot be reached: by the rule that it waits for its data, and by the one that it goes on without.
'use strict';

const assert = require('assert');
const usherd = require('../lib/usherd');
const { API, mustUsher } = require('../lib/control');
const { bare } = require('../lib/far-hub');
const { poll, follow, provision, beginWhileAway } = require('./pair');
const { pause, until } = require('../lib/wait');

const TWIN = { tags: { site: 'north' }, properties: { desired: { level: 3 } } };
const REPORTED = { temperature: 21.5 };
const RULES = {
  migrate: { updateHubAssignment: true, migrateDeviceData: true },
  reset: { updateHubAssignment: true, migrateDeviceData: false },
};
const LIFE_MS = 60000; // device.operationLife of this service: the shortest there is
const TIDY_MS = 120000; // leftovers are looked for every minute, and at a hub that failed a minute later

class Leaving {
  constructor(trouble, gate) {
    Object.assign(this, { trouble, gate, service: trouble.service, far: trouble.far, own: trouble.own });
  }

  /** A device that lives at the hub behind the gate, and has reported there; from now on it is to be at the service's own. */
  async settled(id, rule) {
    const terms = { reprovisionPolicy: RULES[rule], initialTwin: TWIN };
    const one = await this.trouble.device(id, { to: this.gate.host, ...terms });
    const first = await provision(this.service, one);
    assert.strictEqual(first.registrationState.assignedHub, this.gate.host, JSON.stringify(first));
    await this.far.report(id, one.key, REPORTED);
    const at = `/enrollments/${id}?${API}`;
    const attestation = await this.service.control.must('POST', `/enrollments/${id}/attestationmechanism?${API}`);
    await this.service.control.must('PUT', at, { registrationId: id, attestation, allocationPolicy: 'static', iotHubs: [this.own], ...terms }, { 'If-Match': '*' });
    return one;
  }

  async ownTwin(id) {
    const answer = await this.service.control.request('GET', `/twins/${id}`, undefined, { Host: this.own });
    return answer.status === 404 ? undefined : answer.json;
  }

  /** It is at the service's own hub, with its data or the initial twin. */
  async moved({ id }, json, substatus) {
    assert.strictEqual(json.status, 'assigned', JSON.stringify(json));
    assert.deepStrictEqual([json.registrationState.assignedHub, json.registrationState.substatus], [this.own, substatus]);
    const { tags, properties } = await this.ownTwin(id);
    assert.deepStrictEqual([tags, bare(properties.desired)], [TWIN.tags, TWIN.properties.desired]);
    assert.deepStrictEqual(bare(properties.reported), substatus === 'deviceDataMigrated' ? REPORTED : {});
  }

  /** What the service remembers that it left behind. */
  async leftAt({ id }) {
    return JSON.parse(await mustUsher(this.service, ['registration', 'show', id, '--json'])).leftHub;
  }

  /** The rule of the service for hubs that cannot be reached. */
  rule(name) {
    return this.service.control.must('PUT', '/control/services/dev', { unreachableHub: name }, { 'If-Match': '*' });
  }
}

async function waits(report, leaving) {
  const { service, gate, far } = leaving;
  for (const [rule, said] of [['migrate', null], ['reset', 'wait']]) {
    await report.check(`the old hub is silent, and the rule is to wait (${rule}${said ? ', as the service says' : ', as is the default'}): the device stays there, and moves once the hub answers`, async () => {
      const one = await leaving.settled(`waits-${rule}`, rule);
      await leaving.rule(said);
      await gate.while('silent', async () => {
        one.operationId = await beginWhileAway(service, one);
        await service.log.waitFor('did not answer in time', { mark: 0, ms: 20000 });
        assert.strictEqual((await poll(service, one)).json.status, 'assigning');
        // Without data to wait for, it is made at the new hub, and what is waited for is that it is gone at the old one.
        if (rule === 'migrate') assert.strictEqual(await leaving.ownTwin(one.id), undefined, 'the new hub holds it already');
        assert.ok(await far.identity(one.id));
      });
      await leaving.moved(one, await follow(service, one), rule === 'migrate' ? 'deviceDataMigrated' : 'deviceDataReset');
      assert.strictEqual(await far.identity(one.id), undefined);
      await leaving.rule(null);
    }, 90000);
  }
}

async function proceeds(report, leaving, left) {
  const { service, gate, far } = leaving;
  for (const [rule, said] of [['reset', null], ['migrate', 'proceed']]) {
    await report.check(`the old hub is down, and the rule is to go on (${rule}${said ? ', as the service says' : ', as is the default'}): the device is at its new hub with the initial twin, and the record names what it left`, async () => {
      const one = await leaving.settled(`proceeds-${rule}`, rule);
      await leaving.rule(said);
      await gate.while('down', async () => leaving.moved(one, await provision(service, one), 'deviceDataReset'));
      left.push(one);
      assert.ok(await far.identity(one.id), 'the old hub, which could not be reached, holds it no more');
      assert.strictEqual(await leaving.leftAt(one), gate.host);
      await leaving.rule(null);
    }, 60000);
  }
  await report.check('the old hub turns the service down (401): as if it could not be reached', async () => {
    const one = await leaving.settled('turned-down', 'reset');
    const { accepted } = gate;
    gate.accepted = [];
    try {
      await leaving.moved(one, await provision(service, one), 'deviceDataReset');
    } finally {
      gate.accepted = accepted;
    }
    left.push(one);
    assert.strictEqual(await leaving.leftAt(one), gate.host);
  }, 60000);
  await report.check('the copy stands and the old hub does not remove: the device is assigned with its data, and the record names what it left', async () => {
    const one = await leaving.settled('undeletable', 'migrate');
    await gate.while('undeletable', async () => leaving.moved(one, await provision(service, { ...one, ms: LIFE_MS + 20000 }), 'deviceDataMigrated'));
    left.push(one);
    assert.ok(await far.identity(one.id));
    assert.strictEqual(await leaving.leftAt(one), gate.host);
  }, LIFE_MS + 30000);
}

/** Of a service and a hub of their own, so that the others need not wait: down for the whole life of an operation. */
async function givesUp(report, other) {
  const one = await other.settled('gives-up', 'migrate');
  await other.gate.be('down');
  one.operationId = await beginWhileAway(other.service, one);
  return () => report.check('the old hub is down as long as an operation lives: it fails, the device is still recorded there, and the next registration moves it', async () => {
    const json = await until(LIFE_MS + 30000, 'the operation to be given up', async () => {
      const got = (await poll(other.service, one)).json;
      return got.status !== 'assigning' && got;
    });
    assert.strictEqual(json.status, 'failed', JSON.stringify(json));
    const { status, assignedHub } = await other.trouble.record(one.id);
    assert.deepStrictEqual([status, assignedHub], ['failed', other.gate.host]);
    assert.strictEqual(await other.ownTwin(one.id), undefined);
    await other.gate.be('well');
    await other.moved(one, await provision(other.service, one), 'deviceDataMigrated');
    assert.strictEqual(await other.far.identity(one.id), undefined);
  }, LIFE_MS + 60000).then(() => usherd.checkStop(report, other.service, 'the service of a hub that stayed away'));
}

/** `another`: a second service, with a gate of its own before the same hub. */
async function run(report, trouble, another) {
  const leaving = new Leaving(trouble, trouble.gate);
  const last = await givesUp(report, new Leaving(another, another.gate));
  const left = [];
  await waits(report, leaving);
  await proceeds(report, leaving, left);
  await last();
  await report.check('once the hub can be reached, what was left behind there goes by itself, and the records name it no more', async () => {
    assert.ok(left.length >= 4, `${left.length} devices left something`);
    await until(TIDY_MS + 30000, 'nothing to be left behind', async () => {
      await pause(500);
      return (await Promise.all(left.map(({ id }) => trouble.far.identity(id)))).every((it) => !it);
    });
    for (const one of left) assert.strictEqual(await leaving.leftAt(one) || '', '', one.id);
  }, TIDY_MS + 60000);
}

module.exports = { run };
