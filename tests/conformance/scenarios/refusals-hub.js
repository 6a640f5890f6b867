// Claims: what the hub refuses reaches the SDKs as their proper errors: UnauthorizedError in azure-iothub and, with the
// broker's reason in it, in azure-iot-device.
'use strict';

const assert = require('assert');
const { Message } = require('azure-iot-device');
const sas = require('../../lib/sas');
const { bodyOf, refused } = require('../bench');

const WRONG = Buffer.alloc(32, 7).toString('base64');

async function run(report, bench) {
  const registry = bench.registry();
  const parts = sas.parseConnectionString(bench.hubConnectionString);
  const { primaryKey: key } = bodyOf(await registry.create({ deviceId: 'hubref' })).authentication.symmetricKey;
  const other = bodyOf(await registry.create({ deviceId: 'hubref-other' })).authentication.symmetricKey.primaryKey;

  await report.check('registry: a wrong key: UnauthorizedError', async () => {
    const bad = bench.registry(`HostName=localhost;SharedAccessKeyName=${parts.SharedAccessKeyName};SharedAccessKey=${WRONG}`);
    await refused(bad.get('hubref'), { name: 'UnauthorizedError', status: 401 });
  });
  await report.check('registry: an unknown policy: UnauthorizedError', async () => {
    const bad = bench.registry(`HostName=localhost;SharedAccessKeyName=nobody;SharedAccessKey=${parts.SharedAccessKey}`);
    await refused(bad.get('hubref'), { name: 'UnauthorizedError', status: 401 });
  });
  await report.check('registry: a key of the provisioning service is no key of the hub: UnauthorizedError', async () => {
    const service = sas.parseConnectionString(bench.serviceConnectionString);
    const bad = bench.registry(`HostName=localhost;SharedAccessKeyName=${service.SharedAccessKeyName};SharedAccessKey=${service.SharedAccessKey}`);
    await refused(bad.get('hubref'), { name: 'UnauthorizedError', status: 401 });
  });
  await report.check('registry: a policy that may only read may not write', async () => {
    const listed = await bench.control.must('POST', `/control/hubs/${encodeURIComponent(bench.hub)}/listkeys`);
    const policies = Array.isArray(listed) ? listed : listed.value;
    const reader = policies.find((policy) => policy.keyName === 'registryRead');
    assert.ok(reader, `policies: ${policies.map((policy) => policy.keyName)}`);
    const limited = bench.registry(`HostName=localhost;SharedAccessKeyName=registryRead;SharedAccessKey=${reader.primaryKey}`);
    assert.strictEqual(bodyOf(await limited.get('hubref')).deviceId, 'hubref');
    await refused(limited.create({ deviceId: 'hubref-new' }), { name: 'UnauthorizedError', status: 401 });
    await refused(limited.getTwin('hubref'), { name: 'UnauthorizedError', status: 401 });
  });

  const notAuthorized = (client) => refused(client.open(), { name: 'UnauthorizedError', message: /Connection refused: Not authorized/ });
  await report.check('device: a wrong key', () => notAuthorized(bench.deviceClient('hubref', WRONG)));
  await report.check('device: an unknown device', () => notAuthorized(bench.deviceClient('hubref-nobody', key)));
  await report.check('device: the key of another device', () => notAuthorized(bench.deviceClient('hubref', other)));
  await report.check('device: an expired token', () => notAuthorized(bench.deviceClientWithToken(
    sas.hubDeviceToken({ hub: bench.hub, deviceId: 'hubref', key, se: sas.inSeconds(-3600) }))));
  await report.check('device: a device that was disabled is refused, and let in once it is enabled', async () => {
    await registry.update({ ...bodyOf(await registry.get('hubref')), status: 'disabled' });
    await notAuthorized(bench.deviceClient('hubref', key));
    await registry.update({ ...bodyOf(await registry.get('hubref')), status: 'enabled' });
    const client = bench.deviceClient('hubref', key);
    await client.open();
    await client.close();
  });
  await report.check('device: a message of more than 256 KB closes the connection, the next connection works', async () => {
    const client = bench.deviceClient('hubref', key);
    await client.open();
    await assert.rejects(client.sendEvent(new Message(Buffer.alloc(300 * 1024, 0x20))), 'the message was taken');
    await client.close();
    const again = bench.deviceClient('hubref', key);
    await again.open();
    await again.sendEvent(new Message('small'));
    await again.close();
  });
  await report.check('device: reported properties that the hub refuses come as an error', async () => {
    const client = bench.deviceClient('hubref', key);
    await client.open();
    const twin = await client.getTwin();
    const large = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`k${i}`, 'x'.repeat(4000)]));
    await new Promise((resolve, reject) => {
      twin.properties.reported.update(large, (error) => (error ? resolve() : reject(new Error('accepted'))));
    });
    await client.close();
  });
}

module.exports = { name: 'refusals, hub', run };
