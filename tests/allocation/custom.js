// What a function may answer beside a hub, and what becomes of a device when it does not answer well (service-api C.1 to C.3).
'use strict';

const assert = require('assert');
const sdk = require('./sdk');
const { INITIAL, seen } = require('./cells');
const { KEY } = require('./chooser');

const OWN = { tags: { kind: 'toaster' }, properties: { desired: { state: 'ready' } } };

async function scenes(report, estate) {
  const { chooser } = estate;
  const rule = { updateHubAssignment: true, migrateDeviceData: true };
  const terms = { policy: 'custom', hubs: ['a', 'b'], rule, initialTwin: INITIAL };
  const fails = async (who, at) => {
    const { status, errorCode, errorMessage, assignedHub } = await estate.fails(who);
    assert.deepStrictEqual([status, errorCode], ['failed', 400207]);
    assert.strictEqual(assignedHub && estate.named(assignedHub), at, 'where it is recorded');
    return errorMessage;
  };

  await report.check('the function is asked as documented, and is told no key', async () => {
    const who = await estate.enroll('asked', terms);
    chooser.answers.set(who.id, { iotHubHostName: estate.host('b') });
    assert.strictEqual(estate.named((await estate.register(who)).assignedHub), 'b');
    const [{ body, headers, url }] = chooser.asksFor(who.id);
    assert.strictEqual(url, `/api/choose?code=${KEY}`);
    assert.match(headers['content-type'], /^application\/json/);
    assert.match(headers.traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/);
    assert.strictEqual(body.individualEnrollment.registrationId, who.id);
    assert.strictEqual(body.individualEnrollment.attestation.type, 'symmetricKey');
    assert.deepStrictEqual(body.deviceRuntimeContext, { registrationId: who.id, symmetricKey: {}, payload: { model: 'thermostat' } });
    assert.deepStrictEqual(body.linkedHubs, [estate.host('a'), estate.host('b')]);
    assert.ok(!JSON.stringify(body).includes(who.key), 'a key in the question');
  });
  await report.check("the function's payload reaches the device by its SDK and stays in the record; its twin is the device's, not the enrollment's", async () => {
    const who = await estate.enroll('given', terms);
    chooser.answers.set(who.id, { iotHubHostName: estate.host('a'), initialTwin: OWN, payload: { hello: ['device', 1] } });
    assert.deepStrictEqual((await estate.register(who)).payload, { hello: ['device', 1] });
    assert.deepStrictEqual((await estate.record(who.id)).payload, { hello: ['device', 1] });
    const { content } = seen(await estate.hubs.a.twin(who.id));
    assert.deepStrictEqual(content, { tags: OWN.tags, desired: OWN.properties.desired, reported: {} });
  });
  await report.check("a twin from the function overrides a migration: the device's data is that one, at the new hub and at the same", async () => {
    const who = { id: 'given', key: (await estate.hubs.a.identity('given')).authentication.symmetricKey.primaryKey };
    for (const hub of ['b', 'b']) {
      const before = estate.named((await estate.record(who.id)).assignedHub);
      await sdk.report(estate.hubs[before], who, { seen: true });
      chooser.answers.set(who.id, { iotHubHostName: estate.host(hub), initialTwin: OWN, payload: null });
      const state = await estate.register(who);
      assert.strictEqual(estate.named(state.assignedHub), hub);
      assert.ok(!('payload' in state), 'a payload of null');
      assert.strictEqual((await estate.record(who.id)).substatus, 'deviceDataReset');
      const { content } = seen(await estate.hubs[hub].twin(who.id));
      assert.deepStrictEqual(content, { tags: OWN.tags, desired: OWN.properties.desired, reported: {} });
      assert.deepStrictEqual(await estate.holders(who.id), [hub]);
    }
  });
  await report.check('a function that refuses: 400207 with its status; a new device is nowhere, a known one stays where it was', async () => {
    const who = await estate.enroll('refused', terms);
    chooser.answers.set(who.id, { status: 400 });
    assert.strictEqual(await fails(who, undefined), 'Custom allocation failed with status code: 400');
    assert.deepStrictEqual(await estate.holders(who.id), []);
    chooser.answers.set(who.id, { iotHubHostName: estate.host('a') });
    await estate.register(who);
    chooser.answers.set(who.id, { status: 500 });
    assert.strictEqual(await fails(who, 'a'), 'Custom allocation failed with status code: 500');
    assert.deepStrictEqual(await estate.holders(who.id), ['a']);
  });
  await report.check('a function that chooses a hub it was not offered, or none: 400207, and no other policy takes its place', async () => {
    const who = await estate.enroll('elsewhere', terms);
    for (const answer of [{ iotHubHostName: estate.host('c') }, { iotHubHostName: 'nowhere.example' }, {}, { iotHubHostName: '' }]) {
      chooser.answers.set(who.id, answer);
      await fails(who, undefined);
    }
    assert.deepStrictEqual(await estate.holders(who.id), []);
    chooser.answers.set(who.id, { IOTHUBHOSTNAME: estate.host('b') }); // C.2: in any case
    assert.strictEqual(estate.named((await estate.register(who)).assignedHub), 'b');
  });
}

module.exports = { scenes };
