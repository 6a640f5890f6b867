// Claims: certificates are rotated under a fleet that keeps registering by both doors, and not one registration fails: that of a
// device with its own enrollment, that of the CA of a group, that of an intermediate, and the leaf of a device. The hub's
// thumbprints follow the device's next registration: the new certificate opens the hub's door then, the old one no more.
'use strict';

const assert = require('assert');
const { bodyOf, nextEvent } = require('../bench');
const { Fleet, UNPACED } = require('../fleet');
const { Pki } = require('../pki');
const sas = require('../../lib/sas');
const { connects, hubDevice, hubKnows, register, shutOut, turnedAway } = require('../x509');
const { mustUsher } = require('../../lib/control');
const { within } = require('../../lib/wait');

const STEP_MS = 60000; // the whole fleet takes part in each, under sanitizers too

/** One rotation: its steps are cases, and after each of them the whole fleet registers. */
class Play {
  constructor(report, bench, fleet, name) {
    Object.assign(this, { report, bench, fleet, name });
  }

  usher(...words) {
    return mustUsher(this.bench, words);
  }

  step(what, work) {
    return this.report.check(`${this.name}: ${what}`, async () => {
      await work();
      await this.fleet.round();
    }, STEP_MS);
  }

  /** By either transport, as the SDK shows it. */
  async refused(id, tls) {
    for (const transport of ['mqtt', 'http']) await turnedAway(this.bench, transport, id, tls);
  }
}

async function individual(play) {
  const { bench, fleet } = play;
  const id = 'lathe';
  const pki = await Pki.create(bench, '--self-signed', id);
  const [second, third] = [pki.again(), pki.again()];
  const a = pki.leaf(id);
  const b = await second.device(id, '--self-signed');
  const c = await third.device(id, '--self-signed', '--key-type', 'rsa');
  const client = bench.serviceClient();
  const change = async (edit) => {
    const { registrationState, ...enrollment } = bodyOf(await client.getIndividualEnrollment(id));
    edit(enrollment.attestation.x509.clientCertificates);
    await client.createOrUpdateIndividualEnrollment(enrollment);
  };
  await play.usher('enrollment', 'create', id, '--certificate', pki.file(`${id}.pem`));
  const member = fleet.join(id, { tls: a });

  await play.step('the first certificate alone: the hub knows it', async () => {
    await register(bench, 'mqtt', id, a);
    await hubKnows(bench, id, a.cert);
    await connects(bench, id, a);
    await shutOut(bench, id, b);
  });
  await play.step('a secondary is added: the hub knows both after the next registration, and both open its door', async () => {
    await change((certificates) => { certificates.secondary = { certificate: second.pem(id) }; });
    await register(bench, 'http', id, a);
    await hubKnows(bench, id, a.cert, b.cert);
    await connects(bench, id, a);
    await connects(bench, id, b);
  });
  await play.step('the device goes over to the secondary: the hub\'s primary is what it shows', async () => {
    member.show(b);
    await fleet.round();
    await hubKnows(bench, id, b.cert, a.cert);
  });
  await play.step('a new primary in the place of the first: the first is refused, by the hub too once the device has registered', async () => {
    await change((certificates) => { certificates.primary = { certificate: third.pem(id) }; });
    await play.refused(id, a);
    await fleet.round();
    await hubKnows(bench, id, b.cert, c.cert);
    await shutOut(bench, id, a);
    await connects(bench, id, c);
  });
  await play.step('the device goes over to the new primary, and the secondary goes: only the new one is left, everywhere', async () => {
    member.show(c);
    await fleet.round();
    await play.usher('enrollment', 'update', id, '--remove-secondary-certificate');
    await play.refused(id, b);
    await fleet.round();
    await hubKnows(bench, id, c.cert);
    await shutOut(bench, id, b);
    await connects(bench, id, c);
  });
}

/** A CA certificate, verified by proof. */
async function proven(play, name, pki) {
  await play.usher('certificate', 'create', name, '--file', pki.file('root.pem'));
  const { properties } = JSON.parse(await play.usher('--json', 'certificate', 'code', name));
  await play.usher('certificate', 'verify', name, '--file', await pki.verification(properties.verificationCode));
}

async function groupCa(play) {
  const { bench, fleet } = play;
  const ids = ['press-1', 'press-2'];
  const devices = ids.flatMap((id) => ['--device', id]);
  const old = await Pki.create(bench, '--name', 'Old', '--intermediates', '1', ...devices);
  const fresh = await Pki.create(bench, '--name', 'Fresh', '--intermediates', '1', ...devices);
  await proven(play, 'ca-old', old);
  await play.usher('group', 'create', 'presses', '--ca', 'ca-old');
  const members = ids.map((id) => fleet.join(id, { tls: old.chain(id) }));

  await play.step('all devices are below the old CA', async () => {
    await register(bench, 'mqtt', 'press-1', old.chain('press-1'), { group: 'presses' });
    await hubKnows(bench, 'press-1', old.pem('press-1'));
    await play.refused('press-1', fresh.chain('press-1'));
  });
  await play.step('the new CA is uploaded, proved and made the group\'s secondary: the old devices stay', async () => {
    await proven(play, 'ca-new', fresh);
    await play.usher('group', 'update', 'presses', '--secondary-ca', 'ca-new');
  });
  await play.step('one device goes over to the new CA: its hub follows, the other stays below the old', async () => {
    members[0].show(fresh.chain('press-1'));
    await fleet.round();
    await hubKnows(bench, 'press-1', fresh.pem('press-1'));
    await hubKnows(bench, 'press-2', old.pem('press-2'));
    await shutOut(bench, 'press-1', old.chain('press-1'));
    await connects(bench, 'press-1', fresh.chain('press-1'));
    await connects(bench, 'press-2', old.chain('press-2'));
  });
  await play.step('the other goes over too; the new CA becomes the primary and the old one is deleted', async () => {
    members[1].show(fresh.chain('press-2'));
    await fleet.round();
    await play.usher('group', 'update', 'presses', '--ca', 'ca-new');
    await play.usher('certificate', 'delete', 'ca-old');
  });
  await play.step('nothing of the old CA opens any door', async () => {
    for (const id of ids) {
      await play.refused(id, old.chain(id));
      await shutOut(bench, id, old.chain(id));
      await register(bench, 'http', id, fresh.chain(id), { group: 'presses' });
      await connects(bench, id, fresh.chain(id));
    }
  });
}

async function intermediate(play) {
  const { bench, fleet } = play;
  const ids = ['saw-1', 'saw-2'];
  const pki = await Pki.create(bench, '--name', 'Saws', '--intermediates', '1', '--device', 'saw-1', '--device', 'saw-2');
  const later = pki.again();
  await later.intermediate('intermediate2', 'root');
  for (const id of ids) await later.device(id, '--issuer', 'intermediate2');
  await play.usher('certificate', 'create', 'saw-root', '--file', pki.file('root.pem'), '--verified');
  await play.usher('group', 'create', 'saws', '--certificate', pki.file('intermediate1.pem'));
  // The first shows its chain, the second only its certificate.
  const members = [fleet.join('saw-1', { tls: pki.chain('saw-1') }), fleet.join('saw-2', { tls: pki.leaf('saw-2') })];

  await play.step('devices below the old intermediate; those below the new one are refused so far', async () => {
    await play.refused('saw-1', later.chain('saw-1'));
  });
  await play.step('the new intermediate becomes the secondary: devices with old and with new leaves register side by side', async () => {
    const client = bench.serviceClient();
    const group = bodyOf(await client.getEnrollmentGroup('saws'));
    group.attestation.x509.signingCertificates.secondary = { certificate: later.pem('intermediate2') };
    await client.createOrUpdateEnrollmentGroup(group);
    await fleet.round();
    members[1].show(later.leaf('saw-2'));
    await fleet.round();
    await hubKnows(bench, 'saw-1', pki.pem('saw-1'));
    await hubKnows(bench, 'saw-2', later.pem('saw-2'));
  });
  await play.step('all are below the new intermediate, and the old one goes', async () => {
    members[0].show(later.chain('saw-1'));
    await fleet.round();
    const file = later.file('intermediate2.pem');
    await play.usher('group', 'update', 'saws', '--certificate', file, '--secondary-certificate', file);
  });
  await play.step('leaves below the old intermediate open no door, though their root is as good as before', async () => {
    for (const id of ids) {
      await play.refused(id, pki.chain(id));
      await hubKnows(bench, id, later.pem(id));
      await shutOut(bench, id, pki.chain(id));
      await register(bench, 'mqtt', id, later.leaf(id), { group: 'saws' });
      await connects(bench, id, later.chain(id));
    }
  });
}

async function leaf(play) {
  const { bench, fleet } = play;
  const id = 'drill';
  const pki = await Pki.create(bench, '--name', 'Drills', '--intermediates', '1', '--device', id);
  await play.usher('certificate', 'create', 'drill-root', '--file', pki.file('root.pem'), '--verified');
  await play.usher('group', 'create', 'drills', '--ca', 'drill-root');
  const old = pki.chain(id);
  const rolled = await pki.again().device(id, '--key-type', 'rsa');
  const member = fleet.join(id, { tls: old });

  let session;
  let gone;
  await play.step('a device is in its hub with its first certificate; the rolled one does not open the hub\'s door yet', async () => {
    await fleet.round();
    session = await hubDevice(bench, id, old);
    gone = nextEvent(session, 'disconnect');
    await session.open();
    await shutOut(bench, id, rolled);
  });
  await play.step('it registers with the rolled one, without a word to the operator: the hub\'s thumbprint follows', async () => {
    member.show(rolled);
    await fleet.round();
    await register(bench, 'mqtt', id, rolled, { group: 'drills' });
    await hubKnows(bench, id, rolled.cert);
  });
  await play.step('the session of the old certificate has ended; the old one is shut out of the hub, the new one connects', async () => {
    await within(10000, 'the hub to end the session', gone);
    await session.close();
    await shutOut(bench, id, old);
    await connects(bench, id, rolled);
  });
}

const PLAYS = { 'a device with its own enrollment': individual, 'the CA of a group': groupCa, 'an intermediate': intermediate, 'the leaf of a device': leaf };

async function run(report, bench) {
  const fleet = new Fleet(bench);
  const { primaryKey } = (await bench.control.group('bystanders')).attestation.symmetricKey;
  fleet.join('bystander', { key: sas.deriveKey(primaryKey, 'bystander') });
  for (const [name, play] of Object.entries(PLAYS)) await play(new Play(report, bench, fleet, name));
  await report.check('through all of that, no registration of any device failed', async () => {
    const count = await fleet.stop();
    console.log(`${count} registrations of ${fleet.members.length} devices, none failed`);
    assert.strictEqual(fleet.members.length, 7);
  });
}

module.exports = { name: 'rotation', args: UNPACED, run };
