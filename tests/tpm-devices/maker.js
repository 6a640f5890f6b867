// A maker of TPMs: swtpm_setup with a certificate authority of its own in a scratch folder, a root and an issuer below it. Each
// TPM that it makes holds the certificate of its endorsement key, as one from a factory does.
'use strict';

const fs = require('fs');
const path = require('path');
const children = require('../lib/children');
const { scratch } = require('../lib/usherd');
const { Swtpm } = require('../lib/swtpm');

const SETUP_MS = 60000; // the first one makes the keys of the authority

class Maker {
  constructor() {
    this.dir = scratch();
    const file = (name) => path.join(this.dir, name);
    this.root = file('swtpm-localca-rootca-cert.pem');
    this.issuer = file('issuercert.pem');
    this.config = file('setup.conf');
    fs.writeFileSync(file('ca.conf'), [`statedir = ${this.dir}`, `signingkey = ${file('signkey.pem')}`,
      `issuercert = ${this.issuer}`, `certserial = ${file('certserial')}`, ''].join('\n'));
    fs.writeFileSync(file('ca.options'), '--platform-manufacturer Tests\n--platform-version 1\n--platform-model Bench\n');
    fs.writeFileSync(this.config, ['create_certs_tool = swtpm_localca', `create_certs_tool_config = ${file('ca.conf')}`,
      `create_certs_tool_options = ${file('ca.options')}`, ''].join('\n'));
  }

  /** A TPM as this maker ships it, running. */
  async make() {
    const dir = scratch();
    const { code, stdout, stderr } = await children.run('swtpm_setup',
      ['--tpm2', '--config', this.config, '--tpm-state', dir, '--create-ek-cert'], { timeout: SETUP_MS });
    if (code !== 0) throw new Error(`swtpm_setup: exit code ${code}: ${stderr} ${stdout.trim().split('\n').pop()}`);
    return Swtpm.start({ dir });
  }
}

module.exports = { Maker };
