// Claims: every call of azure-iot-provisioning-service on individual enrollments works: create, update, get, delete,
// query with paging, bulk, attestation mechanism; and each conflict comes as the SDK's own error.
'use strict';

const assert = require('assert');
const { bodyOf, called, pagesOf, refused } = require('../bench');
const { TIME } = require('../../lib/device');

const symmetric = (registrationId, more = {}) => ({ registrationId, attestation: { type: 'symmetricKey' }, ...more });
const ETAG = /^"[^"]+"$/;

function checkEtag(etag) {
  assert.match(Buffer.from(etag, 'base64').toString('utf8'), ETAG, `etag ${etag}`);
}

async function createAndGet(report, client) {
  await report.check('create answers with generated keys, an etag and times', async () => {
    const made = bodyOf(await client.createOrUpdateIndividualEnrollment(symmetric('svc-made')));
    assert.strictEqual(made.registrationId, 'svc-made');
    const { primaryKey, secondaryKey } = made.attestation.symmetricKey;
    for (const key of [primaryKey, secondaryKey]) assert.strictEqual(Buffer.from(key, 'base64').length, 64, 'bytes of a generated key');
    assert.notStrictEqual(primaryKey, secondaryKey);
    checkEtag(made.etag);
    assert.match(made.createdDateTimeUtc, TIME);
    assert.strictEqual(made.createdDateTimeUtc, made.lastUpdatedDateTimeUtc);
    assert.ok(!('registrationState' in made), 'registrationState in the answer to PUT');
  });

  await report.check('get shows no keys, and a registration state of unassigned', async () => {
    const got = bodyOf(await client.getIndividualEnrollment('svc-made'));
    assert.deepStrictEqual(got.attestation, { type: 'symmetricKey' });
    assert.strictEqual(got.registrationState.registrationId, 'svc-made');
    assert.strictEqual(got.registrationState.status, 'unassigned');
  });

  await report.check('the attestation mechanism gives the keys', async () => {
    const keys = { primaryKey: Buffer.alloc(32, 1).toString('base64'), secondaryKey: Buffer.alloc(32, 2).toString('base64') };
    await client.createOrUpdateIndividualEnrollment({ registrationId: 'svc-keys', attestation: { type: 'symmetricKey', symmetricKey: keys } });
    const got = bodyOf(await client.getIndividualEnrollmentAttestationMechanism('svc-keys'));
    assert.strictEqual(got.type, 'symmetricKey');
    assert.deepStrictEqual(got.symmetricKey, keys);
  });

  await report.check('every field that may be set comes back as it was set', async () => {
    const full = symmetric('svc-full', {
      deviceId: 'svc-full-device', provisioningStatus: 'disabled', allocationPolicy: 'hashed',
      capabilities: { iotEdge: true }, reprovisionPolicy: { updateHubAssignment: true, migrateDeviceData: false },
      initialTwin: { tags: { site: 'A', version: 7 }, properties: { desired: { deep: { er: [1, 'two', null, { three: 3 }] }, big: 4503599627370495 } } },
      optionalDeviceInformation: { line: 4, additionalProperties: { x: 1 } },
      customAllocationDefinition: { webhookUrl: 'https://example.org/allocate', apiVersion: '2019-03-31' },
    });
    await client.createOrUpdateIndividualEnrollment(full);
    const { attestation, etag, createdDateTimeUtc, lastUpdatedDateTimeUtc, registrationState, ...rest } = bodyOf(await client.getIndividualEnrollment('svc-full'));
    const { attestation: _sent, ...wanted } = full;
    assert.deepStrictEqual(rest, wanted);
  });

  await report.check('an answer of a megabyte comes whole', async () => {
    const tags = { note: 'x'.repeat(3000) };
    for (let i = 0; i < 400; i += 10) {
      const enrollments = Array.from({ length: 10 }, (_, k) => symmetric(`svc-large-${i + k}`, { initialTwin: { tags, properties: { desired: {} } } }));
      const result = await new Promise((resolve, reject) => client.runBulkEnrollmentOperation({ enrollments, mode: 'create' },
        (error, made) => (error ? reject(error) : resolve(made))));
      assert.strictEqual(result.isSuccessful, true);
    }
    const query = client.createIndividualEnrollmentQuery({ query: "SELECT * FROM enrollments WHERE registrationId > 'svc-large-' AND registrationId < 'svc-large-z'" }, 1000);
    const page = bodyOf(await query.next());
    assert.strictEqual(page.length, 400);
    assert.ok(JSON.stringify(page).length > 1000000, 'a large answer');
    assert.ok(page.every((one) => one.initialTwin.tags.note.length === 3000));
  });

  await report.check('an id with a colon, dots and capitals is kept as it was written, and found in any case', async () => {
    await client.createOrUpdateIndividualEnrollment(symmetric('Svc:Odd.Id_1-x'));
    assert.strictEqual(bodyOf(await client.getIndividualEnrollment('svc:odd.id_1-X')).registrationId, 'Svc:Odd.Id_1-x');
    await client.deleteIndividualEnrollment('SVC:ODD.ID_1-X');
    await refused(client.getIndividualEnrollment('Svc:Odd.Id_1-x'), { name: 'Error', status: 404 });
  });
}

async function updateAndConflicts(report, client) {
  await report.check('update with the etag changes etag and time, keeps the creation time and the keys', async () => {
    const made = bodyOf(await client.createOrUpdateIndividualEnrollment(symmetric('svc-update')));
    const got = bodyOf(await client.getIndividualEnrollment('svc-update'));
    const changed = bodyOf(await client.createOrUpdateIndividualEnrollment({ ...got, deviceId: 'other', attestation: { type: 'symmetricKey', symmetricKey: { primaryKey: '', secondaryKey: '' } } }));
    assert.strictEqual(changed.deviceId, 'other');
    assert.notStrictEqual(changed.etag, made.etag);
    assert.strictEqual(changed.createdDateTimeUtc, made.createdDateTimeUtc);
    assert.ok(changed.lastUpdatedDateTimeUtc > made.lastUpdatedDateTimeUtc, 'time of the update');
    assert.deepStrictEqual(bodyOf(await client.getIndividualEnrollmentAttestationMechanism('svc-update')).symmetricKey, made.attestation.symmetricKey);
  });

  await report.check('create of an id that exists is a conflict: DeviceAlreadyExistsError, 409201', async () => {
    const error = await refused(client.createOrUpdateIndividualEnrollment(symmetric('svc-update')), { name: 'DeviceAlreadyExistsError', status: 409 });
    assert.strictEqual(JSON.parse(error.responseBody).errorCode, 409201);
  });

  await report.check('update with an old etag: InvalidEtagError, 412', async () => {
    const old = bodyOf(await client.getIndividualEnrollment('svc-update'));
    await client.createOrUpdateIndividualEnrollment({ ...old, deviceId: 'newer' });
    const error = await refused(client.createOrUpdateIndividualEnrollment({ ...old, deviceId: 'lost' }), { name: 'InvalidEtagError', status: 412 });
    assert.strictEqual(Math.floor(JSON.parse(error.responseBody).errorCode / 1000), 412);
    assert.strictEqual(bodyOf(await client.getIndividualEnrollment('svc-update')).deviceId, 'newer', 'nothing was written');
  });

  await report.check('update with etag * writes in any case', async () => {
    await client.createOrUpdateIndividualEnrollment(symmetric('svc-update', { etag: '*', deviceId: 'forced' }));
    assert.strictEqual(bodyOf(await client.getIndividualEnrollment('svc-update')).deviceId, 'forced');
  });

  await report.check('delete with an old etag: InvalidEtagError; with the right one it is gone', async () => {
    const got = bodyOf(await client.getIndividualEnrollment('svc-update'));
    await refused(client.deleteIndividualEnrollment('svc-update', Buffer.from('"0-0"').toString('base64')), { name: 'InvalidEtagError', status: 412 });
    await client.deleteIndividualEnrollment(got);
    await refused(client.getIndividualEnrollment('svc-update'), { name: 'Error', status: 404 });
  });

  await report.check('get, delete and attestation mechanism of an unknown id: 404201', async () => {
    for (const call of ['getIndividualEnrollment', 'deleteIndividualEnrollment', 'getIndividualEnrollmentAttestationMechanism']) {
      const error = await refused(client[call]('svc-nobody'), { name: 'Error', status: 404 });
      assert.strictEqual(JSON.parse(error.responseBody).errorCode, 404201, call);
    }
  });
}

async function validation(report, client) {
  const bad = {
    'iotHubs without an allocation policy': { iotHubs: ['localhost'] },
    'custom allocation without its definition': { allocationPolicy: 'custom' },
    'an unknown allocation policy': { allocationPolicy: 'roulette' },
    'an unknown provisioning status': { provisioningStatus: 'perhaps' },
    'a key of 15 bytes': { attestation: { type: 'symmetricKey', symmetricKey: { primaryKey: Buffer.alloc(15, 1).toString('base64'), secondaryKey: Buffer.alloc(32, 1).toString('base64') } } },
    'a key of 65 bytes': { attestation: { type: 'symmetricKey', symmetricKey: { primaryKey: Buffer.alloc(65, 1).toString('base64'), secondaryKey: Buffer.alloc(32, 1).toString('base64') } } },
    'a key that is no base64': { attestation: { type: 'symmetricKey', symmetricKey: { primaryKey: '!!!not base64!!!', secondaryKey: Buffer.alloc(32, 1).toString('base64') } } },
    'an all-zero key': { attestation: { type: 'symmetricKey', symmetricKey: { primaryKey: Buffer.alloc(32).toString('base64'), secondaryKey: Buffer.alloc(32, 1).toString('base64') } } },
    'no attestation': { attestation: undefined },
    'an unknown attestation type': { attestation: { type: 'handshake' } },
    'an initial twin that is no object': { initialTwin: [1, 2] },
    'half a reprovision policy': { reprovisionPolicy: { updateHubAssignment: true } },
    'a device ID that no hub takes': { deviceId: 'with space and /' },
  };
  for (const [what, fields] of Object.entries(bad)) {
    await report.check(`refused with ArgumentError, 400004: ${what}`, async () => {
      const error = await refused(client.createOrUpdateIndividualEnrollment(symmetric('svc-bad', fields)), { name: 'ArgumentError', status: 400 });
      assert.strictEqual(JSON.parse(error.responseBody).errorCode, 400004);
      await refused(client.getIndividualEnrollment('svc-bad'), { name: 'Error', status: 404 });
    });
  }
  for (const id of ['-starts-badly', 'ends.badly.', 'has space', 'x'.repeat(129), 'gr\u00fc\u00df', 'a/b', 'a%b']) {
    await report.check(`refused with ArgumentError: the id ${id.slice(0, 20)}`, async () => {
      await refused(client.createOrUpdateIndividualEnrollment(symmetric(id)), { name: 'ArgumentError', status: 400 });
    });
  }
}

async function queries(report, client) {
  const ids = Array.from({ length: 25 }, (_, i) => `svc-page-${String(i).padStart(2, '0')}`);
  await report.check('a query of 25 in pages of 10 has each once, no keys and no registration state', async () => {
    for (const id of ids) await client.createOrUpdateIndividualEnrollment(symmetric(id, { deviceId: `${id}-device` }));
    const pages = await pagesOf(client.createIndividualEnrollmentQuery({ query: 'SELECT * FROM enrollments' }, 10));
    for (const page of pages.slice(0, -1)) assert.strictEqual(page.length, 10, 'a page before the last');
    const all = pages.flat();
    assert.strictEqual(new Set(all.map((item) => item.registrationId)).size, all.length, 'none twice');
    const found = all.filter((item) => item.registrationId.startsWith('svc-page-'));
    assert.deepStrictEqual(found.map((item) => item.registrationId).sort(), ids);
    for (const item of found) {
      assert.deepStrictEqual(item.attestation, { type: 'symmetricKey' });
      assert.ok(!('registrationState' in item), 'registrationState in a query result');
    }
  });

  await report.check('the item type is announced, and no continuation at the end', async () => {
    const result = await client.createIndividualEnrollmentQuery({ query: 'SELECT * FROM enrollments' }, 1000).next();
    const { headers, rawHeaders } = result.httpResponse;
    assert.strictEqual(headers['x-ms-item-type'], 'Enrollment');
    assert.ok(rawHeaders.includes('x-ms-item-type'), 'the header name in lower case, for .NET');
    assert.ok(!('x-ms-continuation' in headers));
  });

  for (const text of ['SELECT *', 'select *', '*', '', 'SELECT * FROM enrollmentGroups', 'SELECT * FROM somethingElse']) {
    await report.check(`the query text ${JSON.stringify(text)} gives all, as Azure does`, async () => {
      const all = (await pagesOf(client.createIndividualEnrollmentQuery({ query: text }, 100))).flat();
      assert.ok(ids.every((id) => all.some((item) => item.registrationId === id)), `${all.length} items`);
    });
  }

  const where = {
    "registrationId = 'svc-page-07'": ['svc-page-07'],
    "deviceId = 'svc-page-08-device'": ['svc-page-08'],
    "registrationId IN ('svc-page-01', 'svc-page-02', 'nobody')": ['svc-page-01', 'svc-page-02'],
    "registrationId > 'svc-page-22' AND registrationId < 'svc-page-99'": ['svc-page-23', 'svc-page-24'],
    "registrationId = 'svc-page-03' OR registrationId = 'svc-page-04'": ['svc-page-03', 'svc-page-04'],
    "(registrationId = 'svc-page-05' OR registrationId = 'svc-page-06') AND deviceId != 'svc-page-06-device'": ['svc-page-05'],
    "registrationId = 'x'' OR ''1''=''1'": [],
  };
  for (const [condition, wanted] of Object.entries(where)) {
    await report.check(`WHERE ${condition}`, async () => {
      const all = (await pagesOf(client.createIndividualEnrollmentQuery({ query: `SELECT * FROM enrollments WHERE ${condition}` }, 2))).flat();
      assert.deepStrictEqual(all.map((item) => item.registrationId).sort(), wanted);
    });
  }

  await report.check('a condition that cannot be read: ArgumentError, 400004', async () => {
    const error = await refused(client.createIndividualEnrollmentQuery({ query: 'SELECT * FROM enrollments WHERE registrationId =' }).next(), { name: 'ArgumentError', status: 400 });
    assert.strictEqual(JSON.parse(error.responseBody).errorCode, 400004);
  });
}

async function bulk(report, client) {
  const run = (mode, enrollments) => called((done) => client.runBulkEnrollmentOperation({ mode, enrollments }, done));
  const ten = Array.from({ length: 10 }, (_, i) => symmetric(`svc-bulk-${i}`));

  await report.check('bulk create of ten', async () => {
    assert.deepStrictEqual(await run('create', ten), { errors: [], isSuccessful: true });
  });
  await report.check('bulk create of one that exists and one that does not: the one fails with 409201, the other is made', async () => {
    const result = await run('create', [ten[0], symmetric('svc-bulk-new')]);
    assert.strictEqual(result.isSuccessful, false);
    assert.strictEqual(result.errors.length, 1);
    assert.strictEqual(result.errors[0].registrationId, 'svc-bulk-0');
    assert.strictEqual(result.errors[0].errorCode, 409201);
    assert.ok(result.errors[0].errorStatus.length > 0);
    assert.strictEqual(bodyOf(await client.getIndividualEnrollment('svc-bulk-new')).registrationId, 'svc-bulk-new');
  });
  await report.check('bulk update with etags, in the spelling of the SDK', async () => {
    const current = await Promise.all(ten.slice(0, 3).map(async ({ registrationId }) => bodyOf(await client.getIndividualEnrollment(registrationId))));
    const result = await run('updateIfMatchEtag', current.map(({ registrationState, ...rest }) => ({ ...rest, deviceId: `${rest.registrationId}-moved` })));
    assert.deepStrictEqual(result, { errors: [], isSuccessful: true });
    assert.strictEqual(bodyOf(await client.getIndividualEnrollment('svc-bulk-1')).deviceId, 'svc-bulk-1-moved');
    const late = await run('updateIfMatchEtag', [{ ...current[0], deviceId: 'lost' }]);
    assert.strictEqual(late.isSuccessful, false);
    assert.strictEqual(Math.floor(late.errors[0].errorCode / 1000), 412);
  });
  await report.check('bulk update without an etag of one that exists fails with 409201, as recorded from Azure', async () => {
    const result = await run('update', [symmetric('svc-bulk-5', { deviceId: 'x' })]);
    assert.strictEqual(result.isSuccessful, false);
    assert.strictEqual(result.errors[0].errorCode, 409201);
  });
  await report.check('bulk of eleven: ArgumentError', async () => {
    await refused(run('create', Array.from({ length: 11 }, (_, i) => symmetric(`svc-eleven-${i}`))), { name: 'ArgumentError', status: 400 });
    await refused(client.getIndividualEnrollment('svc-eleven-0'), { name: 'Error', status: 404 });
  });
  await report.check('bulk delete', async () => {
    assert.deepStrictEqual(await run('delete', ten), { errors: [], isSuccessful: true });
    await refused(client.getIndividualEnrollment('svc-bulk-9'), { name: 'Error', status: 404 });
  });
}

async function run(report, bench) {
  const client = bench.serviceClient();
  await createAndGet(report, client);
  await updateAndConflicts(report, client);
  await validation(report, client);
  await queries(report, client);
  await bulk(report, client);
}

module.exports = { name: 'provisioning-service, enrollments', run };
