// Claims: azure-iot-provisioning-service reads, lists and deletes what is recorded of devices that registered, and of those
// that were not let in; deleting a record makes the next registration the first again and leaves the hub alone.
'use strict';

const assert = require('assert');
const { bodyOf, pagesOf, refused } = require('../bench');
const sas = require('../../lib/sas');

async function run(report, bench) {
  const client = bench.serviceClient();
  const group = await bench.control.group('reg-group');
  const member = (id) => ({ id, key: sas.deriveKey(group.attestation.symmetricKey.primaryKey, id) });

  await report.check('the registration of a device is read by its ID', async () => {
    const state = await bench.provision('http', member('reg-member'));
    const got = bodyOf(await client.getDeviceRegistrationState('reg-member'));
    for (const key of ['registrationId', 'status', 'assignedHub', 'deviceId', 'etag', 'createdDateTimeUtc', 'lastUpdatedDateTimeUtc']) {
      assert.strictEqual(got[key], state[key], key);
    }
  });

  await report.check('the registration of an individual enrollment is in the enrollment too', async () => {
    const { primaryKey: key } = (await bench.control.enroll('reg-individual')).attestation.symmetricKey;
    const state = await bench.provision('http', { id: 'reg-individual', key });
    const inside = bodyOf(await client.getIndividualEnrollment('reg-individual')).registrationState;
    assert.strictEqual(inside.status, 'assigned');
    assert.strictEqual(inside.etag, state.etag);
    assert.deepStrictEqual(bodyOf(await client.getDeviceRegistrationState('reg-individual')), inside);
  });

  await report.check('the registrations of a group are listed in pages, each once, and no others', async () => {
    const ids = Array.from({ length: 7 }, (_, i) => `reg-page-${i}`);
    for (const id of ids) await bench.provision('http', member(id));
    const pages = await pagesOf(client.createEnrollmentGroupDeviceRegistrationStateQuery({ query: 'SELECT * FROM deviceRegistrations' }, 'reg-group', 3));
    for (const page of pages.slice(0, -1)) assert.strictEqual(page.length, 3);
    assert.deepStrictEqual(pages.flat().map((state) => state.registrationId).sort(), [...ids, 'reg-member'].sort());
    for (const state of pages.flat()) assert.strictEqual(state.status, 'assigned');
    const { httpResponse } = await client.createEnrollmentGroupDeviceRegistrationStateQuery({ query: '*' }, 'reg-group', 100).next();
    assert.strictEqual(httpResponse.headers['x-ms-item-type'], 'DeviceRegistration');
  });

  await report.check('a condition selects registrations', async () => {
    const query = `SELECT * FROM deviceRegistrations WHERE assignedHub = '${bench.hub}' AND registrationId > 'reg-page-4'`;
    const found = (await pagesOf(client.createEnrollmentGroupDeviceRegistrationStateQuery({ query }, 'reg-group', 10))).flat();
    assert.deepStrictEqual(found.map((state) => state.registrationId).sort(), ['reg-page-5', 'reg-page-6']);
  });

  await report.check('delete with an old etag: InvalidEtagError; then by object; the hub keeps the device', async () => {
    const state = bodyOf(await client.getDeviceRegistrationState('reg-member'));
    await refused(client.deleteDeviceRegistrationState('reg-member', Buffer.from('"0-0"').toString('base64')), { name: 'InvalidEtagError', status: 412 });
    await client.deleteDeviceRegistrationState(state);
    const error = await refused(client.getDeviceRegistrationState('reg-member'), { name: 'Error', status: 404 });
    assert.strictEqual(JSON.parse(error.responseBody).errorCode, 404201);
    assert.strictEqual(bodyOf(await bench.registry().get('reg-member')).deviceId, 'reg-member');
  });

  await report.check('after that the device registers as if for the first time', async () => {
    const state = await bench.provision('http', member('reg-member'));
    assert.strictEqual(state.substatus, 'initialAssignment');
    assert.strictEqual(bodyOf(await client.getDeviceRegistrationState('reg-member')).status, 'assigned');
  });

  await report.check('a device of a disabled group is recorded as disabled, without a hub', async () => {
    const off = await bench.control.group('reg-off', { provisioningStatus: 'disabled' });
    const key = sas.deriveKey(off.attestation.symmetricKey.primaryKey, 'reg-off-member');
    await assert.rejects(bench.provision('http', { id: 'reg-off-member', key }));
    const got = bodyOf(await client.getDeviceRegistrationState('reg-off-member'));
    assert.strictEqual(got.status, 'disabled');
    assert.ok(!('assignedHub' in got), 'a hub');
    assert.ok(got.etag && got.lastUpdatedDateTimeUtc, JSON.stringify(got));
  });

  await report.check('a device with a wrong key leaves no record', async () => {
    await bench.control.enroll('reg-wrong-key');
    await assert.rejects(bench.provision('http', { id: 'reg-wrong-key', key: Buffer.alloc(64, 9).toString('base64') }));
    await refused(client.getDeviceRegistrationState('reg-wrong-key'), { name: 'Error', status: 404 });
  });

  await report.check('changing the device ID of an enrollment takes effect once its record is deleted', async () => {
    const { primaryKey: key } = (await bench.control.enroll('reg-rename', { deviceId: 'reg-rename-1' })).attestation.symmetricKey;
    await bench.provision('http', { id: 'reg-rename', key });
    const { registrationState, ...enrollment } = bodyOf(await client.getIndividualEnrollment('reg-rename'));
    await client.createOrUpdateIndividualEnrollment({ ...enrollment, deviceId: 'reg-rename-2' });
    assert.strictEqual((await bench.provision('http', { id: 'reg-rename', key })).deviceId, 'reg-rename-1', 'before');
    await client.deleteDeviceRegistrationState('reg-rename');
    assert.strictEqual((await bench.provision('http', { id: 'reg-rename', key })).deviceId, 'reg-rename-2', 'after');
    const registry = bench.registry();
    for (const id of ['reg-rename-1', 'reg-rename-2']) assert.strictEqual(bodyOf(await registry.get(id)).deviceId, id, 'both are in the hub');
  });
}

module.exports = { name: 'provisioning-service, registrations', run };
