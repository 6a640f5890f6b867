// Certificates for the scenarios, made with `usher pki` as a newcomer would; what that program refuses to make (expired
// certificates, revocation lists) with openssl. Not for broken certificates: those are tests/certificates.
'use strict';

const assert = require('assert');
const fs = require('fs');
const path = require('path');
const { X509Certificate } = require('crypto');
const children = require('../lib/children');
const { mustUsher } = require('../lib/control');
const { scratch } = require('../lib/usherd');

const LEAF = 'keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n';
const PAST = ['-startdate', '20200101000000Z', '-enddate', '20200201000000Z'];

/** What `openssl ca` wants to be told before it does anything. */
function settings(dir) {
  return `[ca]\ndefault_ca=x\n[x]\ndatabase=${dir}/index\nnew_certs_dir=${dir}\ndefault_md=sha256\ndefault_days=3\n`
    + `default_crl_days=3\nrand_serial=yes\npolicy=p\nunique_subject=no\nx509_extensions=leaf\n[p]\ncommonName=supplied\n[leaf]\n${LEAF}`;
}

async function openssl(...args) {
  const { code, stderr } = await children.run('openssl', args);
  assert.strictEqual(code, 0, `openssl ${args[0]}: ${stderr}`);
}

class Pki {
  constructor(bench, dir) {
    this.bench = bench;
    this.dir = dir;
  }

  /** `words` are the options of `usher pki create`. */
  static async create(bench, ...words) {
    const pki = new Pki(bench, path.join(scratch(), 'pki'));
    await mustUsher(bench, ['pki', 'create', pki.dir, ...words]);
    return pki;
  }

  /** Another folder with the same CAs, where the names of devices are free again. */
  again() {
    const pki = new Pki(this.bench, path.join(scratch(), 'pki'));
    const ours = /^(root|intermediate[a-z0-9]*)(-chain)?\.(pem|key)$/;
    fs.cpSync(this.dir, pki.dir, { recursive: true, filter: (file) => file === this.dir || ours.test(path.basename(file)) });
    return pki;
  }

  file(name) {
    return path.join(this.dir, name);
  }

  text(name) {
    return fs.readFileSync(this.file(name), 'utf8');
  }

  /** The certificate of a CA or a device: PEM. */
  pem(name) {
    return this.text(`${name}.pem`);
  }

  intermediate(name, issuer) {
    return mustUsher(this.bench, ['pki', 'intermediate', this.dir, name, '--issuer', issuer]);
  }

  /** A new device and what it shows: with its chain, when it has one. `how` are options of `usher pki device`. */
  async device(id, ...how) {
    await mustUsher(this.bench, ['pki', 'device', this.dir, id, ...how]);
    return how.includes('--self-signed') ? this.leaf(id) : this.chain(id);
  }

  /** What a TLS client needs to show only the device's certificate. */
  leaf(id) {
    return { cert: this.pem(id), key: this.text(`${id}.key`) };
  }

  /** The same with the intermediates above it, and with the root if the device is so talkative. */
  chain(id, { root = false } = {}) {
    return { cert: this.text(`${id}-chain.pem`) + (root ? this.pem('root') : ''), key: this.text(`${id}.key`) };
  }

  async verification(code, issuer = 'root') {
    await mustUsher(this.bench, ['pki', 'verification', this.dir, code, '--issuer', issuer]);
    return this.file(`verification-${code.slice(0, 8)}.pem`);
  }

  /** openssl in the place of the CA `issuer`. */
  async as(issuer, ...words) {
    const config = this.file('openssl.cnf');
    if (!fs.existsSync(config)) {
      fs.writeFileSync(config, settings(this.dir));
      fs.writeFileSync(this.file('index'), '');
    }
    await openssl('ca', '-batch', '-config', config, '-cert', this.file(`${issuer}.pem`), '-keyfile', this.file(`${issuer}.key`), ...words);
  }

  /** A certificate of common name `name` that ended years ago, beside its key; returns the file of the certificate. */
  async expired(name, issuer) {
    const [key, request, made] = ['key', 'csr', 'pem'].map((end) => this.file(`${name.slice(0, 40)}.${end}`));
    await openssl('req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-subj', `/CN=${name}`, '-out', request);
    await this.as(issuer, '-notext', ...PAST, '-in', request, '-out', made);
    return made;
  }

  /** Revokes a device's certificate; returns the file of the new list. */
  async revoke(id, issuer) {
    await this.as(issuer, '-revoke', this.file(`${id}.pem`));
    return this.list(issuer);
  }

  async list(issuer) {
    const made = this.file(`${issuer}.crl`);
    await this.as(issuer, '-gencrl', '-out', made);
    return made;
  }
}

/** SHA-256 of the first certificate of a PEM text, as a hub writes it. */
function thumbprint(cert) {
  return new X509Certificate(cert).fingerprint256.replace(/:/g, '');
}

module.exports = { Pki, thumbprint };
