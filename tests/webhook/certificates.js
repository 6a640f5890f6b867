// Certificates of functions: a CA, a good one, and those that must not be accepted. By openssl, because `usher pki` makes none
// that are wrong.
'use strict';

const assert = require('assert');
const fs = require('fs');
const path = require('path');
const children = require('../lib/children');
const { scratch } = require('../lib/usherd');

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
const PAST = ['-startdate', '20200101000000Z', '-enddate', '20200201000000Z'];

const settings = (dir) => `[ca]\ndefault_ca=x\n[x]\ndatabase=${dir}/index\nnew_certs_dir=${dir}\ndefault_md=sha256\ndefault_days=3\n`
  + 'rand_serial=yes\npolicy=p\nunique_subject=no\ncopy_extensions=copy\n[p]\ncommonName=supplied\n';

class Certificates {
  constructor() {
    this.dir = scratch();
    fs.writeFileSync(this.file('openssl.cnf'), settings(this.dir));
    fs.writeFileSync(this.file('index'), '');
  }

  static async make() {
    const made = new Certificates();
    await made.openssl('req', '-x509', ...EC, '-days', '3', '-subj', '/CN=functions', '-keyout', made.file('ca.key'), '-out', made.file('ca.pem'));
    made.caFile = made.file('ca.pem');
    return made;
  }

  file(name) {
    return path.join(this.dir, name);
  }

  async openssl(...args) {
    const { code, stderr } = await children.run('openssl', args);
    assert.strictEqual(code, 0, `openssl ${args[0]}: ${stderr}`);
  }

  /** What a TLS server needs: {cert, key}. */
  pair(name) {
    return { cert: fs.readFileSync(this.file(`${name}.pem`)), key: fs.readFileSync(this.file(`${name}.key`)) };
  }

  /** Signed by the CA, for these names ("DNS:localhost,IP:127.0.0.1"). */
  async signed(name, names, when = []) {
    const files = { key: this.file(`${name}.key`), request: this.file(`${name}.csr`), made: this.file(`${name}.pem`) };
    await this.openssl('req', '-new', ...EC, '-subj', `/CN=${name}`, '-addext', `subjectAltName=${names}`, '-keyout', files.key, '-out', files.request);
    await this.openssl('ca', '-batch', '-config', this.file('openssl.cnf'), '-cert', this.caFile, '-keyfile', this.file('ca.key'), '-notext',
      ...when, '-in', files.request, '-out', files.made);
    return this.pair(name);
  }

  expired(name, names) {
    return this.signed(name, names, PAST);
  }

  async selfSigned(name, names) {
    await this.openssl('req', '-x509', ...EC, '-days', '3', '-subj', `/CN=${name}`, '-addext', `subjectAltName=${names}`,
      '-keyout', this.file(`${name}.key`), '-out', this.file(`${name}.pem`));
    return this.pair(name);
  }
}

module.exports = { Certificates };
