// Hubs that an operator cordons, drains or caps, hubs that fail, and how far they are.
'use strict';

const assert = require('assert');
const fs = require('fs');
const { INITIAL, LIVED, seen } = require('./cells');
const { mustUsher } = require('../lib/control');
const { until } = require('../lib/wait');

const RULES = {
  migrate: { updateHubAssignment: true, migrateDeviceData: true },
  never: { updateHubAssignment: false, migrateDeviceData: false },
};
const NO_HUB = 400208;

class Scene {
  constructor(estate) {
    this.estate = estate;
    this.count = 0;
  }

  /** `usher hub VERB HUB …`. */
  hub(verb, name, ...more) {
    return mustUsher(this.estate.service, ['hub', verb, this.estate.host(name), ...more]);
  }

  /** A device of an enrollment with these terms, not yet registered. */
  device(policy, hubs, rule = RULES.migrate) {
    this.count += 1;
    return this.estate.enroll(`hubs-${this.count}`, { policy, hubs, rule, initialTwin: INITIAL });
  }

  /** Registers: the name of its hub, which is the only one that holds it. */
  async goes(who) {
    const { assignedHub } = await this.estate.register(who);
    const at = this.estate.named(assignedHub);
    assert.deepStrictEqual(await this.estate.holders(who.id), [at], `the hubs that hold ${who.id}`);
    return at;
  }

  /** Registers, and there is no hub: the record's hub stays `at`. */
  async homeless(who, at) {
    const { status, errorCode, errorMessage, assignedHub } = await this.estate.fails(who);
    assert.deepStrictEqual([status, errorCode], ['failed', NO_HUB], errorMessage);
    assert.strictEqual(assignedHub && this.estate.named(assignedHub), at, 'where it is recorded');
    assert.deepStrictEqual(await this.estate.holders(who.id), at ? [at] : []);
    return errorMessage;
  }

  async substatus(who) {
    return (await this.estate.record(who.id)).substatus;
  }
}

async function cordoned(report, scene) {
  await report.check('a cordoned hub takes no new devices: the next best does; its own stay', async () => {
    const own = await scene.device('geoLatency', ['a', 'b']);
    const only = await scene.device('static', ['a']);
    assert.deepStrictEqual([await scene.goes(own), await scene.goes(only)], ['a', 'a']);
    await scene.hub('cordon', 'a');
    assert.strictEqual((await scene.estate.linked('a')).state, 'cordoned');
    assert.strictEqual(await scene.goes(await scene.device('geoLatency', ['a', 'b'])), 'b');
    for (let i = 0; i < 6; i += 1) assert.strictEqual(await scene.goes(await scene.device('hashed', ['a', 'b'])), 'b');
    await scene.homeless(await scene.device('static', ['a']), undefined);
    assert.deepStrictEqual([await scene.goes(own), await scene.goes(only)], ['a', 'a']);
    assert.strictEqual(await scene.substatus(own), 'reprovisionedToInitialAssignment');
    await scene.hub('open', 'a');
    assert.strictEqual(await scene.goes(await scene.device('geoLatency', ['a', 'b'])), 'a');
  });
  await report.check('where the service says static, and an enrollment nothing: all go to one hub, to another while that one is cordoned, and leave it when it drains', async () => {
    const said = (policy) => scene.estate.service.control.must('PUT', '/control/services/dev', { allocationPolicy: policy }, { 'If-Match': '*' });
    await said('static');
    const own = await scene.device(undefined, []);
    const first = await scene.goes(own);
    for (let i = 0; i < 3; i += 1) assert.strictEqual(await scene.goes(await scene.device(undefined, [])), first);
    await scene.hub('cordon', first);
    const second = await scene.goes(await scene.device(undefined, []));
    assert.notStrictEqual(second, first);
    assert.strictEqual(await scene.goes(own), first);
    await scene.hub('drain', first);
    assert.strictEqual(await scene.goes(own), second);
    await scene.hub('open', first);
    assert.strictEqual(await scene.goes(own), first);
    await said('hashed');
  });
  await report.check('a function is not offered a cordoned hub, and may not choose it', async () => {
    const { chooser } = scene.estate;
    await scene.hub('cordon', 'a');
    const who = await scene.device('custom', ['a', 'b']);
    chooser.answers.set(who.id, { iotHubHostName: scene.estate.host('a') });
    assert.strictEqual((await scene.estate.fails(who)).errorCode, 400207);
    assert.deepStrictEqual(chooser.asksFor(who.id)[0].body.linkedHubs, [scene.estate.host('b')]);
    await scene.hub('open', 'a');
  });
}

async function drained(report, scene) {
  await report.check('of a draining hub devices move with their data as they reprovision; those that never do stay, and so do those with no other place', async () => {
    const { estate } = scene;
    const moves = await scene.device('geoLatency', ['a', 'b']);
    const stays = await scene.device('geoLatency', ['a', 'b'], RULES.never);
    const stuck = await scene.device('static', ['a']);
    for (const who of [moves, stays, stuck]) assert.strictEqual(await scene.goes(who), 'a');
    await estate.hubs.a.must('PATCH', `/twins/${moves.id}`, { tags: LIVED.tags, properties: { desired: LIVED.desired } }, { 'If-Match': '"*"' });
    await scene.hub('drain', 'a');
    assert.strictEqual((await estate.linked('a')).state, 'draining');
    assert.strictEqual(await scene.goes(moves), 'b');
    assert.strictEqual(await scene.substatus(moves), 'deviceDataMigrated');
    assert.deepStrictEqual(seen(await estate.hubs.b.twin(moves.id)).content, { ...LIVED, reported: {} });
    assert.strictEqual(await scene.goes(stays), 'a');
    await scene.homeless(stuck, 'a');
    assert.strictEqual(await scene.goes(await scene.device('geoLatency', ['a', 'b'])), 'b');
    await scene.hub('open', 'a');
    assert.strictEqual(await scene.goes(stuck), 'a');
    assert.strictEqual(await scene.goes(moves), 'a'); // the nearest again
  });
}

async function capped(report, scene) {
  await report.check('a full hub takes no more devices, its own stay, and there is room again when some leave', async () => {
    const { estate } = scene;
    const fresh = () => scene.device('geoLatency', ['a', 'b']);
    const { devices } = await estate.linked('a');
    await scene.hub('update', 'a', '--capacity', String(devices + 2));
    const group = [await fresh(), await fresh()];
    for (const who of group) assert.strictEqual(await scene.goes(who), 'a', 'while there is room');
    assert.strictEqual(await scene.goes(await fresh()), 'b');
    await scene.homeless(await scene.device('static', ['a']), undefined);
    assert.strictEqual(await scene.goes(group[0]), 'a');
    assert.strictEqual((await estate.linked('a')).devices, devices + 2);
    await estate.change(group[1].id, { policy: 'static', hubs: ['b'], rule: RULES.migrate });
    assert.strictEqual(await scene.goes(group[1]), 'b');
    const next = await fresh();
    // The count may be a second old.
    await until(5000, 'room at hub A', async () => (await scene.goes(next)) === 'a');
    await scene.hub('update', 'a', '--capacity', '0');
  });
}

async function failing(report, scene) {
  const { estate } = scene;
  const { service } = estate;
  const health = async () => (await estate.linked('a')).health.state;
  await report.check('a hub that fails is seen, left out where the service avoids it, and used again when it is back, without anybody', async () => {
    await mustUsher(service, ['service', 'update', '--avoid-failing-hubs']);
    const own = await scene.device('geoLatency', ['a', 'b']);
    assert.strictEqual(await scene.goes(own), 'a');
    const fresh = await scene.device('geoLatency', ['a', 'b']);
    const only = await scene.device('static', ['a']);
    let waiting;
    estate.hubs.a.server.child.kill('SIGSTOP');
    try {
      waiting = estate.register(only); // nowhere else to go: it waits for its hub
      waiting.catch(() => {});
      await until(20000, 'hub A to be seen to fail', async () => (await health()) === 'failing');
      assert.match(await scene.hub('show', 'a'), /failing/);
      const { assignedHub } = await estate.register(fresh);
      assert.strictEqual(estate.named(assignedHub), 'b');
    } finally {
      estate.hubs.a.server.child.kill('SIGCONT');
    }
    assert.strictEqual(estate.named((await waiting).assignedHub), 'a');
    await until(20000, 'hub A to be seen to be well', async () => (await health()) === 'well');
    assert.strictEqual(await scene.goes(await scene.device('geoLatency', ['a', 'b'])), 'a');
    assert.strictEqual(await scene.goes(own), 'a');
    await mustUsher(service, ['service', 'update', '--no-avoid-failing-hubs']);
  }, 60000);
}

async function measured(report, scene) {
  await report.check('a measured latency outranks distance; a hub without a figure is no candidate then', async () => {
    const { estate } = scene;
    const file = `${estate.dir}/latencies.json`;
    const row = (name, milliseconds) => ({ zone: 'bench', hub: estate.host(name), milliseconds });
    fs.writeFileSync(file, JSON.stringify([row('c', 1.5), row('b', 20)]));
    assert.strictEqual(await scene.goes(await scene.device('geoLatency', ['a', 'b', 'c'])), 'a');
    await mustUsher(estate.service, ['service', 'update', '--latencies', file]);
    assert.strictEqual(await scene.goes(await scene.device('geoLatency', ['a', 'b', 'c'])), 'c');
    assert.strictEqual(await scene.goes(await scene.device('geoLatency', ['a', 'b'])), 'b');
    fs.writeFileSync(file, '[]');
    await mustUsher(estate.service, ['service', 'update', '--latencies', file]);
    assert.strictEqual(await scene.goes(await scene.device('geoLatency', ['a', 'b', 'c'])), 'a');
  });
}

async function scenes(report, estate) {
  const scene = new Scene(estate);
  await cordoned(report, scene);
  await drained(report, scene);
  await capped(report, scene);
  await failing(report, scene);
  await measured(report, scene);
}

/** I4, over all three. */
async function named(report, estate) {
  await report.check('every identity in the hubs is named by a registration, or was left there by one that was deleted', async () => {
    let count = 0;
    for (const [name, hub] of Object.entries(estate.hubs)) {
      for (const { deviceId } of await hub.identities()) {
        const record = await estate.record(deviceId.replace(/-renamed$/, ''));
        const deleted = /device-id-changed$/.test(deviceId); // A.10: its registration was deleted, then made for another name
        if (!deleted) assert.deepStrictEqual([record.deviceId, estate.named(record.assignedHub)], [deviceId, name]);
        count += 1;
      }
    }
    assert.ok(count > 100, `only ${count} identities`);
  });
}

module.exports = { scenes, named };
