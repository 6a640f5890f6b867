// Claims: devices with certificates, of every kind of enrollment, with EC and with RSA keys, showing the whole chain or their
// own certificate only, provision by azure-iot-provisioning-device over each of its transports, and connect with the same
// certificate by azure-iot-device to the hub they are told. Enrolled with azure-iot-provisioning-service and with `usher`.
'use strict';

const { register, turnedAway, visits, hubKnows } = require('../x509');
const { Pki } = require('../pki');
const { ALL, needsOwnPorts } = require('../transports');
const { mustUsher } = require('../../lib/control');

const TWIN = { tags: { hall: 2 }, properties: { desired: { interval: 15, mode: { fan: 'slow' } } } };

/** Enrollments as azure-iot-provisioning-service makes them. */
function bySdk(bench) {
  const client = bench.serviceClient();
  const signed = (pki, ca) => ({ signingCertificates: { primary: { certificate: pki.pem(ca) } } });
  return {
    individual: (id, pki, deviceId) => client.createOrUpdateIndividualEnrollment({
      registrationId: id, deviceId, initialTwin: TWIN,
      attestation: { type: 'x509', x509: { clientCertificates: { primary: { certificate: pki.pem(id) } } } },
    }),
    group: (id, { pki, ca, reference }) => client.createOrUpdateEnrollmentGroup({
      enrollmentGroupId: id, initialTwin: TWIN,
      attestation: { type: 'x509', x509: reference ? { caReferences: { primary: reference } } : signed(pki, ca) },
    }),
  };
}

/** Enrollments as an operator makes them. */
function byUsher(bench) {
  const twin = ['--tags', JSON.stringify(TWIN.tags), '--desired', JSON.stringify(TWIN.properties.desired)];
  return {
    individual: (id, pki, deviceId) => mustUsher(bench, ['enrollment', 'create', id, '--certificate', pki.file(`${id}.pem`),
      ...(deviceId ? ['--device-id', deviceId] : []), ...twin]),
    group: (id, { pki, ca, reference }) => mustUsher(bench, ['group', 'create', id,
      ...(reference ? ['--ca', reference] : ['--certificate', pki.file(`${ca}.pem`)]), ...twin]),
  };
}

class Matrix {
  constructor(report, bench, transport, kind) {
    Object.assign(this, { report, bench, transport, kind });
    this.enroll = transport.startsWith('mqtt') ? bySdk(bench) : byUsher(bench);
  }

  name(what) {
    return `${this.transport}-${this.kind}-${what}`;
  }

  pki(...words) {
    return Pki.create(this.bench, '--key-type', this.kind, ...words);
  }

  upload(name, pki, ca, ...how) {
    return mustUsher(this.bench, ['certificate', 'create', name, '--file', pki.file(`${ca}.pem`), ...how]);
  }

  /** One cell: the device is assigned, and the hub it was assigned to knows it by what it showed. */
  admitted(what, id, tls, expected = {}) {
    return this.report.check(`${this.kind}: ${what}: it is assigned, and at home in its hub`, async () => {
      const { deviceId } = await register(this.bench, this.transport, id, tls, expected);
      await hubKnows(this.bench, deviceId, tls.cert);
      await visits(this.bench, this.transport, deviceId, tls, TWIN.properties.desired);
    });
  }

  refused(what, id, tls) {
    return this.report.check(`${this.kind}: ${what}: it is refused`,
      () => turnedAway(this.bench, this.transport, id, tls));
  }

  async individuals() {
    const [alone, below, bare] = ['alone', 'below', 'bare'].map((what) => this.name(what));
    const pki = await this.pki('--intermediates', '1', '--self-signed', alone, '--device', below, '--device', bare);
    await this.enroll.individual(alone, pki);
    await this.enroll.individual(below, pki, `${below}-at-the-hub`);
    await this.enroll.individual(bare, pki);
    await this.admitted('a device with a self-signed certificate of its own', alone, pki.leaf(alone));
    await this.admitted('a device enrolled by itself shows its chain, of a CA that nobody knows', below, pki.chain(below, { root: true }), { deviceId: `${below}-at-the-hub` });
    await this.admitted('a device enrolled by itself shows its certificate only', bare, pki.leaf(bare));
  }

  async belowRoot() {
    const [one, two] = ['one', 'two'].map((what) => this.name(what));
    const pki = await this.pki('--device', one, '--device', two);
    const group = this.name('root');
    await this.upload(group, pki, 'root', '--verified');
    await this.enroll.group(group, { pki, ca: 'root' });
    await this.admitted('a device directly below the root of its group shows both', one, pki.chain(one, { root: true }), { group });
    await this.admitted('a device directly below the root of its group shows its certificate only', two, pki.leaf(two), { group });
  }

  /** Two intermediates between device and root. `named` says what the enrollment group names. */
  async belowIntermediates(what, named) {
    const [full, chained, bare] = ['full', 'chained', 'bare'].map((shown) => this.name(`${what.replace(/ /g, '-')}-${shown}`));
    const pki = await this.pki('--intermediates', '2', '--device', full, '--device', chained, '--device', bare);
    const group = this.name(what.replace(/ /g, '-'));
    await this.upload(group, pki, 'root', '--verified');
    await this.enroll.group(group, named(pki, group));
    const where = `two intermediates below the root, group on the ${what}`;
    await this.admitted(`${where}: a device shows all up to the root`, full, pki.chain(full, { root: true }), { group });
    await this.admitted(`${where}: a device shows all but the root`, chained, pki.chain(chained), { group });
    await this.refused(`${where}: a device shows its certificate only, and the service lacks an intermediate`, bare, pki.leaf(bare));
    for (const ca of ['intermediate1', 'intermediate2']) await this.upload(`${group}-${ca}`, pki, ca);
    await this.admitted(`${where}: a device shows its certificate only, and the service has the intermediates`, bare, pki.leaf(bare), { group });
  }
}

async function run(report, bench, transport) {
  // WebSocket says the same in other frames: TLS has judged the same certificates by then.
  for (const kind of needsOwnPorts(transport) ? ['ec'] : ['ec', 'rsa']) {
    const matrix = new Matrix(report, bench, transport, kind);
    await matrix.individuals();
    await matrix.belowRoot();
    await matrix.belowIntermediates('root by name', (pki, reference) => ({ reference }));
    await matrix.belowIntermediates('nearest intermediate', (pki) => ({ pki, ca: 'intermediate2' }));
  }
}

module.exports = { name: 'certificates', over: ALL, run };
