// Claims: a device that registers again stays where it is: same hub, same device, its twin untouched, its old connection
// string good; after a change of the enrollment's key, its new key reaches the hub with the next registration.
'use strict';

const assert = require('assert');
const { bodyOf, called, refused } = require('../bench');

async function run(report, bench) {
  const registry = bench.registry();
  const { control } = bench;
  const id = 'again';
  const initialTwin = { tags: { t: 1 }, properties: { desired: { d: 1 } } };
  const { primaryKey: key } = (await control.enroll(id, { initialTwin })).attestation.symmetricKey;

  await report.check('the second registration leaves the twin, with what device and operator changed, as it is', async () => {
    const first = await bench.provision('mqtt', { id, key });
    const client = bench.deviceClient(id, key, { hub: first.assignedHub });
    await client.open();
    const twin = await client.getTwin();
    await called((done) => twin.properties.reported.update({ r: 1 }, done));
    await client.close();
    await registry.updateTwin(id, { tags: { t: 2 }, properties: { desired: { d: 2, e: 3 } } }, '*');
    const before = bodyOf(await registry.getTwin(id));
    const generation = bodyOf(await registry.get(id)).generationId;
    const second = await bench.provision('http', { id, key });
    for (const member of ['assignedHub', 'deviceId', 'createdDateTimeUtc', 'registrationId']) assert.strictEqual(second[member], first[member], member);
    const after = bodyOf(await registry.getTwin(id));
    assert.deepStrictEqual(after.properties, before.properties);
    assert.deepStrictEqual(after.tags, before.tags);
    assert.strictEqual(bodyOf(await registry.get(id)).generationId, generation, 'the identity was made anew');
  });

  await report.check('the hub knows the device by the keys of its enrollment', async () => {
    const mechanism = await control.must('POST', `/enrollments/${id}/attestationmechanism?api-version=2021-10-01`);
    assert.deepStrictEqual(bodyOf(await registry.get(id)).authentication.symmetricKey, mechanism.symmetricKey);
  });

  await report.check('new keys of the enrollment reach the hub with the next registration', async () => {
    const fresh = { primaryKey: Buffer.alloc(32, 3).toString('base64'), secondaryKey: Buffer.alloc(32, 4).toString('base64') };
    const { json } = await control.request('GET', `/enrollments/${id}?api-version=2021-10-01`);
    await control.must('PUT', `/enrollments/${id}?api-version=2021-10-01`,
      { registrationId: id, attestation: { type: 'symmetricKey', symmetricKey: fresh }, initialTwin }, { 'If-Match': json.etag });
    await refused(bench.provision('http', { id, key }), { name: 'UnauthorizedError', status: 401 });
    const state = await bench.provision('mqtt', { id, key: fresh.secondaryKey });
    assert.deepStrictEqual(bodyOf(await registry.get(id)).authentication.symmetricKey, fresh);
    const client = bench.deviceClient(id, fresh.primaryKey, { hub: state.assignedHub });
    await client.open();
    assert.strictEqual((await client.getTwin()).properties.desired.d, 2);
    await client.close();
  });

  await report.check('a device that somebody deleted from the hub is made again by its next registration', async () => {
    await registry.delete(id);
    const state = await bench.provision('http', { id, key: Buffer.alloc(32, 3).toString('base64') });
    assert.strictEqual(state.status, 'assigned');
    assert.strictEqual(bodyOf(await registry.get(id)).deviceId, id);
  });
}

module.exports = { name: 'registering again', run };
