// Claims: azure-iothub's Registry works against the embedded hub: devices one by one and in bulk, statistics, and each
// refusal as the SDK's own error.
'use strict';

const assert = require('assert');
const { bodyOf, refused } = require('../bench');

async function single(report, registry) {
  await report.check('create gives a device with two generated keys of 32 bytes', async () => {
    const made = bodyOf(await registry.create({ deviceId: 'hub-made' }));
    assert.strictEqual(made.deviceId, 'hub-made');
    assert.strictEqual(made.status, 'enabled');
    assert.strictEqual(made.connectionState, 'Disconnected');
    assert.strictEqual(made.authentication.type, 'sas');
    for (const key of Object.values(made.authentication.symmetricKey)) assert.strictEqual(Buffer.from(key, 'base64').length, 32);
    assert.ok(made.etag && made.generationId, JSON.stringify(made));
  });

  await report.check('create with given keys, disabled, for Edge', async () => {
    const symmetricKey = { primaryKey: Buffer.alloc(32, 1).toString('base64'), secondaryKey: Buffer.alloc(32, 2).toString('base64') };
    await registry.create({ deviceId: 'hub-given', status: 'disabled', statusReason: 'stolen', authentication: { type: 'sas', symmetricKey }, capabilities: { iotEdge: true } });
    const got = bodyOf(await registry.get('hub-given'));
    assert.deepStrictEqual(got.authentication.symmetricKey, symmetricKey);
    assert.strictEqual(got.status, 'disabled');
    assert.strictEqual(got.statusReason, 'stolen');
    assert.strictEqual(got.capabilities.iotEdge, true);
  });

  await report.check('create with thumbprints', async () => {
    const x509Thumbprint = { primaryThumbprint: 'A'.repeat(40), secondaryThumbprint: 'B'.repeat(64) };
    const made = bodyOf(await registry.create({ deviceId: 'hub-x509', authentication: { x509Thumbprint } }));
    assert.strictEqual(made.authentication.type, 'selfSigned');
    assert.deepStrictEqual(made.authentication.x509Thumbprint, x509Thumbprint);
  });

  await report.check('create of one that exists: DeviceAlreadyExistsError', async () => {
    await refused(registry.create({ deviceId: 'hub-made' }), { name: 'DeviceAlreadyExistsError', status: 409 });
  });

  await report.check('device IDs differ by case', async () => {
    await registry.create({ deviceId: 'HUB-made' });
    assert.notStrictEqual(bodyOf(await registry.get('HUB-made')).generationId, bodyOf(await registry.get('hub-made')).generationId);
    await registry.delete('HUB-made');
    assert.strictEqual(bodyOf(await registry.get('hub-made')).deviceId, 'hub-made');
  });

  await report.check('update changes the device and its etag, keeps its generation', async () => {
    const before = bodyOf(await registry.get('hub-made'));
    const after = bodyOf(await registry.update({ ...before, status: 'disabled', statusReason: 'test' }));
    assert.strictEqual(after.status, 'disabled');
    assert.notStrictEqual(after.etag, before.etag);
    assert.strictEqual(after.generationId, before.generationId);
    assert.deepStrictEqual(after.authentication.symmetricKey, before.authentication.symmetricKey);
  });

  await report.check('an unknown device: DeviceNotFoundError from get, update and delete', async () => {
    await refused(registry.get('hub-nobody'), { name: 'DeviceNotFoundError', status: 404 });
    await refused(registry.update({ deviceId: 'hub-nobody', status: 'enabled' }), { name: 'DeviceNotFoundError', status: 404 });
    await refused(registry.delete('hub-nobody'), { name: 'DeviceNotFoundError', status: 404 });
  });

  await report.check('list holds the devices', async () => {
    const all = bodyOf(await registry.list()).map((device) => device.deviceId);
    for (const id of ['hub-made', 'hub-given', 'hub-x509']) assert.ok(all.includes(id), id);
  });

  await report.check('a device with every character that a hub allows', async () => {
    const id = "A-z.0+%_#*?!(),:=@$'";
    await registry.create({ deviceId: id });
    assert.strictEqual(bodyOf(await registry.get(id)).deviceId, id);
    await registry.delete(id);
    await refused(registry.get(id), { name: 'DeviceNotFoundError', status: 404 });
  });

  await report.check('refused with ArgumentError: a bad ID, a bad key, a bad status', async () => {
    await refused(registry.create({ deviceId: 'with space' }), { name: 'ArgumentError', status: 400 });
    await refused(registry.create({ deviceId: 'hub-bad', authentication: { type: 'sas', symmetricKey: { primaryKey: '?', secondaryKey: '?' } } }), { name: 'ArgumentError', status: 400 });
    await refused(registry.create({ deviceId: 'hub-bad', status: 'sleepy' }), { name: 'ArgumentError', status: 400 });
    await refused(registry.get('hub-bad'), { name: 'DeviceNotFoundError', status: 404 });
  });
}

async function bulk(report, registry) {
  const some = Array.from({ length: 20 }, (_, i) => ({ deviceId: `hub-bulk-${i}` }));

  await report.check('bulk add of twenty', async () => {
    const result = bodyOf(await registry.addDevices(some));
    assert.strictEqual(result.isSuccessful, true);
    assert.deepStrictEqual(result.errors, []);
    assert.strictEqual(bodyOf(await registry.get('hub-bulk-19')).status, 'enabled');
  });
  await report.check('bulk add of one that exists names it', async () => {
    const error = await refused(registry.addDevices([some[0], { deviceId: 'hub-bulk-new' }]), { name: 'ArgumentError', status: 400 });
    const result = JSON.parse(error.responseBody);
    assert.strictEqual(result.isSuccessful, false);
    assert.deepStrictEqual(result.errors.map((item) => item.deviceId), ['hub-bulk-0']);
  });
  await report.check('bulk update, forced', async () => {
    const result = bodyOf(await registry.updateDevices(some.map((device) => ({ ...device, status: 'disabled' })), true));
    assert.strictEqual(result.isSuccessful, true);
    for (const { deviceId } of [some[0], some[19]]) assert.strictEqual(bodyOf(await registry.get(deviceId)).status, 'disabled');
  });
  await report.check('bulk update with an etag that is old fails and writes nothing', async () => {
    await refused(registry.updateDevices([{ deviceId: 'hub-bulk-1', status: 'enabled', eTag: 'AAAAAAAAAAA=' }], false), { name: 'ArgumentError', status: 400 });
    assert.strictEqual(bodyOf(await registry.get('hub-bulk-1')).status, 'disabled');
  });
  await report.check('statistics count enabled and disabled devices', async () => {
    const all = bodyOf(await registry.list());
    const counted = bodyOf(await registry.getRegistryStatistics());
    assert.strictEqual(counted.totalDeviceCount, all.length);
    assert.strictEqual(counted.disabledDeviceCount, all.filter((device) => device.status === 'disabled').length);
    assert.strictEqual(counted.enabledDeviceCount, all.filter((device) => device.status === 'enabled').length);
  });
  await report.check('bulk remove, forced', async () => {
    assert.strictEqual(bodyOf(await registry.removeDevices(some, true)).isSuccessful, true);
    await refused(registry.get('hub-bulk-7'), { name: 'DeviceNotFoundError', status: 404 });
  });
}

async function run(report, bench) {
  const registry = bench.registry();
  await single(report, registry);
  await bulk(report, registry);

  await report.check('delete, and a device made anew has another generation', async () => {
    const old = bodyOf(await registry.get('hub-made'));
    await registry.delete('hub-made');
    await refused(registry.get('hub-made'), { name: 'DeviceNotFoundError', status: 404 });
    const anew = bodyOf(await registry.create({ deviceId: 'hub-made' }));
    assert.notStrictEqual(anew.generationId, old.generationId);
  });
}

module.exports = { name: 'iothub registry', run };
