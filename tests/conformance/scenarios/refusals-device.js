// Claims: what is refused a device reaches the SDKs as their proper error, over MQTT and over HTTPS: wrong key, unknown ID,
// wrong scope, expired token, disabled enrollment, mismatched identities, oversize. A refused CONNECT the device SDK hands
// on as it comes from mqtt.js: a plain Error with the return code and the reason.
'use strict';

const assert = require('assert');
const sas = require('../../lib/sas');
const { refused } = require('../bench');
const { checkError } = require('../../lib/device');

const WRONG = Buffer.alloc(64, 7).toString('base64');

/** A security client of the SDK's own interface, that hands out the token it is told to. */
function security(id, token) {
  return {
    getRegistrationId: (done) => done(null, id),
    createSharedAccessSignature: (scope, done) => done(null, token),
  };
}

async function unauthorized(bench, transport, device) {
  if (transport === 'mqtt') {
    await refused(bench.provision('mqtt', device), { name: 'Error', code: 5, message: /^Connection refused: Not authorized$/ });
    return;
  }
  const error = await refused(bench.provision('http', device), { name: 'UnauthorizedError', status: 401 });
  const body = JSON.parse(error.responseBody);
  checkError(body, 401);
  assert.strictEqual(body.errorCode, 401002);
  assert.ok(!body.message.includes(device.id), 'the answer names the registration');
}

async function overEither(report, bench, transport) {
  const { control, scope } = bench;
  const id = `refused-${transport}`;
  const { primaryKey: key } = (await control.enroll(id)).attestation.symmetricKey;
  const other = `refused-${transport}-other`;
  const { primaryKey: otherKey } = (await control.enroll(other)).attestation.symmetricKey;
  const group = (await control.group(`refused-${transport}-group`)).attestation.symmetricKey;
  const audience = (name) => sas.encode(`${scope}/registrations/${name}`);
  const inAnHour = sas.inSeconds(3600);
  const cases = {
    'a wrong key': { id, key: WRONG },
    'an unknown registration ID': { id: `${id}-nobody`, key: WRONG },
    'an unknown ID scope': { id, key, scope: '0neFFFFFFFF' },
    'the group key itself in place of the derived key': { id: `${id}-member`, key: group.primaryKey },
    'the derived key of another device': { id: `${id}-member`, key: sas.deriveKey(group.primaryKey, `${id}-other-member`) },
    'an expired token': { id, security: security(id, sas.token({ sr: audience(id), key, se: sas.inSeconds(-3600), skn: 'registration' })) },
    'a token for another device, signed with its key': { id, security: security(id, sas.token({ sr: audience(other), key: otherKey, se: inAnHour, skn: 'registration' })) },
    'a token for another device, signed with this key': { id, security: security(id, sas.token({ sr: audience(other), key, se: inAnHour, skn: 'registration' })) },
    'a token for another scope': { id, security: security(id, sas.token({ sr: sas.encode(`0neFFFFFFFF/registrations/${id}`), key, se: inAnHour, skn: 'registration' })) },
    'no token but nonsense': { id, security: security(id, 'SharedAccessSignature nonsense') },
  };
  for (const [what, device] of Object.entries(cases)) {
    await report.check(`${transport}: refused: ${what}`, () => unauthorized(bench, transport, device));
  }
  await report.check(`${transport}: the device with the right key is let in after all that`, async () => {
    assert.strictEqual((await bench.provision(transport, { id, key })).status, 'assigned');
  });
}

/** A disabled device proves itself, connects, and is told so when it registers: over MQTT that is another error. */
async function toldDisabled(bench, transport, device) {
  const error = await refused(bench.provision(transport, device), { name: 'UnauthorizedError' });
  const body = transport === 'mqtt' ? error.result : JSON.parse(error.responseBody);
  checkError(body, 401);
  assert.match(body.message, /disabled/, 'the message says why');
}

async function disabled(report, bench, transport) {
  const { control } = bench;
  await report.check(`${transport}: refused: a disabled enrollment; and let in once it is enabled`, async () => {
    const id = `refused-${transport}-disabled`;
    const made = await control.enroll(id, { provisioningStatus: 'disabled' });
    const { primaryKey: key } = made.attestation.symmetricKey;
    await toldDisabled(bench, transport, { id, key });
    const { json: got } = await control.request('GET', `/enrollments/${id}?api-version=2021-10-01`);
    const { registrationState, ...enrollment } = got;
    assert.strictEqual(registrationState.status, 'disabled');
    await control.must('PUT', `/enrollments/${id}?api-version=2021-10-01`, { ...enrollment, provisioningStatus: 'enabled' }, { 'If-Match': enrollment.etag });
    assert.strictEqual((await bench.provision(transport, { id, key })).status, 'assigned');
  });

  await report.check(`${transport}: refused: a disabled individual enrollment, though its group is enabled`, async () => {
    const id = `refused-${transport}-blocked`;
    const { primaryKey } = (await control.group(`refused-${transport}-blocking`)).attestation.symmetricKey;
    const key = sas.deriveKey(primaryKey, id);
    await control.enroll(id, { provisioningStatus: 'disabled' }, { primaryKey: key, secondaryKey: key });
    await toldDisabled(bench, transport, { id, key });
  });
}

async function oversize(report, bench) {
  const { primaryKey: key } = (await bench.control.enroll('refused-large')).attestation.symmetricKey;
  const payload = { text: 'x'.repeat(200 * 1024) };

  await report.check('http: refused: a payload of 200 KB, with 413', async () => {
    const error = await refused(bench.provision('http', { id: 'refused-large', key }, payload), { name: 'Error', status: 413 });
    checkError(JSON.parse(error.responseBody), 413);
  });
  await report.check('mqtt: refused: a payload of 200 KB, by closing the connection', async () => {
    // When a connection ends under an unacknowledged publish, the SDK rejects, and then calls a callback that it does not
    // have (its transport handles `error` once more although it is disconnected already).
    const bug = { message: 'callback is not a function', from: 'azure-iot-provisioning-device-mqtt' };
    await bench.tolerating(bug, () => refused(bench.provision('mqtt', { id: 'refused-large', key }, payload),
      { name: 'NotConnectedError', message: /^Connection to the server has been closed/ }));
  });
  await report.check('a payload of 64 KB is taken, over both', async () => {
    for (const transport of ['http', 'mqtt']) {
      const state = await bench.provision(transport, { id: 'refused-large', key }, { text: 'x'.repeat(64 * 1024) });
      assert.strictEqual(state.status, 'assigned', transport);
    }
  });
}

async function run(report, bench) {
  for (const transport of ['mqtt', 'http']) {
    await overEither(report, bench, transport);
    await disabled(report, bench, transport);
  }
  await oversize(report, bench);
}

module.exports = { name: 'refusals, device', run };
