// Devices with TPMs at a hub elsewhere: each registration takes a new key there, over REST, and the hub knows no other.
'use strict';

const assert = require('assert');
const device = require('../lib/device');
const doors = require('../lib/doors');
const mqtt = require('../lib/mqtt');
const sas = require('../lib/sas');
const { API } = require('../lib/control');
const { SoftTpm } = require('../lib/softtpm');
const { pause, until } = require('../lib/wait');
const { whileAway } = require('./pair');

const OPERATION_MS = 60000;

async function enroll(pair, id, tpm = new SoftTpm()) {
  await pair.service.control.must('PUT', `/enrollments/${id}?${API}`, {
    registrationId: id, attestation: tpm.attestation(), allocationPolicy: 'static', iotHubs: [pair.host], initialTwin: { tags: { site: 'east' } },
  });
  return { id, tpm };
}

/** Asks about an operation until it is not `assigning`, on a connection that was challenged: the last answer. */
function follow(connection, operationId) {
  return until(OPERATION_MS, `the operation of ${connection.id} to end`, async () => {
    const got = await connection.poll(operationId);
    if (got.json.status !== 'assigning') return got;
    await pause(200);
    return undefined;
  });
}

/** A whole registration by one door: the JSON of its last answer. */
async function provision(pair, via, who) {
  const connection = await doors.open(pair.service, via, who);
  try {
    const got = await connection.register();
    return got.json.status === 'assigning' ? (await follow(connection, got.json.operationId)).json : got.json;
  } finally {
    connection.close();
  }
}

/** The CONNACK code that the hub itself gives to a device with this key. */
async function connectToHub(pair, id, key) {
  const peer = await device.openMqtt(pair.hub);
  try {
    const { hub } = pair.hub;
    await peer.write(mqtt.connect({
      clientId: id, username: `${hub}/${id}/?api-version=2021-04-12`, password: sas.hubDeviceToken({ hub, deviceId: id, key }),
    }));
    return (await peer.expect('CONNACK')).code;
  } finally {
    peer.destroy();
  }
}

/** The answer is `assigned`, and its key is the one that the hub knows the device by; returns it. */
async function assertKnown(pair, json, { id, tpm }) {
  assert.strictEqual(json.status, 'assigned', JSON.stringify(json));
  assert.strictEqual(json.registrationState.assignedHub, pair.host);
  const key = doors.hubKey(tpm, json);
  assert.strictEqual(Buffer.from(key, 'base64').length, 32);
  const { authentication } = await pair.identity(id);
  assert.strictEqual(authentication.type, 'sas');
  assert.deepStrictEqual(authentication.symmetricKey, { primaryKey: key, secondaryKey: key });
  assert.strictEqual(await connectToHub(pair, id, key), 0, 'CONNACK of the hub');
  return key;
}

async function written(report, pair) {
  await report.check('a device with a TPM is assigned to the hub elsewhere, which knows it by the key that it was told; each registration replaces it, and leaves the twin alone', async () => {
    const who = await enroll(pair, 'tpm-1');
    let former;
    for (const via of doors.NAMES) {
      const key = await assertKnown(pair, await provision(pair, via, who), who);
      if (former) assert.strictEqual(await connectToHub(pair, who.id, former), 5, 'the key of before');
      else await pair.must('PATCH', '/twins/tpm-1', { tags: { owner: 'ops' } });
      assert.deepStrictEqual((await pair.twin('tpm-1')).tags, { site: 'east', owner: 'ops' });
      former = key;
    }
  });
  await report.check('a device that the hub had with a certificate is adopted by its TPM: known by the key alone', async () => {
    const print = 'AB'.repeat(32);
    await pair.must('PUT', '/devices/tpm-adopted', {
      deviceId: 'tpm-adopted', status: 'enabled', authentication: { type: 'selfSigned', x509Thumbprint: { primaryThumbprint: print, secondaryThumbprint: print } },
    });
    const who = await enroll(pair, 'tpm-adopted');
    await assertKnown(pair, await provision(pair, 'amqp', who), who);
    const { x509Thumbprint } = (await pair.identity('tpm-adopted')).authentication;
    assert.ok(!x509Thumbprint || !x509Thumbprint.primaryThumbprint, JSON.stringify(x509Thumbprint));
  });
}

/** Registers by each door while the hub is away: the connections, and the operation of each device. */
async function beginAll(pair, devices) {
  return Promise.all(devices.map(async (who, i) => {
    const connection = await doors.open(pair.service, doors.NAMES[i], who);
    const { json } = await connection.register();
    assert.strictEqual(json.status, 'assigning', JSON.stringify(json));
    assert.ok(!('tpm' in (json.registrationState || {})), 'a key before there is a hub that has it');
    return { who, connection, operationId: json.operationId };
  }));
}

async function away(report, pair) {
  await report.check('while the hub is away TPMs are told `assigning` and no key, by every door; when it is back, the poll has the key that the hub has', async () => {
    const devices = await Promise.all(doors.NAMES.map((via) => enroll(pair, `tpm-away-${via}`)));
    const begun = await whileAway(pair, () => beginAll(pair, devices));
    await Promise.all(begun.map(async ({ who, connection, operationId }) => {
      const { json } = await follow(connection, operationId);
      assert.strictEqual(json.operationId, operationId);
      await assertKnown(pair, json, who);
      connection.close();
    }));
  }, 90000);
  await report.check('a service killed while the hub is away takes a key there at its next start without the TPM, which is told that one when it asks for its operation, and another when it registers', async () => {
    const devices = await Promise.all(doors.NAMES.map((via) => enroll(pair, `tpm-crash-${via}`)));
    const begun = await whileAway(pair, async () => {
      const made = await beginAll(pair, devices);
      await pair.crashService();
      return made;
    });
    for (const { who, connection, operationId } of begun) {
      connection.close();
      await until(OPERATION_MS, `the operation of ${who.id} to end`, async () => (await pair.record(who.id)).status === 'assigned');
      const known = (await pair.identity(who.id)).authentication.symmetricKey.primaryKey;
      const anew = await doors.open(pair.service, 'https', who);
      assert.strictEqual(await anew.prove(), undefined, `${who.id} was not challenged`);
      const { json } = await anew.poll(operationId);
      anew.close();
      assert.strictEqual(await assertKnown(pair, json, who), known, 'the key that the restart took there');
      const fresh = await assertKnown(pair, await provision(pair, 'mqtt-ws', who), who);
      assert.notStrictEqual(fresh, known);
    }
  }, 120000);
}

async function run(report, pair) {
  await written(report, pair);
  await away(report, pair);
}

module.exports = { run };
