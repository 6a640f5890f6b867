// What the scenarios with certificates do alike, with the SDKs: register, visit the hub, be refused at either.
'use strict';

const assert = require('assert');
const { Message } = require('azure-iot-device');
const { X509Security } = require('azure-iot-security-x509');
const { bodyOf, refused } = require('./bench');
const { checkState, visitsBy } = require('./devices');
const { thumbprint } = require('./pki');
const { REFUSALS } = require('./refusals');
const { onHub } = require('./transports');

/** Registers by azure-iot-provisioning-device; the state is checked, and returned. `group` is who let the device in. */
async function register(bench, transport, id, tls, { deviceId = id, group } = {}) {
  const state = checkState(bench, await bench.provision(transport, { id, security: new X509Security(id, tls) }), { id, deviceId });
  assert.deepStrictEqual(state.x509, group === undefined ? {} : { enrollmentGroupId: group }, 'x509 of the state');
  return state;
}

/** The SDK must hand its user the refusal with 401002 in it; returns the body of the answer. */
async function turnedAway(bench, transport, id, tls, message = /./) {
  const body = await REFUSALS[transport].request(bench.provision(transport, { id, security: new X509Security(id, tls) }));
  assert.match(body.message, message);
  return body;
}

/** azure-iot-device with a certificate. */
async function hubDevice(bench, deviceId, tls, over = 'mqtt') {
  const { Client } = require('azure-iot-device');
  const client = bench.tame(Client.fromConnectionString(`HostName=${bench.hub};DeviceId=${deviceId};x509=true`, onHub(over)));
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

/** A visit to the assigned hub with what the device showed when it registered by `transport`. */
function visits(bench, transport, deviceId, tls, desired) {
  return visitsBy(bench, transport, (over) => hubDevice(bench, deviceId, tls, over), desired);
}

/** What the hub's registry says that this device has to show; {primary, secondary} are PEM texts. */
async function hubKnows(bench, deviceId, primary, secondary = primary) {
  const { authentication } = bodyOf(await bench.registry().get(deviceId));
  assert.strictEqual(authentication.type, 'selfSigned');
  assert.deepStrictEqual(authentication.x509Thumbprint,
    { primaryThumbprint: thumbprint(primary), secondaryThumbprint: thumbprint(secondary) });
}

module.exports = { register, turnedAway, hubDevice, connects, shutOut, visits, hubKnows };
