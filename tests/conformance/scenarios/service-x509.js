// Claims: azure-iot-provisioning-service manages enrollments with certificates: client certificates, signing certificates and
// CA references are taken in each form that clients send, described by `info`, kept by a GET, a change and a PUT without the
// text of the certificate, and replaced by one with it. A device is let in or not accordingly.
'use strict';

const assert = require('assert');
const { X509Certificate } = require('crypto');
const { bodyOf, called, pagesOf, refused } = require('../bench');
const { Pki, thumbprint } = require('../pki');
const { register, turnedAway } = require('../x509');
const { mustUsher } = require('../../lib/control');

const TWIN = { tags: { line: 4 }, properties: { desired: { speed: 2 } } };

/** What `info` must say of a certificate; read by Node, not by us. */
function infoOf(pem) {
  const seen = new X509Certificate(pem);
  const time = (text) => new Date(text).toISOString().replace('.000Z', 'Z');
  return {
    subjectName: seen.subject.split('\n').reverse().join(', '), issuerName: seen.issuer.split('\n').reverse().join(', '),
    sha1Thumbprint: seen.fingerprint.replace(/:/g, ''), sha256Thumbprint: thumbprint(pem),
    notBeforeUtc: time(seen.validFrom), notAfterUtc: time(seen.validTo), serialNumber: seen.serialNumber.replace(/^(00)+/, ''), version: 3,
  };
}

/** The attestation in an answer: `info` of both, and no text of a certificate. */
function describes(attestation, form, primary, secondary = primary) {
  assert.deepStrictEqual(attestation, { type: 'x509', x509: { [form]: { primary: { info: infoOf(primary) }, secondary: { info: infoOf(secondary) } } } });
}

const derOf = (pem) => new X509Certificate(pem).raw.toString('base64');

async function individuals(report, bench, client) {
  const pki = await Pki.create(bench, '--self-signed', 'svc-x1', '--self-signed', 'svc-x2', '--self-signed', 'svc-x3', '--self-signed', 'svc-x4');
  const next = await Pki.create(bench, '--key-type', 'rsa', '--self-signed', 'svc-x1');
  const x509 = (primary, secondary) => ({ type: 'x509', x509: { clientCertificates: {
    primary: { certificate: primary }, ...(secondary ? { secondary: { certificate: secondary } } : {}) } } });
  const put = async (enrollment) => bodyOf(await client.createOrUpdateIndividualEnrollment(enrollment));
  const get = async (id) => { const { registrationState, ...rest } = bodyOf(await client.getIndividualEnrollment(id)); return rest; };

  const forms = { 'PEM text': (pem) => pem, 'PEM text with CRLF': (pem) => pem.replace(/\n/g, '\r\n'), 'base64 of DER': derOf,
    'base64 of PEM': (pem) => Buffer.from(pem).toString('base64') };
  for (const [index, [form, write]] of Object.entries(forms).entries()) {
    const id = `svc-x${index + 1}`;
    await report.check(`a client certificate as ${form} is taken and described, and stands in for the secondary; the device is let in`, async () => {
      const pem = pki.pem(id);
      describes((await put({ registrationId: id, attestation: x509(write(pem)) })).attestation, 'clientCertificates', pem);
      describes((await get(id)).attestation, 'clientCertificates', pem);
      await register(bench, 'http', id, pki.leaf(id));
    });
  }
  await report.check('the attestation mechanism describes the certificates too', async () => {
    describes(bodyOf(await client.getIndividualEnrollmentAttestationMechanism('svc-x1')), 'clientCertificates', pki.pem('svc-x1'));
  });
  await report.check('what was read, changed elsewhere and written back without certificates keeps them', async () => {
    const before = await get('svc-x1');
    assert.ok(!JSON.stringify(before).includes('"certificate"'), 'the text of a certificate in an answer');
    const after = await put({ ...before, initialTwin: TWIN });
    assert.deepStrictEqual(after.attestation, before.attestation);
    assert.deepStrictEqual(after.initialTwin, TWIN);
    await register(bench, 'mqtt', 'svc-x1', pki.leaf('svc-x1'));
  });
  await report.check('a new secondary beside the kept primary: both are let in', async () => {
    const { attestation, ...rest } = await get('svc-x1');
    attestation.x509.clientCertificates.secondary = { certificate: next.pem('svc-x1') };
    describes((await put({ ...rest, attestation })).attestation, 'clientCertificates', pki.pem('svc-x1'), next.pem('svc-x1'));
    for (const one of [next, pki]) await register(bench, 'mqtt', 'svc-x1', one.leaf('svc-x1'));
  });
  await report.check('the secondary, moved into the primary\'s place without its text, is the one that stays', async () => {
    const { attestation, ...rest } = await get('svc-x1');
    const { secondary } = attestation.x509.clientCertificates;
    const promoted = { type: 'x509', x509: { clientCertificates: { primary: secondary } } };
    describes((await put({ ...rest, attestation: promoted })).attestation, 'clientCertificates', next.pem('svc-x1'));
    await turnedAway(bench, 'mqtt', 'svc-x1', pki.leaf('svc-x1'));
    await register(bench, 'mqtt', 'svc-x1', next.leaf('svc-x1'));
  });
  await report.check('the description of a certificate that was replaced brings it not back: ArgumentError', async () => {
    const { attestation, ...rest } = await get('svc-x1');
    const stale = { type: 'x509', x509: { clientCertificates: { primary: { info: infoOf(pki.pem('svc-x1')) } } } };
    await refused(client.createOrUpdateIndividualEnrollment({ ...rest, attestation: stale }), { name: 'ArgumentError', status: 400 });
    assert.deepStrictEqual((await get('svc-x1')).attestation, attestation);
  });
  await report.check('new certificates in the place of both: the old one is refused', async () => {
    const { attestation, ...rest } = await get('svc-x1');
    describes((await put({ ...rest, attestation: x509(next.pem('svc-x1')) })).attestation, 'clientCertificates', next.pem('svc-x1'));
    await turnedAway(bench, 'mqtt', 'svc-x1', pki.leaf('svc-x1'));
    await register(bench, 'mqtt', 'svc-x1', next.leaf('svc-x1'));
  });
  await report.check('a query has the descriptions and no text of a certificate', async () => {
    const all = (await pagesOf(client.createIndividualEnrollmentQuery({ query: 'SELECT * FROM enrollments' }, 2))).flat();
    describes(all.find((item) => item.registrationId === 'svc-x2').attestation, 'clientCertificates', pki.pem('svc-x2'));
  });
  await report.check('bulk create with certificates', async () => {
    const ids = ['svc-b1', 'svc-b2'];
    for (const id of ids) await pki.device(id, '--self-signed');
    const enrollments = ids.map((registrationId) => ({ registrationId, attestation: x509(pki.pem(registrationId)) }));
    assert.deepStrictEqual(await called((done) => client.runBulkEnrollmentOperation({ mode: 'create', enrollments }, done)), { errors: [], isSuccessful: true });
    for (const id of ids) await register(bench, 'http', id, pki.leaf(id));
  });
  const wrong = {
    'nonsense in place of a certificate': x509('nonsense'),
    'a description without a certificate, for a new enrollment': { type: 'x509', x509: { clientCertificates: { primary: { info: infoOf(pki.pem('svc-x2')) } } } },
    'a private key beside the certificate': x509(pki.pem('svc-x2') + pki.text('svc-x2.key')),
    'client and signing certificates at once': { type: 'x509', x509: { ...x509(pki.pem('svc-x2')).x509, signingCertificates: { primary: { certificate: pki.pem('root') } } } },
    'signing certificates, which are for groups': { type: 'x509', x509: { signingCertificates: { primary: { certificate: pki.pem('root') } } } },
    'no certificates at all': { type: 'x509', x509: {} },
  };
  for (const [what, attestation] of Object.entries(wrong)) {
    await report.check(`refused with ArgumentError: ${what}`, async () => {
      await refused(client.createOrUpdateIndividualEnrollment({ registrationId: 'svc-wrong', attestation }), { name: 'ArgumentError', status: 400 });
      await refused(client.getIndividualEnrollment('svc-wrong'), { name: 'Error', status: 404 });
    });
  }
}

async function groups(report, bench, client) {
  const pki = await Pki.create(bench, '--intermediates', '1', '--device', 'svc-m1');
  const second = await Pki.create(bench, '--name', 'Second', '--device', 'svc-m2');
  const put = async (group) => bodyOf(await client.createOrUpdateEnrollmentGroup(group));
  const get = async (id) => bodyOf(await client.getEnrollmentGroup(id));
  for (const [name, one] of [['svc-first', pki], ['svc-second', second]]) {
    await mustUsher(bench, ['certificate', 'create', name, '--file', one.file('root.pem'), '--verified']);
  }

  await report.check('signing certificates are taken and described; kept by a round trip without their text; the device is let in', async () => {
    const made = await put({ enrollmentGroupId: 'svc-signed', attestation: { type: 'x509', x509: { signingCertificates: { primary: { certificate: derOf(pki.pem('intermediate1')) } } } } });
    describes(made.attestation, 'signingCertificates', pki.pem('intermediate1'));
    const { attestation, ...rest } = await get('svc-signed');
    attestation.x509.signingCertificates.secondary = { certificate: second.pem('root') };
    describes((await put({ ...rest, attestation })).attestation, 'signingCertificates', pki.pem('intermediate1'), second.pem('root'));
    const kept = await put({ ...await get('svc-signed'), provisioningStatus: 'enabled' });
    describes(kept.attestation, 'signingCertificates', pki.pem('intermediate1'), second.pem('root'));
    describes(bodyOf(await client.getEnrollmentGroupAttestationMechanism('svc-signed')), 'signingCertificates', pki.pem('intermediate1'), second.pem('root'));
    await register(bench, 'mqtt', 'svc-m1', pki.leaf('svc-m1'), { group: 'svc-signed' });
    await register(bench, 'mqtt', 'svc-m2', second.leaf('svc-m2'), { group: 'svc-signed' });
    await client.deleteEnrollmentGroup('svc-signed');
    await turnedAway(bench, 'mqtt', 'svc-m1', pki.chain('svc-m1'));
  });

  await report.check('CA references come back as names, primary alone and with a secondary; the devices below each are let in', async () => {
    const references = (primary, secondary) => ({ type: 'x509', x509: { caReferences: { primary, ...(secondary ? { secondary } : {}) } } });
    const made = await put({ enrollmentGroupId: 'svc-named', attestation: references('svc-first') });
    assert.strictEqual(made.attestation.x509.caReferences.primary, 'svc-first');
    await turnedAway(bench, 'http', 'svc-m2', second.chain('svc-m2'));
    const { attestation: _old, ...rest } = await get('svc-named');
    await put({ ...rest, attestation: references('svc-first', 'svc-second') });
    const kept = await put({ ...await get('svc-named'), initialTwin: TWIN });
    assert.deepStrictEqual(kept.attestation, references('svc-first', 'svc-second'));
    await register(bench, 'http', 'svc-m1', pki.chain('svc-m1'), { group: 'svc-named' });
    await register(bench, 'http', 'svc-m2', second.chain('svc-m2'), { group: 'svc-named' });
  });

  const wrong = {
    'client certificates, which are for individual enrollments': { clientCertificates: { primary: { certificate: pki.pem('svc-m1') } } },
    'references and certificates at once': { caReferences: { primary: 'svc-first' }, signingCertificates: { primary: { certificate: pki.pem('root') } } },
  };
  for (const [what, x509] of Object.entries(wrong)) {
    await report.check(`refused with ArgumentError: ${what}`, async () => {
      await refused(client.createOrUpdateEnrollmentGroup({ enrollmentGroupId: 'svc-wrong', attestation: { type: 'x509', x509 } }), { name: 'ArgumentError', status: 400 });
      await refused(client.getEnrollmentGroup('svc-wrong'), { name: 'Error', status: 404 });
    });
  }
}

async function run(report, bench) {
  const client = bench.serviceClient();
  await individuals(report, bench, client);
  await groups(report, bench, client);
}

module.exports = { name: 'provisioning-service, certificates', run };
