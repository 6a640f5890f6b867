// Claims: with --strict-polling, azure-iot-provisioning-device is first told `assigning`, polls, and is assigned, over each of
// its transports. What the SDK receives is watched through its own polling state machine, unchanged.
'use strict';

const assert = require('assert');
const { X509Security } = require('azure-iot-security-x509');
const { Pki } = require('../pki');
const sas = require('../../lib/sas');
const { API, mustUsher } = require('../../lib/control');
const { checkState } = require('../devices');
const { TpmDevice } = require('../tpm');
const { ALL, WITH_TPM } = require('../transports');

/** Notes the status of each answer that the transport hands to the SDK. */
function watched(client) {
  const seen = [];
  const transport = client._transport;
  for (const call of ['registrationRequest', 'queryOperationStatus']) {
    const real = transport[call].bind(transport);
    transport[call] = (...args) => {
      const done = args.pop();
      real(...args, (error, result, response, interval) => {
        if (!error && result) seen.push({ call, status: result.status, operationId: result.operationId, interval });
        done(error, result, response, interval);
      });
    };
  }
  return seen;
}

async function run(report, bench, transport) {
  const polls = async (id, proof) => {
    const client = bench.provisioningClient(transport, { id, ...proof });
    const seen = watched(client);
    const got = await client.register();
    checkState(bench, got.registrationState || got, { id }); // of a TPM the SDK hands on the whole answer
    assert.strictEqual(seen[0].call, 'registrationRequest');
    assert.strictEqual(seen[0].status, 'assigning', 'the first answer');
    assert.ok(seen.length >= 2, `polled: ${JSON.stringify(seen)}`);
    assert.strictEqual(seen[seen.length - 1].status, 'assigned', 'the last answer');
    assert.strictEqual(new Set(seen.map((answer) => answer.operationId)).size, 1, `one operation: ${JSON.stringify(seen)}`);
    assert.ok(seen[0].interval > 0 && seen[0].interval <= 5000, `retry-after of ${seen[0].interval} ms`);
    return got;
  };

  await report.check('a device with its own key polls and is assigned', async () => {
    const id = `polling-${transport}`;
    await polls(id, { key: (await bench.control.enroll(id)).attestation.symmetricKey.primaryKey });
  });

  await report.check('a device of a group polls and is assigned', async () => {
    const id = `polling-${transport}-member`;
    const group = await bench.control.group(`polling-${transport}-group`);
    await polls(id, { key: sas.deriveKey(group.attestation.symmetricKey.primaryKey, id) });
  });

  await report.check('a device with a certificate polls and is assigned', async () => {
    const [own, member] = ['own', 'member'].map((what) => `polling-${transport}-${what}-certificate`);
    const pki = await Pki.create(bench, '--intermediates', '1', '--device', member, '--self-signed', own);
    await mustUsher(bench, ['enrollment', 'create', own, '--certificate', pki.file(`${own}.pem`)]);
    await mustUsher(bench, ['certificate', 'create', 'polling', '--file', pki.file('root.pem'), '--verified']);
    await mustUsher(bench, ['group', 'create', 'polling', '--ca', 'polling']);
    await polls(own, { security: new X509Security(own, pki.leaf(own)) });
    await polls(member, { security: new X509Security(member, pki.chain(member)) });
  });

  if (WITH_TPM.includes(transport)) {
    await report.check('a device with a TPM polls, is assigned, and its hub takes the key that it was given', async () => {
      const device = await TpmDevice.make(bench);
      await bench.control.must('PUT', `/enrollments/${device.id}?${API}`, { registrationId: device.id, attestation: device.attestation() });
      const { registrationState } = await polls(device.id, { security: device.security });
      await device.visits(transport, registrationState, {});
    });
  }

  await report.check('registering again polls too', async () => {
    const id = `polling-${transport}-again`;
    const { primaryKey: key } = (await bench.control.enroll(id)).attestation.symmetricKey;
    await polls(id, { key });
    await polls(id, { key });
  });
}

module.exports = { name: 'strict polling', over: ALL, args: ['--strict-polling'], run };
