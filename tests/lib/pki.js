// Certificates for devices, made by `usher pki`, and what usherd is told about them. A bench PKI is a folder; `rolled` is
// another folder with the same CAs, in which the same devices have other certificates.
'use strict';

const { X509Certificate } = require('crypto');
const fs = require('fs');
const path = require('path');
const children = require('./children');
const usherd = require('./usherd');
const { API } = require('./control');
const { inParallel } = require('./pool');

const AT_ONCE = 100; // `usher pki create` takes 128 options
const PROCESSES = 4;

async function run(...args) {
  const { code, stderr } = await children.run(usherd.program('usher'), ['pki', ...args], { timeout: 60000 });
  if (code !== 0) throw new Error(`usher pki ${args.slice(0, 3).join(' ')}: exit code ${code}: ${stderr}`);
}

/** SHA-256 of a certificate (PEM; the first of several) as a hub writes it: capital hex digits. */
function thumbprint(pem) {
  return new X509Certificate(pem).fingerprint256.replace(/:/g, '');
}

class Pki {
  constructor(dir) {
    this.dir = dir;
  }

  /** Makes a root, `intermediates` below it, and the devices: `below` the last CA, `alone` self-signed. */
  static async make({ below = [], alone = [], intermediates = 0, name = 'Usher tests' } = {}) {
    const pki = new Pki(path.join(usherd.scratch(), 'pki'));
    const options = [...below.map((id) => ['--device', id]), ...alone.map((id) => ['--self-signed', id])];
    await run('create', pki.dir, '--name', name, '--intermediates', String(intermediates), ...options.slice(0, AT_ONCE).flat());
    await inParallel(PROCESSES, options.slice(AT_ONCE), ([how, id]) => run('device', pki.dir, id, ...(how === '--device' ? [] : [how])));
    return pki;
  }

  /** The same CAs in a folder of their own, with other certificates for devices below the last of them. */
  async rolled(below) {
    const other = new Pki(usherd.scratch());
    for (const file of fs.readdirSync(this.dir).filter((each) => /^(root|intermediate\d+)[.-]/.test(each))) {
      fs.copyFileSync(path.join(this.dir, file), path.join(other.dir, file));
    }
    await inParallel(PROCESSES, below, (id) => run('device', other.dir, id));
    return other;
  }

  /** Adds a CA below the last one, or below `issuer`. */
  intermediate(name, issuer) {
    return run('intermediate', this.dir, name, ...(issuer ? ['--issuer', issuer] : []));
  }

  /** Adds a device below `issuer`. */
  device(id, issuer) {
    return run('device', this.dir, id, ...(issuer ? ['--issuer', issuer] : []));
  }

  /** The certificate that proves that a CA's key is held: PEM. */
  async proof(code, issuer = 'root') {
    await run('verification', this.dir, code, '--issuer', issuer);
    return this.pem(`verification-${code.slice(0, 8)}`);
  }

  pem(name) {
    return fs.readFileSync(path.join(this.dir, `${name}.pem`), 'utf8');
  }

  /** What a TLS client needs to show a device's certificate: the whole chain, or `leaf` alone. */
  showing(id, { leaf = false } = {}) {
    const chain = `${id}-chain`;
    const cert = !leaf && fs.existsSync(path.join(this.dir, `${chain}.pem`)) ? this.pem(chain) : this.pem(id);
    return { cert, key: fs.readFileSync(path.join(this.dir, `${id}.key`), 'utf8') };
  }

  thumbprint(id) {
    return thumbprint(this.pem(id));
  }
}

/** The body of an attestation by certificates: `how` is clientCertificates, signingCertificates or caReferences. */
function attestation(how, [primary, secondary]) {
  const one = (value) => (how === 'caReferences' ? value : { certificate: value });
  return { type: 'x509', x509: { [how]: { primary: one(primary), ...(secondary ? { secondary: one(secondary) } : {}) } } };
}

/** Uploads a CA certificate as one that is verified, unless `isVerified` says otherwise. */
function uploadCa(control, service, name, certificate, isVerified = true) {
  return control.must('PUT', `/control/services/${service}/certificates/${name}`, { certificate, isVerified });
}

/** Makes an individual enrollment with these certificates, primary and secondary. */
function enroll(control, registrationId, pems, more = {}, headers = {}) {
  return control.must('PUT', `/enrollments/${encodeURIComponent(registrationId)}?${API}`,
    { registrationId, attestation: attestation('clientCertificates', pems), ...more }, headers);
}

/** Makes a group that admits what is below CA certificates: given by `signing` (PEM) or by `ca` (names at the service). */
function group(control, enrollmentGroupId, { signing, ca, ...more }, headers = {}) {
  return control.must('PUT', `/enrollmentGroups/${encodeURIComponent(enrollmentGroupId)}?${API}`,
    { enrollmentGroupId, attestation: ca ? attestation('caReferences', ca) : attestation('signingCertificates', signing), ...more }, headers);
}

module.exports = { Pki, thumbprint, attestation, uploadCa, enroll, group };
