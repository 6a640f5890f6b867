// Hubs that an operator cordons, drains or caps, hubs that fail, and how far they are.
'use strict';

const assert = require('assert');
const fs = require('fs');
const device = require('../lib/device');
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

  /** Hub `name` is as `usher hub VERB …` makes it while `body` runs, and then open and without a limit, whatever happened. */
  async while([verb, name, ...more], body) {
    try {
      await this.hub(verb, name, ...more);
      await body();
    } finally {
      await this.hub('open', name);
      await this.hub('update', name, '--capacity', 'none');
    }
  }

  /** The service's settings are these while `body` runs, and then the others. */
  async saying(settings, others, body) {
    const say = (what) => this.estate.service.control.must('PUT', '/control/services/dev', what, { 'If-Match': '*' });
    try {
      await say(settings);
      await body();
    } finally {
      await say(others);
    }
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
    await scene.while(['cordon', 'a'], async () => {
      assert.strictEqual((await scene.estate.linked('a')).state, 'cordoned');
      assert.strictEqual(await scene.goes(await scene.device('geoLatency', ['a', 'b'])), 'b');
      for (let i = 0; i < 6; i += 1) assert.strictEqual(await scene.goes(await scene.device('hashed', ['a', 'b'])), 'b');
      await scene.homeless(await scene.device('static', ['a']), undefined);
      assert.deepStrictEqual([await scene.goes(own), await scene.goes(only)], ['a', 'a']);
      assert.strictEqual(await scene.substatus(own), 'reprovisionedToInitialAssignment');
    });
    assert.strictEqual(await scene.goes(await scene.device('geoLatency', ['a', 'b'])), 'a');
  });
  await report.check('where the service says static, and an enrollment nothing: all go to one hub, to another while that one is cordoned, and leave it when it drains', async () => {
    await scene.saying({ allocationPolicy: 'static' }, { allocationPolicy: 'hashed' }, async () => {
      const own = await scene.device(undefined, []);
      const first = await scene.goes(own);
      for (let i = 0; i < 3; i += 1) assert.strictEqual(await scene.goes(await scene.device(undefined, [])), first);
      await scene.while(['cordon', first], async () => {
        const second = await scene.goes(await scene.device(undefined, []));
        assert.notStrictEqual(second, first);
        assert.strictEqual(await scene.goes(own), first);
        await scene.hub('drain', first);
        assert.strictEqual(await scene.goes(own), second);
      });
      assert.strictEqual(await scene.goes(own), first);
    });
  });
  await report.check('a function is not offered a cordoned hub, and may not choose it', async () => {
    const { chooser } = scene.estate;
    await scene.while(['cordon', 'a'], async () => {
      const who = await scene.device('custom', ['a', 'b']);
      chooser.answers.set(who.id, { iotHubHostName: scene.estate.host('a') });
      assert.strictEqual((await scene.estate.fails(who)).errorCode, 400207);
      assert.deepStrictEqual(chooser.asksFor(who.id)[0].body.linkedHubs, [scene.estate.host('b')]);
    });
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
    await scene.while(['drain', 'a'], async () => {
      assert.strictEqual((await estate.linked('a')).state, 'draining');
      assert.strictEqual(await scene.goes(moves), 'b');
      assert.strictEqual(await scene.substatus(moves), 'deviceDataMigrated');
      assert.deepStrictEqual(seen(await estate.hubs.b.twin(moves.id)).content, { ...LIVED, reported: {} });
      assert.strictEqual(await scene.goes(stays), 'a');
      await scene.homeless(stuck, 'a');
      assert.strictEqual(await scene.goes(await scene.device('geoLatency', ['a', 'b'])), 'b');
    });
    assert.strictEqual(await scene.goes(stuck), 'a');
    assert.strictEqual(await scene.goes(moves), 'a'); // the nearest again
  });
}

async function capped(report, scene) {
  await report.check('a full hub takes no more devices, its own stay, and there is room again when some leave', async () => {
    const { estate } = scene;
    const fresh = () => scene.device('geoLatency', ['a', 'b']);
    const { devices } = await estate.linked('a');
    await scene.while(['update', 'a', '--capacity', String(devices + 2)], async () => {
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
    });
  });
}

async function failing(report, scene) {
  const { estate } = scene;
  const health = async () => (await estate.linked('a')).health.state;
  const avoid = { avoidFailingHubs: true };
  await report.check('a hub that fails is seen, left out where the service avoids it, and used again when it is back, without anybody', () => scene.saying(avoid, { avoidFailingHubs: false }, async () => {
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
  }), 60000);
}

async function measured(report, scene) {
  await report.check('a measured latency outranks distance; a hub without a figure is no candidate then', async () => {
    const { estate } = scene;
    const latencies = [['c', 1.5], ['b', 20]].map(([name, milliseconds]) => ({ zone: 'bench', hub: estate.host(name), milliseconds }));
    assert.strictEqual(await scene.goes(await scene.device('geoLatency', ['a', 'b', 'c'])), 'a');
    await scene.saying({ latencies }, { latencies: [] }, async () => {
      assert.strictEqual(await scene.goes(await scene.device('geoLatency', ['a', 'b', 'c'])), 'c');
      assert.strictEqual(await scene.goes(await scene.device('geoLatency', ['a', 'b'])), 'b');
    });
    assert.strictEqual(await scene.goes(await scene.device('geoLatency', ['a', 'b', 'c'])), 'a');
  });
  await report.check('the same by command: `usher service update`', async () => {
    const { service } = scene.estate;
    const file = `${scene.estate.dir}/latencies.json`;
    fs.writeFileSync(file, JSON.stringify([{ zone: 'bench', hub: scene.estate.host('c'), milliseconds: 2 }]));
    await mustUsher(service, ['service', 'update', 'dev', '--avoid-failing-hubs', '--unreachable-hub', 'wait', '--latencies', file]);
    const now = await service.control.must('GET', '/control/services/dev');
    assert.deepStrictEqual([now.avoidFailingHubs, now.unreachableHub, now.latencies.length], [true, 'wait', 1]);
    fs.writeFileSync(file, '[]');
    await mustUsher(service, ['service', 'update', 'dev', '--no-avoid-failing-hubs', '--latencies', file]);
    await service.control.must('PUT', '/control/services/dev', { unreachableHub: null }, { 'If-Match': '*' });
  });
}

/** D.4, over MQTT and HTTPS: devices of a newer API than the SDK's. */
async function newer(report, scene) {
  await report.check('a device of API 2021-06-01 is told reprovisionedToInitialAssignment when it is where it was', async () => {
    const { service } = scene.estate;
    const who = { ...await scene.device('static', ['a']), version: '2021-06-01' };
    assert.strictEqual((await scene.estate.register(who)).substatus, 'initialAssignment');
    assert.strictEqual((await scene.estate.register(who)).substatus, 'reprovisionedToInitialAssignment');
    for (const [version, told] of [['2021-06-01', 'reprovisionedToInitialAssignment'], ['2019-04-15', 'reprovisionedToInitialAssignment'], ['2019-03-31', 'initialAssignment']]) {
      const { json } = await device.registerHttp(service, { ...who, version });
      assert.strictEqual(json.registrationState.substatus, told, version);
    }
  });
}

async function scenes(report, estate) {
  const scene = new Scene(estate);
  await cordoned(report, scene);
  await drained(report, scene);
  await capped(report, scene);
  await failing(report, scene);
  await measured(report, scene);
  await newer(report, scene);
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
