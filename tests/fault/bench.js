// The folder that every run of a lane begins with: certificates, keys, a database with a group and some enrollments.
// Each lane has its own, so that a device of one lane never talks to the server of another.
'use strict';

const fs = require('fs');
const path = require('path');
const pki = require('../lib/pki');
const usherd = require('../lib/usherd');
const { API } = require('../lib/control');

const INDIVIDUALS = 6;
const MEMBERS = 24; // devices of a group below a CA, each with two certificates
const OWNERS = 6; // devices with two certificates in an enrollment of their own
const TWINS = 24; // devices of that group that register twice at once
const HUBS = ['hub-a.example', 'hub-b.example', 'hub-c.example'];

// strace and LeakSanitizer both want to be the one tracer of a process.
const NO_LEAK_CHECK = { ASAN_OPTIONS: `${process.env.ASAN_OPTIONS || ''}:detect_leaks=0` };

function hubArguments() {
  // the few devices that must be refused ask more often than one device may
  return [...HUBS.flatMap((hub) => ['--hub', hub]), '--set', 'limits.deviceRequests=0'];
}

function names(what, count) {
  return Array.from({ length: count }, (_, i) => `${what}-${i + 1}`);
}

const BREACHED = names('breached', 4);

/** All certificates, made once for all lanes. */
async function certify() {
  const [members, owners, twins] = [names('member', MEMBERS), names('owner', OWNERS), names('twin', TWINS)];
  const ca = await pki.Pki.make({ below: [...members, ...twins, 'shut-out', 'blocked'], alone: owners });
  const renewed = await ca.rolled(members);
  const second = await pki.Pki.make({ alone: owners });
  const other = await pki.Pki.make({ name: 'Nobody', below: ['stranger'], alone: [owners[0], 'nobody'] });
  const breach = await pki.Pki.make({ name: 'Breach' });
  for (const id of BREACHED) {
    await breach.intermediate(`ca-${id}`, 'root');
    await breach.device(id, `ca-${id}`);
  }
  return { members, owners, twins, ca, renewed, second, other, breach };
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
  await server.stop();
  const known = { scope: server.scope, hubs: server.hubs, ca: server.ca };
  return { dir, known, groupKey: group.attestation.symmetricKey.primaryKey, individuals, ...certified };
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

module.exports = { API, NO_LEAK_CHECK, certify, prepare, copy, remove, hubArguments };
