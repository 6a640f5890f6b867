// The folder that every run of a lane begins with: certificates, keys, a database with a group and some enrollments.
// Each lane has its own, so that a device of one lane never talks to the server of another.
'use strict';

const fs = require('fs');
const path = require('path');
const pki = require('../lib/pki');
const usherd = require('../lib/usherd');
const { API } = require('../lib/control');
const { SoftTpm } = require('../lib/softtpm');

const INDIVIDUALS = 6;
const MEMBERS = 24; // devices of a group below a CA, each with two certificates
const OWNERS = 6; // devices with two certificates in an enrollment of their own
const TWINS = 24; // devices of that group that register twice at once
const TPMS = 6; // devices with a TPM, and as many that register twice at once
const HUBS = ['hub-a.example', 'hub-b.example', 'hub-c.example'];

function hubArguments() {
  // the few devices that must be refused ask more often than one device may
  return [...HUBS.flatMap((hub) => ['--hub', hub]), '--set', 'limits.deviceRequests=0'];
}

function names(what, count) {
  return Array.from({ length: count }, (_, i) => `${what}-${i + 1}`);
}

const BREACHED = names('breached', 4);
const [DISABLED_TPM, CHANGED_KEY] = ['breached-tpm', 'breached-key'];

/** All certificates, made once for all lanes. */
async function certify() {
  const [members, owners, twins] = [names('member', MEMBERS), names('owner', OWNERS), names('twin', TWINS)];
  const ca = await pki.Pki.make({ below: [...members, ...twins, 'shut-out', 'blocked'], alone: owners });
  const renewed = await ca.rolled(members);
  const second = await pki.Pki.make({ alone: owners });
  const other = await pki.Pki.make({ name: 'Nobody', below: ['stranger'], alone: [owners[0], 'nobody'] });
  const breach = await pki.Pki.make({ name: 'Breach' });
  const tpms = Array.from({ length: 4 }, () => new SoftTpm());
  for (const id of BREACHED) {
    await breach.intermediate(`ca-${id}`, 'root');
    await breach.device(id, `ca-${id}`);
  }
  return { members, owners, twins, ca, renewed, second, other, breach, tpms };
}

/** What a device shows, and what a hub knows it by then. */
function shown(from, id, secondary = from) {
  return { tls: from.showing(id), credential: `${from.thumbprint(id)} ${secondary.thumbprint(id)}` };
}

/** Four ways in which an operator takes away what lets one device in, and gives it back. */
function breachesOf({ breach }) {
  const any = { 'If-Match': '*' };
  const [disabled, caGone, blocked, groupGone] = BREACHED;
  const group = (control, id, provisioningStatus, headers = any) =>
    pki.group(control, `group-${id}`, { ca: [`ca-${id}`], provisioningStatus }, headers);
  const ways = {
    [disabled]: { close: (control) => group(control, disabled, 'disabled'), open: (control) => group(control, disabled, 'enabled') },
    [caGone]: {
      close: (control) => control.must('DELETE', `/control/services/dev/certificates/ca-${caGone}`, undefined, any),
      open: (control) => pki.uploadCa(control, 'dev', `ca-${caGone}`, breach.pem(`ca-${caGone}`)),
    },
    [blocked]: {
      close: (control) => pki.enroll(control, blocked, [breach.pem(blocked)], { provisioningStatus: 'disabled' }),
      open: (control) => control.must('DELETE', `/enrollments/${blocked}?${API}`, undefined, any),
    },
    [groupGone]: {
      close: (control) => control.must('DELETE', `/enrollmentGroups/group-${groupGone}?${API}`, undefined, any),
      open: (control) => group(control, groupGone, 'enabled', {}),
    },
  };
  return BREACHED.map((id) => ({ who: { id, ...shown(breach, id) }, ...ways[id] }));
}

function enrollTpm(control, registrationId, tpm, more = {}, headers = {}) {
  return control.must('PUT', `/enrollments/${registrationId}?${API}`, { registrationId, attestation: tpm.attestation(), ...more }, headers);
}

/** The same for one TPM, whose enrollment is disabled, and for one key, which is taken out of its enrollment. */
function otherBreaches(tpm) {
  const any = { 'If-Match': '*' };
  const key = Buffer.alloc(32, 5).toString('base64');
  const set = (control, primaryKey, headers = any) => control.must('PUT', `/enrollments/${CHANGED_KEY}?${API}`, {
    registrationId: CHANGED_KEY, attestation: { type: 'symmetricKey', symmetricKey: { primaryKey, secondaryKey: Buffer.alloc(32, 6).toString('base64') } },
  }, headers);
  return [{
    who: { id: DISABLED_TPM, tpm },
    make: (control) => enrollTpm(control, DISABLED_TPM, tpm),
    close: (control) => enrollTpm(control, DISABLED_TPM, tpm, { provisioningStatus: 'disabled' }, any),
    open: (control) => enrollTpm(control, DISABLED_TPM, tpm, {}, any),
  }, {
    who: { id: CHANGED_KEY, key, credential: key },
    make: (control) => set(control, key, {}),
    close: (control) => set(control, Buffer.alloc(32, 7).toString('base64')),
    open: (control) => set(control, key),
  }];
}

/** The devices with TPMs; a few TPMs are enough, each under several names. */
async function enrollTpms(control, { tpms }) {
  const [stranger, disabled, ...good] = tpms;
  const one = async (id, i) => {
    await enrollTpm(control, id, good[i % good.length]);
    return { id, tpm: good[i % good.length] };
  };
  const breaches = otherBreaches(disabled);
  for (const { make } of breaches) await make(control);
  return {
    tpms: await Promise.all(names('tpm', TPMS).map(one)),
    tpmPairs: await Promise.all(names('tpm-pair', TPMS).map(one)),
    breaches, strangers: [{ id: 'tpm-1', tpm: stranger }, { id: 'tpm-nobody', tpm: good[0] }],
  };
}

/** The devices with certificates; says to the service what lets them in, and what does not. */
async function enrollCertified(control, all) {
  const { members, owners, twins, ca, renewed, second, other, breach } = all;
  await pki.uploadCa(control, 'dev', 'factory', ca.pem('root'));
  await pki.group(control, 'certified-fleet', { ca: ['factory'] });
  for (const id of owners) await pki.enroll(control, id, [ca.pem(id), second.pem(id)]);
  for (const id of BREACHED) {
    await pki.uploadCa(control, 'dev', `ca-${id}`, breach.pem(`ca-${id}`));
    await pki.group(control, `group-${id}`, { ca: [`ca-${id}`] });
  }
  await pki.enroll(control, 'shut-out', [ca.pem('shut-out')], { provisioningStatus: 'disabled' });
  await pki.enroll(control, 'elsewhere', [ca.pem('blocked')], { provisioningStatus: 'disabled' });
  return {
    ca, other,
    members: members.map((id) => ({ id, certificates: [shown(ca, id), shown(renewed, id)] })),
    owners: owners.map((id) => ({ id, certificates: [shown(ca, id, second), shown(second, id, ca)] })),
    twins: twins.map((id) => ({ id, certificates: [shown(ca, id)] })),
    breaches: breachesOf(all),
    strangers: [ // a CA that nobody knows, nobody's own, another one's name, an enrollment that is disabled, one elsewhere that is
      { id: 'stranger', tls: other.showing('stranger') }, { id: 'nobody', tls: other.showing('nobody') },
      { id: owners[0], tls: other.showing(owners[0]) }, { id: 'shut-out', tls: ca.showing('shut-out') },
      { id: 'blocked', tls: ca.showing('blocked') },
    ],
  };
}

async function prepare(certificates) {
  const dir = usherd.scratch();
  const server = await usherd.start({ dir, args: hubArguments() });
  const group = await server.control.group('fleet');
  const individuals = [];
  for (let i = 1; i <= INDIVIDUALS; i += 1) {
    const made = await server.control.enroll(`own-${i}`);
    const { primaryKey } = made.attestation.symmetricKey;
    individuals.push({ id: made.registrationId, key: primaryKey, credential: primaryKey });
  }
  const certified = await enrollCertified(server.control, certificates);
  const { breaches, strangers, ...withTpms } = await enrollTpms(server.control, certificates);
  await server.stop();
  const known = { scope: server.scope, hubs: server.hubs, ca: server.ca };
  return {
    dir, known, groupKey: group.attestation.symmetricKey.primaryKey, individuals, ...certified, ...withTpms,
    breaches: [...breaches, ...certified.breaches], strangers: [...strangers, ...certified.strangers],
  };
}

/** A copy of the folder, to be thrown away by the caller. */
function copy(bench) {
  const dir = usherd.scratch();
  for (const name of fs.readdirSync(bench.dir)) {
    if (name !== 'control.sock') fs.copyFileSync(path.join(bench.dir, name), path.join(dir, name));
  }
  return dir;
}

function remove(dir) {
  fs.rmSync(dir, { recursive: true, force: true });
}

module.exports = { API, certify, prepare, copy, remove, hubArguments };
