// What the scenarios with certificates do alike, with the SDKs: register, visit the hub, be refused at either.
'use strict';

const assert = require('assert');
const { Message } = require('azure-iot-device');
const { X509Security } = require('azure-iot-security-x509');
const { bodyOf, refused } = require('./bench');
const { thumbprint } = require('./pki');
const { checkError } = require('../lib/device');

/** Registers by azure-iot-provisioning-device; the state is checked, and returned. `group` is who let the device in. */
async function register(bench, transport, id, tls, { deviceId = id, group } = {}) {
  const state = await bench.provision(transport, { id, security: new X509Security(id, tls) });
  assert.strictEqual(state.status, 'assigned');
  assert.strictEqual(state.substatus, 'initialAssignment');
  assert.strictEqual(state.registrationId, id);
  assert.strictEqual(state.deviceId, deviceId);
  assert.strictEqual(state.assignedHub, bench.hub);
  assert.deepStrictEqual(state.x509, group === undefined ? {} : { enrollmentGroupId: group }, 'x509 of the state');
  return state;
}

/** The SDK must hand its user an UnauthorizedError with 401002; returns the body of the answer. */
async function turnedAway(bench, transport, id, tls, message = /./) {
  const error = await refused(bench.provision(transport, { id, security: new X509Security(id, tls) }), { name: 'UnauthorizedError' });
  const body = transport === 'mqtt' ? error.result : JSON.parse(error.responseBody);
  checkError(body, 401);
  assert.strictEqual(body.errorCode, 401002);
  assert.match(body.message, message);
  return body;
}

/** azure-iot-device-mqtt with a certificate. */
async function hubDevice(bench, deviceId, tls) {
  const { Client } = require('azure-iot-device');
  const { Mqtt } = require('azure-iot-device-mqtt');
  const client = bench.tame(Client.fromConnectionString(`HostName=${bench.hub};DeviceId=${deviceId};x509=true`, Mqtt));
  await client.setOptions({ cert: tls.cert, key: tls.key });
  return client;
}

/** The certificate opens the hub's door for this device. */
async function connects(bench, deviceId, tls) {
  const client = await hubDevice(bench, deviceId, tls);
  await client.open();
  await client.sendEvent(new Message('here'));
  await client.close();
}

/** The certificate does not, or no more. */
async function shutOut(bench, deviceId, tls) {
  const client = await hubDevice(bench, deviceId, tls);
  await refused(client.open(), { name: 'UnauthorizedError' });
}

/** A visit to the assigned hub: the initial twin is read, and two messages are counted. */
async function visits(bench, deviceId, tls, desired) {
  const client = await hubDevice(bench, deviceId, tls);
  await client.open();
  const { $version: version, ...found } = (await client.getTwin()).properties.desired;
  assert.deepStrictEqual(found, desired, `desired properties, version ${version}`);
  const before = (await bench.control.hub(bench.hub)).telemetryMessageCount;
  for (let i = 0; i < 2; i += 1) await client.sendEvent(new Message(`message ${i}`));
  assert.strictEqual((await bench.control.hub(bench.hub)).telemetryMessageCount - before, 2, 'messages counted');
  await client.close();
}

/** What the hub's registry says that this device has to show; {primary, secondary} are PEM texts. */
async function hubKnows(bench, deviceId, primary, secondary = primary) {
  const { authentication } = bodyOf(await bench.registry().get(deviceId));
  assert.strictEqual(authentication.type, 'selfSigned');
  assert.deepStrictEqual(authentication.x509Thumbprint,
    { primaryThumbprint: thumbprint(primary), secondaryThumbprint: thumbprint(secondary) });
}

module.exports = { register, turnedAway, hubDevice, connects, shutOut, visits, hubKnows };
