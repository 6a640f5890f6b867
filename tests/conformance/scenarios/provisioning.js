// Claims: azure-iot-provisioning-device registers devices with symmetric keys over each of its transports, of individual
// enrollments (primary, secondary, chosen and generated keys) and of groups (derived keys), and is told hub and device ID in
// the first answer; with the key that let it in, the device is then at home in that hub.
'use strict';

const assert = require('assert');
const { checkState, visitsBy } = require('../devices');
const sas = require('../../lib/sas');
const { ALL } = require('../transports');

const TWIN = { properties: { desired: { interval: 30, mode: { fan: 'auto' } } } };

async function run(report, bench, transport) {
  const { control } = bench;
  const name = (what) => `${transport}-${what}`;

  /** Into the hub that the device was told, with the key that it provisioned with. */
  const visits = ({ deviceId, assignedHub }, key) => visitsBy(bench, transport,
    (over) => bench.deviceClient(deviceId, key, { hub: assignedHub, over }), TWIN.properties.desired);

  await report.check('a device with its own key is assigned to the hub, and at home there', async () => {
    const id = name('individual');
    const { primaryKey: key } = (await control.enroll(id, { initialTwin: TWIN })).attestation.symmetricKey;
    await visits(checkState(bench, await bench.provision(transport, { id, key }), { id }), key);
  });

  await report.check('the secondary key serves as well as the primary', async () => {
    const id = name('secondary');
    const enrollment = await control.enroll(id);
    checkState(bench, await bench.provision(transport, { id, key: enrollment.attestation.symmetricKey.secondaryKey }), { id });
  });

  await report.check('keys that the operator chose, of 16 and of 64 bytes, serve', async () => {
    const id = name('chosen-keys');
    const primaryKey = Buffer.alloc(16, 0x5a).toString('base64');
    const secondaryKey = Buffer.alloc(64, 0xa5).toString('base64');
    await control.enroll(id, {}, { primaryKey, secondaryKey });
    checkState(bench, await bench.provision(transport, { id, key: primaryKey }), { id });
    checkState(bench, await bench.provision(transport, { id, key: secondaryKey }), { id });
  });

  await report.check('the device ID of the enrollment is the one assigned', async () => {
    const id = name('renamed');
    const enrollment = await control.enroll(id, { deviceId: `${id}-in-the-hub` });
    const state = await bench.provision(transport, { id, key: enrollment.attestation.symmetricKey.primaryKey });
    checkState(bench, state, { id, deviceId: `${id}-in-the-hub` });
  });

  await report.check('a device of a group is assigned with the key derived from the group key, and at home in the hub', async () => {
    const group = await control.group(name('group'), { initialTwin: TWIN });
    for (const [which, groupKey] of Object.entries(group.attestation.symmetricKey)) {
      const id = name(`member-${which.toLowerCase()}`);
      const key = sas.deriveKey(groupKey, id);
      await visits(checkState(bench, await bench.provision(transport, { id, key }), { id }), key);
    }
  });

  await report.check('a device with a payload for the service is assigned like any other', async () => {
    const id = name('payload');
    const enrollment = await control.enroll(id);
    const payload = { model: 'thermostat', readings: [1, 2.5, null, true], text: 'gr\u00fc\u00df \ud83d\ude00' };
    const state = await bench.provision(transport, { id, key: enrollment.attestation.symmetricKey.primaryKey }, payload);
    checkState(bench, state, { id });
    assert.ok(!('payload' in state), 'a payload in the answer, which no webhook gave');
  });

  await report.check('the individual enrollment decides, not the group whose key also fits', async () => {
    const id = name('both');
    const group = await control.group(name('group-of-both'));
    const key = sas.deriveKey(group.attestation.symmetricKey.primaryKey, id);
    const own = await control.enroll(id, { deviceId: `${id}-own` });
    await assert.rejects(bench.provision(transport, { id, key }), 'the key of the group was taken');
    const state = await bench.provision(transport, { id, key: own.attestation.symmetricKey.primaryKey });
    checkState(bench, state, { id, deviceId: `${id}-own` });
  });

  await report.check('registering again gives the same hub, device and creation time', async () => {
    const id = name('again');
    const { primaryKey: key } = (await control.enroll(id)).attestation.symmetricKey;
    const first = checkState(bench, await bench.provision(transport, { id, key }), { id });
    const second = checkState(bench, await bench.provision(transport, { id, key }), { id });
    assert.strictEqual(second.createdDateTimeUtc, first.createdDateTimeUtc);
  });

  await report.check('the registration that the device sees is the one that the operator sees', async () => {
    const id = name('seen-twice');
    const { primaryKey: key } = (await control.enroll(id)).attestation.symmetricKey;
    const seen = await bench.provision(transport, { id, key });
    const { status, json } = await control.registration(id);
    assert.strictEqual(status, 200);
    for (const member of ['registrationId', 'status', 'assignedHub', 'deviceId', 'etag', 'createdDateTimeUtc', 'lastUpdatedDateTimeUtc']) {
      assert.strictEqual(json[member], seen[member], member);
    }
  });
}

module.exports = { name: 'provisioning', over: ALL, run };
