// Fleets of TPMs, admitted by who made them: the group names the maker's CA certificate, and no endorsement key was collected
// before. The devices are `usher device register --tpm`, which reads the certificate out of the TPM by itself.
'use strict';

const assert = require('assert');
const children = require('../lib/children');
const { usher, mustUsher } = require('../lib/control');
const { Swtpm } = require('../lib/swtpm');
const { program } = require('../lib/usherd');
const { Https } = require('./doors');
const { TpmDevice } = require('./devices');
const { Maker } = require('./maker');

const REFUSED = 401002;

/** Two TPMs of a maker, one of another, one that has no certificate; what `usher device tpm` says of each. */
async function fleet() {
  const [ours, theirs] = [new Maker(), new Maker()];
  const first = ours.make(); // which makes the authority
  const tpms = await Promise.all([first, first.then(() => ours.make()), theirs.make(), Swtpm.start()]);
  const [a, b, stranger, bare] = await Promise.all(tpms.map(async (swtpm) => {
    const { code, stdout, stderr } = await children.run(program('usher'), ['--json', 'device', 'tpm', '--tpm', swtpm.tcti]);
    assert.strictEqual(code, 0, stderr);
    return { swtpm, ...JSON.parse(stdout) };
  }));
  return { ours, theirs, a, b, stranger, bare, stop: () => Promise.all(tpms.map((tpm) => tpm.stop())) };
}

/** `usher device register` with this TPM: {code, json, stderr}. */
async function register(server, tpm, { id, transport = 'http', more = [] } = {}) {
  const port = { http: server.httpsPort, mqtt: server.mqttPort }[transport];
  const { code, stdout, stderr } = await usher(server, ['--json', 'device', 'register', ...(id ? [id] : []), '--tpm', tpm.swtpm.tcti, '--scope', server.scope,
    '--port', String(port), '--transport', transport, '--ca', server.caFile, '--hub-port', String(server.mqttPort), ...more]);
  return { code, stderr, json: stdout ? JSON.parse(stdout) : undefined };
}

async function letIn(server, tpm, { group, id = tpm.registrationId, ...how } = {}) {
  const { code, stderr, json } = await register(server, tpm, { ...how, id: id === tpm.registrationId ? undefined : id });
  assert.strictEqual(code, 0, stderr);
  assert.deepStrictEqual([json.registrationId, json.status, json.hub.connected, json.hub.telemetrySent], [id, 'assigned', true, true]);
  assert.strictEqual((await server.control.registration(id)).json.status, 'assigned');
  if (group) assert.ok(JSON.parse(await mustUsher(server, ['--json', 'registration', 'list', '--group', group])).some((one) => one.registrationId === id), group);
  return json;
}

/** Refused, and the log says why: `error` and what the reason must contain. */
async function refused(server, tpm, error, piece, how) {
  const mark = server.log.mark();
  const { code, stderr } = await register(server, tpm, how);
  assert.strictEqual(code, 1, stderr);
  assert.match(stderr, new RegExp(`${REFUSED}|Unauthorized|refused|disabled`, 'i'));
  const { entry } = await server.log.waitFor('"device.refused"', { mark });
  assert.strictEqual(entry.error, error, JSON.stringify(entry));
  assert.ok(entry.reason.includes(piece), `'${piece}' is not in: ${entry.reason}`);
}

async function byMaker(report, server, { ours, a, b, stranger, bare }) {
  const command = (...words) => mustUsher(server, words);
  await command('certificate', 'create', 'maker', '--file', ours.root, '--verified');
  await command('group', 'create', 'fleet', '--tpm-ca', 'maker', '--desired', '{"fleet":7}');
  await report.check('a TPM brings the certificate of its key; what is between that and the CA can be given with it', async () => {
    const { hub } = await letIn(server, a, { group: 'fleet', more: ['--tpm-issuer', ours.issuer] });
    assert.strictEqual(hub.twin.desired.fleet, 7);
    await refused(server, a, 'certificate_untrusted', '');
  });
  await command('certificate', 'create', 'issuer', '--file', ours.issuer);
  for (const [label, tpm] of [['first', a], ['second', b]]) {
    for (const transport of ['http', 'mqtt']) {
      await report.check(`once the service has both, the maker's ${label} TPM is let in under its own ID: ${transport}`,
        () => letIn(server, tpm, { group: 'fleet', transport }));
    }
  }
  await report.check("another maker's TPM is refused", () => refused(server, stranger, 'certificate_untrusted', ''));
  await report.check('a TPM without a certificate is refused', () => refused(server, bare, 'registration_unknown', 'no certificate of its endorsement key'));
  await report.check('under another registration ID it is refused, and the log says which would be right',
    () => refused(server, a, 'identity_mismatch', a.registrationId, { id: 'pump-of-a' }));
  await report.check("under another TPM's ID likewise", () => refused(server, a, 'identity_mismatch', a.registrationId, { id: b.registrationId }));
}

/** What `usher device` would not do: another TPM's certificate, or one that is none. */
async function otherCertificates(report, server, { a, b, stranger }) {
  const keys = async (tpm) => {
    const device = await TpmDevice.open(tpm.swtpm);
    await device.talker.close();
    return device.keys;
  };
  const ask = async (tpm, id, endorsementCertificates) => {
    const mark = server.log.mark();
    const door = await Https.open(server, id);
    const got = await door.challenge({ ...await keys(tpm), endorsementCertificates });
    door.close();
    assert.ok(got.refused, JSON.stringify(got));
    return { ...got, mark };
  };
  await report.check("the certificate of another TPM's key is refused, whoever made that", async () => {
    const got = await ask(stranger, stranger.registrationId, [a.endorsementCertificate]);
    assert.strictEqual(got.refused, REFUSED);
    assert.strictEqual((await server.log.waitFor('"device.refused"', got)).entry.error, 'certificate_refused');
    assert.strictEqual((await ask(stranger, a.registrationId, [a.endorsementCertificate])).refused, REFUSED);
    assert.strictEqual((await ask(a, a.registrationId, [b.endorsementCertificate])).refused, REFUSED);
    assert.strictEqual((await ask(stranger, stranger.registrationId, [stranger.endorsementCertificate, a.endorsementCertificate])).refused, REFUSED);
  });
  await report.check('what is no certificate is refused, and too many likewise', async () => {
    for (const bad of [['AAAA'], ['%'], [''], Array(5).fill(a.endorsementCertificate)]) {
      assert.ok([400004, REFUSED].includes((await ask(a, a.registrationId, bad)).refused), JSON.stringify(bad).slice(0, 40));
    }
  });
}

async function shutOut(report, server, { ours, a, b }) {
  const command = (...words) => mustUsher(server, words);
  await report.check('a disabled enrollment with its key, under any ID, shuts one TPM out, and no other', async () => {
    await command('enrollment', 'create', 'stolen-7', '--endorsement-key', a.endorsementKey, '--disabled');
    await refused(server, a, 'enrollment_disabled', '');
    await letIn(server, b, { group: 'fleet' });
    await command('enrollment', 'delete', 'stolen-7');
    await letIn(server, a, { group: 'fleet' });
  });
  await report.check('a disabled group refuses', async () => {
    await command('group', 'update', 'fleet', '--disabled');
    await refused(server, b, 'enrollment_disabled', '');
    await command('group', 'update', 'fleet', '--enabled');
    await letIn(server, b, { group: 'fleet' });
  });
  await report.check('without the CA certificate, nobody is let in, at once', async () => {
    await command('certificate', 'delete', 'maker');
    await refused(server, a, 'certificate_untrusted', '');
    await refused(server, b, 'certificate_untrusted', '', { transport: 'mqtt' });
    await command('certificate', 'create', 'maker', '--file', ours.root);
    await refused(server, a, 'certificate_untrusted', ''); // it is not verified
    await command('certificate', 'update', 'maker', '--file', ours.root, '--verified');
    await letIn(server, a, { group: 'fleet' });
  });
  await report.check('a second CA certificate can take over', async () => {
    await command('group', 'update', 'fleet', '--secondary-tpm-ca', 'issuer');
    await command('certificate', 'update', 'issuer', '--file', ours.issuer, '--verified');
    await command('certificate', 'delete', 'maker');
    await letIn(server, b, { group: 'fleet' });
    await command('certificate', 'create', 'maker', '--file', ours.root, '--verified');
  });
}

/** The setting of the service, switched while it runs. */
async function required(report, server, { a, stranger, bare }) {
  const command = (...words) => mustUsher(server, words);
  const ids = new Map([[a, 'gate-a'], [stranger, 'gate-stranger'], [bare, 'gate-bare']]);
  for (const [tpm, id] of ids) await command('enrollment', 'create', id, '--endorsement-key', tpm.endorsementKey);
  await report.check('enrolled by its key, a TPM needs no certificate', async () => {
    for (const [tpm, id] of ids) {
      for (const transport of ['http', 'mqtt']) await letIn(server, tpm, { id, transport });
    }
  });
  await report.check('unless the service requires one: then the maker counts for individual enrollments too', async () => {
    await command('service', 'update', 'dev', '--tpm-certificates', 'required');
    await letIn(server, a, { id: ids.get(a) });
    await refused(server, bare, 'certificate_refused', 'tpm.endorsementCertificates', { id: ids.get(bare) });
    await refused(server, stranger, 'certificate_untrusted', '', { id: ids.get(stranger) });
    await command('service', 'update', 'dev', '--tpm-certificates', 'optional');
    await letIn(server, bare, { id: ids.get(bare) });
  });
}

async function run(report, server, all) {
  await byMaker(report, server, all);
  await otherCertificates(report, server, all);
  await shutOut(report, server, all);
  await required(report, server, all);
  await all.stop();
}

module.exports = { fleet, run };
