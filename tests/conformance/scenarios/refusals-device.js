// Claims: what is refused a device reaches the SDKs as their proper error, over each transport: wrong key, unknown ID, wrong
// scope, expired token, disabled enrollment, mismatched identities, oversize. What that error is: refusals.js.
'use strict';

const assert = require('assert');
const sas = require('../../lib/sas');
const { refused } = require('../bench');
const { REFUSALS } = require('../refusals');
const { ALL } = require('../transports');
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
  const body = await REFUSALS[transport].credential(bench.provision(transport, device));
  if (body) assert.ok(!body.message.includes(device.id), 'the answer names the registration');
}

async function credentials(report, bench, transport) {
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
    await report.check(`refused: ${what}`, () => unauthorized(bench, transport, device));
  }
  await report.check('the device with the right key is let in after all that', async () => {
    assert.strictEqual((await bench.provision(transport, { id, key })).status, 'assigned');
  });
}

/** A disabled device proves itself, connects, and is told so when it registers. */
async function toldDisabled(bench, transport, device) {
  const body = await REFUSALS[transport].request(bench.provision(transport, device));
  assert.match(body.message, /disabled/, 'the message says why');
}

async function disabled(report, bench, transport) {
  const { control } = bench;
  await report.check('refused: a disabled enrollment; and let in once it is enabled', async () => {
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

  await report.check('refused: a disabled individual enrollment, though its group is enabled', async () => {
    const id = `refused-${transport}-blocked`;
    const { primaryKey } = (await control.group(`refused-${transport}-blocking`)).attestation.symmetricKey;
    const key = sas.deriveKey(primaryKey, id);
    await control.enroll(id, { provisioningStatus: 'disabled' }, { primaryKey: key, secondaryKey: key });
    await toldDisabled(bench, transport, { id, key });
  });
}

/** How a payload of 200 KB is refused, by transport. */
const OVERSIZE = {
  http: async (bench, attempt) => {
    const error = await refused(attempt(), { name: 'Error', status: 413 });
    checkError(JSON.parse(error.responseBody), 413);
  },
  // When a connection ends under an unacknowledged publish, the SDK rejects, and then calls a callback that it does not
  // have (its transport handles `error` once more although it is disconnected already).
  mqtt: (bench, attempt) => bench.tolerating({ message: 'callback is not a function', from: 'azure-iot-provisioning-device-mqtt' },
    () => refused(attempt(), { name: 'NotConnectedError', message: /^Connection to the server has been closed/ })),
  // The message is rejected. Were the connection closed with this error instead, the SDK would wait for the link's end in
  // vain, and name another error after 30 s.
  amqp: async (bench, attempt) => {
    const error = await attempt().then(() => assert.fail('accepted'), (caught) => caught);
    assert.strictEqual(error.condition, 'amqp:link:message-size-exceeded', `condition of ${error.name}: ${error.message}`);
    checkError(JSON.parse(error.description), 413);
  },
};
OVERSIZE['mqtt-ws'] = OVERSIZE.mqtt;
OVERSIZE['amqp-ws'] = OVERSIZE.amqp;

async function oversize(report, bench, transport) {
  const id = `refused-${transport}-large`;
  const { primaryKey: key } = (await bench.control.enroll(id)).attestation.symmetricKey;
  await report.check('refused: a payload of 200 KB', () => OVERSIZE[transport](bench,
    () => bench.provision(transport, { id, key }, { text: 'x'.repeat(200 * 1024) })));
  await report.check('a payload of 64 KB is taken', async () => {
    const state = await bench.provision(transport, { id, key }, { text: 'x'.repeat(64 * 1024) });
    assert.strictEqual(state.status, 'assigned');
  });
}

async function run(report, bench, transport) {
  await credentials(report, bench, transport);
  await disabled(report, bench, transport);
  await oversize(report, bench, transport);
}

module.exports = { name: 'refusals, device', over: ALL, run };
