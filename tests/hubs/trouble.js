// A hub behind a gate that is down, silent, slow, throttling, broken, or not who it should be; and keys that were rotated. Devices are
// told to come back or the stated failure, other hubs go on, and all is well again without anybody.
'use strict';

const assert = require('assert');
const device = require('../lib/device');
const leaving = require('./leaving');
const usherd = require('../lib/usherd');
const { Gate, POLICY, RETRY_AFTER_S } = require('./gate');
const { mustUsher } = require('../lib/control');
const { startService, poll, follow, provision, beginWhileAway } = require('./pair');
const { pause } = require('../lib/wait');

const AWAY = {
  down: 'refuses connections', silent: 'takes connections and says nothing', throttled: 'answers 429 with Retry-After',
  broken: 'answers 500', overloaded: 'answers 503', strange: 'shows a certificate that is not trusted',
};
const UNAFFECTED_MS = 1500; // a registration at another hub, sanitized, on a busy machine

class Trouble {
  static async start(pair) {
    const trouble = new Trouble();
    trouble.far = pair.far;
    trouble.gate = await Gate.open(pair.far, pair.dir); // the certificate of the service, from another CA
    trouble.service = await startService({ dir: usherd.scratch(), caFile: pair.hub.caFile, settings: { 'device.operationLife': 1 } });
    trouble.own = trouble.service.hub;
    trouble.names = [];
    await trouble.link(trouble.gate);
    return trouble;
  }

  link(gate, { primary = this.keys().primaryKey, secondary } = {}) {
    const string = (key) => this.far.connectionString(POLICY, key, gate.host);
    return mustUsher(this.service, ['hub', 'link', gate.host, '--connection-string', string(primary),
      ...(secondary ? ['--secondary-connection-string', string(secondary)] : [])]);
  }

  keys() {
    return this.far.policies[POLICY];
  }

  /** An individual enrollment whose device goes to `to`. */
  async device(id, { to = this.gate.host, ...more } = {}) {
    const made = await this.service.control.enroll(id, { allocationPolicy: 'static', iotHubs: [to], ...more });
    this.names.push(id);
    return { id, key: made.attestation.symmetricKey.primaryKey };
  }

  async record(id) {
    return (await this.service.control.registration(id)).json;
  }

  /** A new device of the service's own hub is assigned at once. */
  async othersGoOn(id) {
    const one = await this.device(id, { to: this.own });
    const began = Date.now();
    const { json } = await device.registerHttp(this.service, one);
    assert.strictEqual(json.status, 'assigned', JSON.stringify(json));
    assert.ok(Date.now() - began < UNAFFECTED_MS, `a registration at another hub took ${Date.now() - began} ms`);
  }

  async isAssigned(one, json, to = this.gate.host) {
    assert.strictEqual(json.status, 'assigned', JSON.stringify(json));
    assert.strictEqual(json.registrationState.assignedHub, to);
    if (to === this.gate.host) assert.strictEqual((await this.far.identity(one.id)).authentication.symmetricKey.primaryKey, one.key);
  }
}

async function away(report, trouble) {
  const { service, gate } = trouble;
  for (const [mode, words] of Object.entries(AWAY)) {
    await report.check(`a hub that ${words}: new and known devices are told to come back, others go on, and both are assigned once it is well`, async () => {
      const known = await trouble.device(`known-${mode}`);
      await trouble.isAssigned(known, await provision(service, known));
      const fresh = await trouble.device(`fresh-${mode}`);
      await gate.while(mode, async () => {
        for (const one of [known, fresh]) one.operationId = await beginWhileAway(service, one);
        await trouble.othersGoOn(`other-${mode}`);
        const { status, json } = await poll(service, fresh);
        assert.deepStrictEqual([status, json.status], [202, 'assigning']);
        assert.strictEqual((await trouble.record(fresh.id)).status, 'assigning');
        assert.strictEqual(await trouble.far.identity(fresh.id), undefined);
      });
      for (const one of [known, fresh]) await trouble.isAssigned(one, await follow(service, one));
      const again = await provision(service, fresh);
      assert.strictEqual(again.registrationState.assignedHub, gate.host);
    }, 90000);
  }
  await report.check('a hub that asks for quiet is called no sooner than it says', async () => {
    const one = await trouble.device('quiet');
    await gate.while('throttled', async () => {
      one.operationId = await beginWhileAway(service, one);
      gate.calls = 0;
      await pause(3 * RETRY_AFTER_S * 1000); // time is what is measured here
      assert.ok(gate.calls <= 4, `${gate.calls} calls in ${3 * RETRY_AFTER_S} s, with Retry-After ${RETRY_AFTER_S}`);
    });
    await trouble.isAssigned(one, await follow(service, one));
  }, 60000);
  await report.check('a slow hub: a device is told to come back, is assigned, and others do not wait for it', async () => {
    const one = await trouble.device('slow');
    await gate.while('slow', async () => {
      const slow = provision(service, one);
      await trouble.othersGoOn('other-slow');
      await trouble.isAssigned(one, await slow);
    });
  });
}

async function keys(report, trouble) {
  const { service, gate } = trouble;
  const { primaryKey: primary, secondaryKey: secondary } = trouble.keys();
  const accepting = async (accepted, body) => {
    const before = gate.accepted;
    gate.accepted = accepted;
    try {
      await body();
    } finally {
      gate.accepted = before;
    }
  };
  await report.check("the hub's primary key is rotated while the link knows the secondary: no registration fails", async () => {
    await trouble.link(gate, { primary, secondary });
    const known = await trouble.device('rotated-known');
    await trouble.isAssigned(known, await provision(service, known));
    await accepting([secondary], async () => {
      const all = [known, ...await Promise.all([1, 2, 3].map((i) => trouble.device(`rotated-${i}`)))];
      for (const one of all) {
        const { json } = await device.registerHttp(service, one); // one answer, at once
        await trouble.isAssigned(one, json.status === 'assigning' ? await follow(service, { ...one, operationId: json.operationId }) : json);
      }
    });
  });
  await report.check('both keys are rotated: 400209 for new and known devices, which stay; others go on; good again when the hub takes a key again', async () => {
    const [known, fresh] = [await trouble.device('both-known'), await trouble.device('both-fresh')];
    await trouble.isAssigned(known, await provision(service, known));
    await accepting([Buffer.alloc(32, 9).toString('base64')], async () => {
      for (const one of [known, fresh]) {
        const { status, registrationState: state } = await provision(service, one);
        assert.deepStrictEqual([status, state.errorCode], ['failed', 400209]);
        assert.match(state.errorMessage, /Unauthorized/i);
      }
      await trouble.othersGoOn('other-both');
      assert.strictEqual((await trouble.record(known.id)).assignedHub, gate.host);
    });
    for (const one of [known, fresh]) await trouble.isAssigned(one, await provision(service, one));
  });
  await report.check('both keys are rotated, and the operator gives the link the new ones: the next registration is good', async () => {
    const fresh = Buffer.alloc(32, 10).toString('base64');
    const one = await trouble.device('new-key');
    await accepting([fresh], async () => {
      assert.strictEqual((await provision(service, one)).registrationState.errorCode, 400209);
      await trouble.link(gate, { primary: fresh });
      await trouble.isAssigned(one, await provision(service, one));
    });
    await trouble.link(gate);
  });
  await report.check('no key of a link is in the log, or shown', async () => {
    const text = service.log.lines.map((line) => line.text).join('\n') + await mustUsher(service, ['hub', 'show', gate.host, '--json']);
    for (const key of [primary, secondary]) assert.ok(!text.includes(key));
  });
}

/** I1 to I4 once all is over. */
async function invariants(report, trouble) {
  const { service, far, own, gate } = trouble;
  await report.check('after all that trouble: each device is at one hub, the one its record names, and no hub holds another', async () => {
    const there = new Set((await far.identities()).map(({ deviceId }) => deviceId));
    const here = new Set((await service.control.must('GET', '/devices?top=1000', undefined, { Host: own })).map(({ deviceId }) => deviceId));
    for (const id of trouble.names) {
      const { status, assignedHub } = await trouble.record(id);
      assert.deepStrictEqual([id, status, there.has(id), here.has(id)], [id, 'assigned', assignedHub === gate.host, assignedHub === own]);
    }
    for (const id of here) assert.ok(trouble.names.includes(id), `${id} is at the service's own hub and no device of this test`);
  });
}

async function run(report, pair) {
  const trouble = await Trouble.start(pair);
  const another = await Trouble.start(pair);
  await away(report, trouble);
  await keys(report, trouble);
  await leaving.run(report, trouble, another);
  await invariants(report, trouble);
  await usherd.checkStop(report, trouble.service, 'the service of a troubled hub');
  for (const { gate } of [trouble, another]) gate.close();
  return trouble.names;
}

module.exports = { run };
