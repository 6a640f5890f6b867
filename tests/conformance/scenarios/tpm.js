// Claims: devices with a TPM (azure-iot-security-tpm on swtpm) provision by azure-iot-provisioning-device over each transport
// that has TPM attestation, enrolled by the operator's ways, and azure-iot-device connects to the hub with tokens that the TPM
// signs with the key that came with the answer. Each registration brings a new key, and the former one is good no more.
// Whoever does not have the enrolled TPM is refused.
'use strict';

const assert = require('assert');
const { bodyOf, nextEvent, refused } = require('../bench');
const { REFUSALS } = require('../refusals');
const { TpmDevice, impostor } = require('../tpm');
const { WITH_TPM, registering } = require('../transports');
const { API, mustUsher } = require('../../lib/control');
const { within } = require('../../lib/wait');

const TWIN = { tags: { hall: 2 }, properties: { desired: { interval: 15, mode: { fan: 'slow' } } } };

function enroll(bench, device, more = {}) {
  return bench.control.must('PUT', `/enrollments/${device.id}?${API}`,
    { registrationId: device.id, attestation: device.attestation(), initialTwin: TWIN, ...more });
}

async function hubKey(bench, deviceId) {
  const { authentication } = bodyOf(await bench.registry().get(deviceId));
  assert.strictEqual(authentication.type, 'sas');
  return authentication.symmetricKey.primaryKey;
}

async function admitted(report, bench, transport) {
  const desired = TWIN.properties.desired;
  await report.check('a TPM under the ID of its endorsement key is assigned, and at home in its hub', async () => {
    const device = await TpmDevice.make(bench);
    await bench.serviceClient().createOrUpdateIndividualEnrollment({
      registrationId: device.id, attestation: device.attestation(), initialTwin: TWIN,
    });
    await device.visits(transport, await device.register(transport), desired);
  });

  await report.check('a TPM under an ID and a device ID that the operator chose is assigned, and at home in its hub', async () => {
    const device = await TpmDevice.make(bench, `tpm-${transport}`);
    const deviceId = `${device.id}-at-the-hub`;
    await mustUsher(bench, ['enrollment', 'create', device.id, '--endorsement-key', device.endorsementKey, '--device-id', deviceId,
      '--desired', JSON.stringify(desired)]);
    await device.visits(transport, await device.register(transport, { deviceId }), desired);
  });

  await report.check('a TPM with a payload for the service is assigned like any other', async () => {
    const device = await TpmDevice.make(bench);
    await enroll(bench, device);
    const state = await device.register(transport, { payload: { model: 'safe', text: 'gr\u00fc\u00df' } });
    assert.ok(!('payload' in state), 'a payload in the answer, which no webhook gave');
    await device.visits(transport, state, desired);
  });

  await report.check('registering again brings a new key for the hub, and the former one is good no more', async () => {
    const device = await TpmDevice.make(bench);
    await enroll(bench, device);
    const first = await device.register(transport);
    const firstKey = await hubKey(bench, device.id);
    const old = await device.hubToken(first);
    await bench.deviceClientWithToken(old).open();
    const second = await device.register(transport);
    assert.strictEqual(second.createdDateTimeUtc, first.createdDateTimeUtc);
    assert.notStrictEqual(second.tpm.authenticationKey, first.tpm.authenticationKey, 'the wrapped key');
    assert.notStrictEqual(await hubKey(bench, device.id), firstKey, 'the key in the hub');
    await refused(bench.deviceClientWithToken(old).open(), { name: 'UnauthorizedError' });
    await device.visits(transport, second, desired);
  });

  await report.check('the operator sees the registration, and neither key nor challenge in it', async () => {
    const device = await TpmDevice.make(bench);
    await enroll(bench, device);
    const seen = await device.register(transport);
    const { status, json } = await bench.control.registration(device.id);
    assert.strictEqual(status, 200);
    for (const member of ['status', 'assignedHub', 'deviceId', 'etag', 'createdDateTimeUtc']) assert.strictEqual(json[member], seen[member], member);
    assert.ok(!JSON.stringify(json).includes('authenticationKey'), JSON.stringify(json));
  });
}

/**
 * Refused before there is a challenge. Over HTTP the SDK misses the challenge in the 401 that it is answered. Over AMQP it
 * is told by SASL's outcome, after which azure-iot-provisioning-device-amqp calls nobody back: all that its user can see is
 * that nothing comes. So there the connection must be closed, and nobody registered.
 */
const BEFORE_CHALLENGE = {
  http: (bench, attempt) => refused(attempt(), { name: 'FormatError', message: /did NOT respond with an appropriately formatted authentication blob/ }),
  amqp: async (bench, attempt, client) => {
    const closed = nextEvent(client._transport._amqpBase._rheaContainer, 'disconnected');
    let settled = 'nothing';
    attempt().then(() => { settled = 'accepted'; }, (error) => { settled = error.name; });
    await within(10000, 'the connection to be closed', closed);
    assert.notStrictEqual(settled, 'accepted');
  },
};
BEFORE_CHALLENGE['amqp-ws'] = BEFORE_CHALLENGE.amqp;

/** Refused because of what the challenge was answered with: over HTTP by another challenge, over AMQP by SASL's outcome. */
const BY_ANSWER = {
  http: async (attempt) => {
    const error = await refused(attempt(), { name: 'UnauthorizedError', status: 401 });
    const body = JSON.parse(error.responseBody);
    assert.strictEqual(body.keyName, 'registration');
    assert.ok(Buffer.from(body.authenticationKey, 'base64').length > 700, 'a fresh challenge');
    assert.ok(!('status' in body), 'a `status`, which some clients would take for a result');
  },
  amqp: (attempt) => refused(attempt(), { name: 'NotConnectedError' }),
};
BY_ANSWER['amqp-ws'] = BY_ANSWER.amqp;

async function turnedAway(report, bench, transport) {
  const stranger = await TpmDevice.make(bench, `tpm-${transport}-stranger`);
  const own = await TpmDevice.make(bench, `tpm-${transport}-own`);
  await enroll(bench, own);
  const notLetIn = async (id, security, scope = bench.scope) => {
    const client = bench.provisioningClient(transport, { security, scope });
    await BEFORE_CHALLENGE[transport](bench, () => client.register(), client);
    assert.strictEqual((await bench.control.registration(id)).status, 404, `registration of ${id}`);
  };

  await report.check('refused: a TPM that is not enrolled', () => notLetIn(stranger.id, stranger.security));
  await report.check('refused: a TPM under the ID of another one', () => notLetIn(own.id, stranger.client(own.id)));
  await report.check('refused: a TPM of another scope', () => notLetIn(own.id, own.security, '0neFFFFFFFF'));
  await report.check('refused: a TPM under the ID of a device with a key', async () => {
    const id = `tpm-${transport}-keyed`;
    await bench.control.enroll(id);
    await notLetIn(id, stranger.client(id));
  });
  await report.check('refused: the public keys of an enrolled TPM without the TPM', async () => {
    await BY_ANSWER[transport](() => bench.provision(transport, { security: impostor(own) }));
    assert.strictEqual((await bench.control.registration(own.id)).status, 404);
  });
  await report.check('the enrolled TPM is let in after all that', () => own.register(transport));
  await report.check('a TPM whose enrollment is disabled is refused, told so, and let in once it is enabled', async () => {
    await mustUsher(bench, ['enrollment', 'update', own.id, '--disabled']);
    const { message } = await REFUSALS[transport].request(own.attempt(transport));
    assert.match(message, /disabled/);
    await mustUsher(bench, ['enrollment', 'update', own.id, '--enabled']);
    await own.register(transport);
  });
}

async function run(report, bench, transport) {
  assert.ok(registering(transport, bench).transport.getAuthenticationChallenge, `${transport} has TPM attestation`);
  await admitted(report, bench, transport);
  await turnedAway(report, bench, transport);
}

module.exports = { name: 'TPM', over: WITH_TPM, run };
