// The certificates that usher-certificates writes, and usherd's knowledge of them: uploads and enrollments.
'use strict';

const assert = require('assert');
const fs = require('fs');
const path = require('path');
const children = require('../lib/children');
const usherd = require('../lib/usherd');
const { API } = require('../lib/control');

const PROGRAM = 'tests/certificates/usher-certificates';

/** One row of the table, with its files. */
class Case {
  constructor(dir, row) {
    this.dir = dir;
    Object.assign(this, row);
  }

  file(which) {
    return path.join(this.dir, `${this.name}.${which}`);
  }

  pem(who) {
    return fs.readFileSync(this.file(`${who}.pem`), 'utf8');
  }

  key(who) {
    return fs.readFileSync(this.file(`${who}.key`), 'utf8');
  }

  /** What a TLS client needs to show these, the leaf first. OpenSSL would keep weak ones from being shown at all. */
  showing(...who) {
    return { cert: who.map((one) => this.pem(one)).join(''), key: this.key(who[0]), ciphers: 'DEFAULT@SECLEVEL=0' };
  }
}

/** Makes the certificates of the whole table: {cases, of(name)}. */
async function makeAll() {
  const dir = usherd.scratch();
  const { code, stderr } = await children.run(usherd.program(PROGRAM), ['all', dir]);
  if (code !== 0) throw new Error(`usher-certificates: ${stderr}`);
  const cases = JSON.parse(fs.readFileSync(path.join(dir, 'cases.json'), 'utf8')).map((row) => new Case(dir, row));
  return { cases, of: (name) => cases.find((one) => one.name === name) };
}

/** A certificate that a CA of a case makes as proof that it holds its key: PEM. */
async function proof(one, who, code, days = 1) {
  const { code: status, stdout, stderr } = await children.run(usherd.program(PROGRAM),
    ['proof', one.file(`${who}.pem`), one.file(`${who}.key`), code, String(days)]);
  if (status !== 0) throw new Error(`usher-certificates: ${stderr}`);
  return stdout;
}

/** A CA certificate of a service: {status, text}. */
function upload(server, name, certificate, verified, service = server.service) {
  return server.control.request('PUT', `/control/services/${service}/certificates/${name}`, { certificate, isVerified: verified });
}

function uploadList(server, name, crl, required) {
  return server.control.request('PUT', `/control/services/${server.service}/certificates/${name}/crl`, { crl, required });
}

function pair(form, pems) {
  const [primary, secondary] = pems.map((certificate) => ({ certificate }));
  return { type: 'x509', x509: { [form]: { primary, ...(secondary ? { secondary } : {}) } } };
}

function group(server, id, pems, more = {}, headers = {}) {
  return server.control.must('PUT', `/enrollmentGroups/${id}?${API}`,
    { enrollmentGroupId: id, attestation: pair('signingCertificates', pems), ...more }, headers);
}

function individual(server, id, pems, more = {}) {
  return server.control.must('PUT', `/enrollments/${id}?${API}`,
    { registrationId: id, attestation: pair('clientCertificates', pems), ...more });
}

/** Tells usherd all that a row says; resolves to the first answer to an upload that was refused, or undefined. */
async function setUp(server, one) {
  let refused;
  const note = (answer) => { if (answer.status >= 300 && !refused) refused = answer; };
  for (const who of one.verified) note(await upload(server, `${one.name}.${who}`, one.pem(who), true));
  for (const who of one.unverified) note(await upload(server, `${one.name}.${who}`, one.pem(who), false));
  if (refused) return refused;
  for (const [index, list] of one.lists.entries()) {
    note(await uploadList(server, `${one.name}.${list.ca}`, fs.readFileSync(one.file(`list${index}.pem`), 'utf8'), list.required));
  }
  if (refused) return refused;
  const status = { provisioningStatus: one.disabled ? 'disabled' : 'enabled' };
  if (one.held) await individual(server, `${one.name}-elsewhere`, [one.pem('leaf')], { provisioningStatus: 'disabled' });
  for (const who of one.disabledGroup) await group(server, `${one.name}-disabled`, [one.pem(who)], { provisioningStatus: 'disabled' });
  if (one.otherProof) await server.control.enroll(one.asks, status);
  if (one.otherProof && one.group.length > 0) await group(server, one.name, one.group.map((who) => one.pem(who)));
  else if (one.otherProof) return undefined;
  else if (one.individual.length > 0) await individual(server, one.asks, one.individual.map((who) => one.pem(who)), status);
  else await group(server, one.name, one.group.map((who) => one.pem(who)), status);
  return undefined;
}

/** usherd must take it. */
async function must(answer) {
  const got = await answer;
  assert.ok(got.status >= 200 && got.status < 300, `${got.status} ${got.text}`);
  return got.json;
}

module.exports = { makeAll, proof, upload, uploadList, group, individual, setUp, must };
