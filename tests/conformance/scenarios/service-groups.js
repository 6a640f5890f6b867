// Claims: every call of azure-iot-provisioning-service on enrollment groups works: create, update, get, delete, query with
// paging, attestation mechanism; and each conflict comes as the SDK's own error.
'use strict';

const assert = require('assert');
const { bodyOf, pagesOf, refused } = require('../bench');

const symmetric = (enrollmentGroupId, more = {}) => ({ enrollmentGroupId, attestation: { type: 'symmetricKey' }, ...more });

async function run(report, bench) {
  const client = bench.serviceClient();

  await report.check('create answers with generated keys; get shows none; the attestation mechanism gives them', async () => {
    const made = bodyOf(await client.createOrUpdateEnrollmentGroup(symmetric('grp-made')));
    assert.strictEqual(made.enrollmentGroupId, 'grp-made');
    for (const key of Object.values(made.attestation.symmetricKey)) assert.strictEqual(Buffer.from(key, 'base64').length, 64);
    assert.deepStrictEqual(bodyOf(await client.getEnrollmentGroup('grp-made')).attestation, { type: 'symmetricKey' });
    const got = bodyOf(await client.getEnrollmentGroupAttestationMechanism('grp-made'));
    assert.deepStrictEqual(got.symmetricKey, made.attestation.symmetricKey);
  });

  await report.check('every field that may be set comes back as it was set', async () => {
    const full = symmetric('grp-full', {
      provisioningStatus: 'disabled', allocationPolicy: 'static', iotHubs: [bench.hub], capabilities: { iotEdge: true },
      reprovisionPolicy: { updateHubAssignment: false, migrateDeviceData: false },
      initialTwin: { tags: { a: 1 }, properties: { desired: { b: 'c' } } },
    });
    await client.createOrUpdateEnrollmentGroup(full);
    const { attestation, etag, createdDateTimeUtc, lastUpdatedDateTimeUtc, ...rest } = bodyOf(await client.getEnrollmentGroup('grp-full'));
    const { attestation: _sent, ...wanted } = full;
    assert.deepStrictEqual(rest, wanted);
  });

  await report.check('update with the etag; with an old one InvalidEtagError; create again DeviceAlreadyExistsError', async () => {
    const made = bodyOf(await client.createOrUpdateEnrollmentGroup(symmetric('grp-update')));
    const { attestation, ...rest } = made;
    const changed = bodyOf(await client.createOrUpdateEnrollmentGroup({ ...rest, attestation: { type: 'symmetricKey' }, provisioningStatus: 'disabled' }));
    assert.strictEqual(changed.provisioningStatus, 'disabled');
    assert.strictEqual(changed.createdDateTimeUtc, made.createdDateTimeUtc);
    await refused(client.createOrUpdateEnrollmentGroup({ ...made, provisioningStatus: 'enabled' }), { name: 'InvalidEtagError', status: 412 });
    const conflict = await refused(client.createOrUpdateEnrollmentGroup(symmetric('grp-update')), { name: 'DeviceAlreadyExistsError', status: 409 });
    assert.strictEqual(Math.floor(JSON.parse(conflict.responseBody).errorCode / 1000), 409);
    assert.deepStrictEqual(bodyOf(await client.getEnrollmentGroupAttestationMechanism('grp-update')).symmetricKey, attestation.symmetricKey, 'keys kept');
  });

  await report.check('delete with an old etag: InvalidEtagError; by object and by id it goes', async () => {
    const made = bodyOf(await client.createOrUpdateEnrollmentGroup(symmetric('grp-delete')));
    await refused(client.deleteEnrollmentGroup('grp-delete', Buffer.from('"0-0"').toString('base64')), { name: 'InvalidEtagError', status: 412 });
    await client.deleteEnrollmentGroup(made);
    await refused(client.getEnrollmentGroup('grp-delete'), { name: 'Error', status: 404 });
    await client.createOrUpdateEnrollmentGroup(symmetric('grp-delete'));
    await client.deleteEnrollmentGroup('GRP-DELETE');
    await refused(client.getEnrollmentGroup('grp-delete'), { name: 'Error', status: 404 });
  });

  await report.check('get, delete and attestation mechanism of an unknown group: 404204', async () => {
    for (const call of ['getEnrollmentGroup', 'deleteEnrollmentGroup', 'getEnrollmentGroupAttestationMechanism']) {
      const error = await refused(client[call]('grp-nobody'), { name: 'Error', status: 404 });
      assert.strictEqual(JSON.parse(error.responseBody).errorCode, 404204, call);
    }
  });

  await report.check('a TPM attestation is refused for a group: ArgumentError', async () => {
    const tpm = { enrollmentGroupId: 'grp-tpm', attestation: { type: 'tpm', tpm: { endorsementKey: 'AToAAQALAAMAsgAg' } } };
    await refused(client.createOrUpdateEnrollmentGroup(tpm), { name: 'ArgumentError', status: 400 });
  });

  await report.check('a query of 7 in pages of 3 has each once, without keys', async () => {
    const ids = Array.from({ length: 7 }, (_, i) => `grp-page-${i}`);
    for (const id of ids) await client.createOrUpdateEnrollmentGroup(symmetric(id));
    const query = client.createEnrollmentGroupQuery({ query: 'SELECT * FROM enrollmentGroups' }, 3);
    const pages = await pagesOf(query);
    for (const page of pages.slice(0, -1)) assert.strictEqual(page.length, 3);
    const found = pages.flat().filter((group) => group.enrollmentGroupId.startsWith('grp-page-'));
    assert.deepStrictEqual(found.map((group) => group.enrollmentGroupId).sort(), ids);
    for (const group of found) assert.deepStrictEqual(group.attestation, { type: 'symmetricKey' });
    const { httpResponse } = await client.createEnrollmentGroupQuery({ query: 'SELECT *' }, 500).next();
    assert.strictEqual(httpResponse.headers['x-ms-item-type'], 'EnrollmentGroup');
  });

  await report.check('a query with a condition gives the groups that meet it', async () => {
    const query = "SELECT * FROM enrollmentGroups WHERE provisioningStatus = 'disabled' AND enrollmentGroupId != 'grp-full'";
    const found = (await pagesOf(client.createEnrollmentGroupQuery({ query }, 1))).flat();
    assert.deepStrictEqual(found.map((group) => group.enrollmentGroupId), ['grp-update']);
  });
}

module.exports = { name: 'provisioning-service, groups', run };
