// Claims: what is refused a back end reaches azure-iot-provisioning-service as UnauthorizedError and its like: wrong key,
// unknown policy, a policy without the right, expired token, token for another host, oversize.
'use strict';

const assert = require('assert');
const sas = require('../../lib/sas');
const { bodyOf, refused } = require('../bench');
const { mustUsher, overHttps } = require('../../lib/control');
const { checkError } = require('../../lib/device');

const WRONG = Buffer.alloc(64, 7).toString('base64');

/** Every call of the SDK with the right that guards it (service-api.md A.1). */
const CALLS = {
  getIndividualEnrollment: ['EnrollmentRead', (client) => client.getIndividualEnrollment('rights')],
  createOrUpdateIndividualEnrollment: ['EnrollmentWrite', (client) => client.createOrUpdateIndividualEnrollment({ registrationId: 'rights', attestation: { type: 'symmetricKey' }, etag: '*' })],
  createIndividualEnrollmentQuery: ['EnrollmentRead', (client) => client.createIndividualEnrollmentQuery({ query: '*' }).next()],
  getIndividualEnrollmentAttestationMechanism: ['EnrollmentWrite', (client) => client.getIndividualEnrollmentAttestationMechanism('rights')],
  runBulkEnrollmentOperation: ['EnrollmentWrite', (client) => new Promise((resolve, reject) => {
    client.runBulkEnrollmentOperation({ mode: 'delete', enrollments: [{ registrationId: 'rights-x', attestation: { type: 'symmetricKey' } }] }, (error, value) => (error ? reject(error) : resolve(value)));
  })],
  getEnrollmentGroup: ['EnrollmentRead', (client) => client.getEnrollmentGroup('rights')],
  createOrUpdateEnrollmentGroup: ['EnrollmentWrite', (client) => client.createOrUpdateEnrollmentGroup({ enrollmentGroupId: 'rights', attestation: { type: 'symmetricKey' }, etag: '*' })],
  createEnrollmentGroupQuery: ['EnrollmentRead', (client) => client.createEnrollmentGroupQuery({ query: '*' }).next()],
  getEnrollmentGroupAttestationMechanism: ['EnrollmentWrite', (client) => client.getEnrollmentGroupAttestationMechanism('rights')],
  getDeviceRegistrationState: ['RegistrationStatusRead', (client) => client.getDeviceRegistrationState('rights')],
  createEnrollmentGroupDeviceRegistrationStateQuery: ['RegistrationStatusRead', (client) => client.createEnrollmentGroupDeviceRegistrationStateQuery({ query: '*' }, 'rights').next()],
  deleteDeviceRegistrationState: ['RegistrationStatusWrite', (client) => client.deleteDeviceRegistrationState('rights-x')],
  deleteIndividualEnrollment: ['EnrollmentWrite', (client) => client.deleteIndividualEnrollment('rights-x')],
  deleteEnrollmentGroup: ['EnrollmentWrite', (client) => client.deleteEnrollmentGroup('rights-x')],
};
const IMPLIED = { EnrollmentWrite: ['EnrollmentRead'], RegistrationStatusWrite: ['RegistrationStatusRead'] };
const RIGHTS = ['ServiceConfig', 'EnrollmentRead', 'EnrollmentWrite', 'DeviceConnect', 'RegistrationStatusRead', 'RegistrationStatusWrite'];

async function tokens(report, bench) {
  const parts = sas.parseConnectionString(bench.serviceConnectionString);
  const { SharedAccessKeyName: policy, SharedAccessKey: key } = parts;
  const inAnHour = sas.inSeconds(3600);
  const good = { sr: 'localhost', key, se: inAnHour, skn: policy };
  const cases = {
    'a wrong key': sas.token({ ...good, key: WRONG }),
    'an unknown policy': sas.token({ ...good, skn: 'nobody' }),
    'no policy': sas.token({ ...good, skn: undefined }),
    'an expired token': sas.token({ ...good, se: sas.inSeconds(-3600) }),
    'a token for another host': sas.token({ ...good, sr: 'elsewhere.example.org' }),
    'a token for a part of the host name': sas.token({ ...good, sr: 'local' }),
    'a token without a signature': `SharedAccessSignature sr=localhost&se=${inAnHour}&skn=${policy}`,
    'nonsense': 'SharedAccessSignature nonsense',
    'a bearer token': 'Bearer nonsense',
  };
  for (const [what, token] of Object.entries(cases)) {
    await report.check(`refused with UnauthorizedError, 401002: ${what}`, async () => {
      const error = await refused(bench.serviceClientWithToken(token).getIndividualEnrollment('rights'), { name: 'UnauthorizedError', status: 401 });
      const body = JSON.parse(error.responseBody);
      checkError(body, 401);
      assert.strictEqual(body.errorCode, 401002);
    });
  }
  await report.check('refused with 401: no token at all', async () => {
    const answer = await overHttps(bench, 'GET', '/enrollments/rights?api-version=2021-10-01');
    assert.strictEqual(answer.status, 401);
    checkError(answer.json, 401);
  });
  await report.check('the secondary key of the policy serves as well', async () => {
    const keys = await bench.control.must('POST', `/control/services/dev/policies/${policy}/listkeys`);
    const client = bench.serviceClient(`HostName=localhost;SharedAccessKeyName=${policy};SharedAccessKey=${keys.secondaryKey}`);
    assert.strictEqual(bodyOf(await client.getIndividualEnrollment('rights')).registrationId, 'rights');
  });
}

async function rights(report, bench) {
  for (const right of RIGHTS) {
    await report.check(`a policy with ${right} only may do what that right allows, and nothing else`, async () => {
      await mustUsher(bench, ['policy', 'create', `only-${right}`, '--rights', right]);
      const client = bench.serviceClient(await mustUsher(bench, ['connection-string', `only-${right}`]));
      const held = [right, ...(IMPLIED[right] || [])];
      const wrong = [];
      for (const [call, [needed, invoke]] of Object.entries(CALLS)) {
        const status = await invoke(client).then(() => 200, (error) => (error.response ? error.response.statusCode : error.message));
        const allowed = held.includes(needed);
        if (allowed ? status === 401 || typeof status !== 'number' : status !== 401) wrong.push(`${call}: ${status}`);
      }
      assert.deepStrictEqual(wrong, []);
    });
  }
}

async function run(report, bench) {
  await bench.control.enroll('rights');
  await bench.control.group('rights');
  await tokens(report, bench);
  await rights(report, bench);

  await report.check('refused with 413: an enrollment of 200 KB', async () => {
    const large = { registrationId: 'too-large', attestation: { type: 'symmetricKey' }, initialTwin: { tags: { text: 'x'.repeat(200 * 1024) }, properties: { desired: {} } } };
    const error = await refused(bench.serviceClient().createOrUpdateIndividualEnrollment(large), { name: 'Error', status: 413 });
    checkError(JSON.parse(error.responseBody), 413);
  });
}

module.exports = { name: 'refusals, service', run };
