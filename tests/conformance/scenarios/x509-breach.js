// Claims: what an operator does against a breach counts at once: a CA certificate deleted, a group disabled, one device
// blocked (by an enrollment with a key or with its certificate, of its ID or of another), a certificate revoked. The device is
// refused at its next register and its next poll, by all five doors, on connections that were open before too, and on new ones
// that try to resume TLS; other devices notice nothing. What is taken back lets it in again, on those same connections.
'use strict';

const assert = require('assert');
const { DOORS, mustBeAssigned, mustBeRefused } = require('../connection');
const { Fleet, UNPACED } = require('../fleet');
const { Pki } = require('../pki');
const sas = require('../../lib/sas');
const { register, turnedAway } = require('../x509');
const { SoftTpm } = require('../../lib/softtpm');
const { mustUsher } = require('../../lib/control');

const STEP_MS = 60000; // two fleets take part in each, under sanitizers too
const VERSIONS = ['TLSv1.2', 'TLSv1.3'];

/** The device of a breach, with a connection to each door that stays open, and what it needs to resume another one. */
class Suspect {
  constructor(bench, id, proof) {
    Object.assign(this, { bench, id, proof, kept: [], sessions: [] });
  }

  async settle() {
    for (const [door, Door] of Object.entries(DOORS)) {
      for (const version of VERSIONS) {
        const connection = await Door.open(this.bench, this.id, this.proof, { minVersion: version, maxVersion: version });
        const who = `${door}, ${version}:`;
        const { operationId } = mustBeAssigned(await connection.register(), who);
        mustBeAssigned(await connection.poll(operationId), who);
        this.operationId = operationId;
        this.kept.push({ who, connection });
        // With the ticket, if there is one: it would have come before the first answer.
        this.sessions.push({ who, Door, version, session: connection.socket.getSession() });
      }
    }
  }

  /** Refused on the connections that it has kept, which stay open, and on new ones that try to go on with an old session. */
  async isOut() {
    for (const { who, connection } of this.kept) {
      mustBeRefused(await connection.poll(this.operationId), `poll by ${who}`);
      mustBeRefused(await connection.register(), `register by ${who}`);
      mustBeRefused(await connection.poll(this.operationId), `poll again by ${who}`);
      assert.ok(connection.peer.open, `${who} closed`);
    }
    for (const one of this.sessions) await this.isOutResuming(one);
    if (this.proof.tls) for (const transport of ['mqtt', 'http']) await turnedAway(this.bench, transport, this.id, this.proof.tls);
  }

  /** A key or a TPM that is no good any more is refused by MQTT at CONNECT and by AMQP in SASL; all else hears it on registering. */
  async isOutResuming({ who, Door, version, session }) {
    assert.ok(Buffer.isBuffer(session), `${who} nothing to resume with`);
    try {
      const connection = await Door.open(this.bench, this.id, this.proof, { session, minVersion: version, maxVersion: version });
      assert.strictEqual(connection.socket.isSessionReused(), false, `${who} the session was resumed`);
      mustBeRefused(await connection.register(), `resumed, ${who}`);
      connection.close();
    } catch (error) {
      if (!error.notLetIn || this.proof.tls) throw error;
      assert.strictEqual(error.reused, false, `${who} the session was resumed`);
    }
  }

  /** Let in again, on the connections that it has kept all the while and on new ones. */
  async isBack() {
    for (const { who, connection } of this.kept) {
      if (!connection.once) this.operationId = mustBeAssigned(await connection.register(), `register by ${who}`).operationId;
      mustBeAssigned(await connection.poll(this.operationId), `poll by ${who}`);
    }
    for (const Door of Object.values(DOORS)) {
      const connection = await Door.open(this.bench, this.id, this.proof);
      mustBeAssigned(await connection.register());
      connection.close();
    }
  }

  leave() {
    for (const { connection } of this.kept) connection.close();
  }
}

/** Each measure: who is to be shut out, what the operator does, and how it is taken back. */
function measures(bench, pki) {
  const usher = (...words) => mustUsher(bench, words);
  const root = ['certificate', 'create', 'ca', '--file', pki.file('root.pem'), '--verified'];
  const suspect = { id: 'suspect', tls: pki.chain('suspect') };
  return {
    'the CA certificate is deleted': {
      ...suspect, sweeping: true,
      strike: () => usher('certificate', 'delete', 'ca'), back: () => usher(...root),
    },
    'the CA certificate is replaced by one that is not verified': {
      ...suspect, sweeping: true,
      strike: async () => { await usher('certificate', 'delete', 'ca'); await usher(...root.slice(0, -1)); },
      back: () => usher('certificate', 'update', 'ca', '--file', pki.file('root.pem'), '--verified'),
    },
    'the group is disabled': {
      ...suspect, sweeping: true,
      strike: () => usher('group', 'update', 'line', '--disabled'), back: () => usher('group', 'update', 'line', '--enabled'),
    },
    'the group is deleted': {
      ...suspect, sweeping: true,
      strike: () => usher('group', 'delete', 'line'), back: () => usher('group', 'create', 'line', '--ca', 'ca'),
    },
    'the branch of an intermediate is disabled': {
      ...suspect,
      strike: () => usher('group', 'create', 'branch', '--certificate', pki.file('intermediate1.pem'), '--disabled'),
      back: () => usher('group', 'delete', 'branch'), branch: true,
    },
    'one device of the group is blocked by a disabled enrollment of its ID, with keys': {
      ...suspect,
      strike: () => usher('enrollment', 'create', 'suspect', '--disabled'), back: () => usher('enrollment', 'delete', 'suspect'),
    },
    'one device of the group is blocked by a disabled enrollment with its certificate': {
      ...suspect,
      strike: () => usher('enrollment', 'create', 'suspect', '--certificate', pki.file('suspect.pem'), '--disabled'),
      back: () => usher('enrollment', 'delete', 'suspect'),
    },
    'one device of the group is blocked by a disabled enrollment of another ID with its certificate': {
      ...suspect,
      strike: () => usher('enrollment', 'create', 'black-list-1', '--certificate', pki.file('suspect.pem'), '--disabled'),
      back: () => usher('enrollment', 'delete', 'black-list-1'),
    },
    'one certificate is revoked': {
      ...suspect,
      strike: async () => { await usher('certificate', 'create', 'ca-1', '--file', pki.file('intermediate1.pem')); await usher('certificate', 'crl', 'ca-1', '--file', await pki.revoke('suspect', 'intermediate1')); },
      back: () => usher('certificate', 'crl', 'ca-1', '--remove'),
    },
    'the intermediate is revoked': {
      ...suspect, branch: true,
      strike: async () => usher('certificate', 'crl', 'ca', '--file', await pki.revoke('intermediate1', 'root'), '--required'),
      back: () => usher('certificate', 'crl', 'ca', '--remove'),
    },
    'a device with a certificate of its own is disabled': {
      id: 'alone', tls: pki.leaf('alone'),
      strike: () => usher('enrollment', 'update', 'alone', '--disabled'), back: () => usher('enrollment', 'update', 'alone', '--enabled'),
    },
    'a device with a certificate of its own is deleted': {
      id: 'alone', tls: pki.leaf('alone'),
      strike: () => usher('enrollment', 'delete', 'alone'), back: () => usher('enrollment', 'create', 'alone', '--certificate', pki.file('alone.pem')),
    },
  };
}

/** A device that proves itself by a key, too: that of a group, blocked alone. */
function byKey(bench, groupKey) {
  const usher = (...words) => mustUsher(bench, words);
  return {
    'one device of a group with keys is blocked by a disabled enrollment of its ID': {
      id: 'keyed', key: sas.deriveKey(groupKey, 'keyed'),
      strike: () => usher('enrollment', 'create', 'keyed', '--disabled'), back: () => usher('enrollment', 'delete', 'keyed'),
    },
  };
}

/** And by a TPM. */
function byTpm(bench) {
  const update = (...words) => mustUsher(bench, ['enrollment', 'update', 'tpm', ...words]);
  const [tpm, other] = [new SoftTpm(), new SoftTpm()];
  return {
    'a device with a TPM is disabled': { id: 'tpm', tpm, strike: () => update('--disabled'), back: () => update('--enabled') },
    'an enrollment is given another TPM': {
      id: 'tpm', tpm,
      strike: () => update('--endorsement-key', other.endorsementKey), back: () => update('--endorsement-key', tpm.endorsementKey),
    },
  };
}

/** Of the two that stand beside the suspect: whom the measure means too, and whom it must not touch. */
function bystanders({ sibling, cousin }, { sweeping, branch }) {
  if (sweeping) return { meant: [sibling, cousin], spared: [] };
  return branch ? { meant: [sibling], spared: [cousin] } : { meant: [], spared: [sibling, cousin] };
}

function proofOf({ tls, key, tpm }) {
  return { ...(tls && { tls }), ...(key && { key }), ...(tpm && { tpm }) };
}

async function play(report, bench, fleet, [name, measure], neighbours) {
  const suspect = new Suspect(bench, measure.id, proofOf(measure));
  const { meant, spared } = bystanders(neighbours, measure);
  const beside = new Fleet(bench);
  await report.check(`${name}: at once the device is refused, on open and on resumed connections, and nobody else`, async () => {
    for (const { id, tls } of spared) beside.join(id, { tls });
    await suspect.settle();
    await measure.strike();
    await suspect.isOut();
    for (const { id, tls } of meant) await turnedAway(bench, 'mqtt', id, tls);
    await Promise.all([fleet.round(), beside.round()]);
  }, STEP_MS);
  await report.check(`${name}: once it is taken back, the device is let in again, on the connections that it kept too`, async () => {
    await measure.back();
    await suspect.isBack();
    for (const { id, tls } of meant) await register(bench, 'http', id, tls, { group: 'line' });
    await Promise.all([fleet.round(), beside.stop()]);
  }, STEP_MS);
  suspect.leave();
}

async function run(report, bench) {
  const pki = await Pki.create(bench, '--intermediates', '1', '--device', 'suspect', '--device', 'sibling', '--self-signed', 'alone', '--self-signed', 'bystander');
  const cousin = { id: 'cousin', tls: await pki.device('cousin', '--issuer', 'root') };
  const sibling = { id: 'sibling', tls: pki.chain('sibling') };
  const others = await Pki.create(bench, '--name', 'Others', '--intermediates', '1', '--device', 'elsewhere');
  for (const [name, one, group] of [['ca', pki, 'line'], ['ca-others', others, 'other-line']]) {
    await mustUsher(bench, ['certificate', 'create', name, '--file', one.file('root.pem'), '--verified']);
    await mustUsher(bench, ['group', 'create', group, '--ca', name]);
  }
  for (const id of ['alone', 'bystander']) await mustUsher(bench, ['enrollment', 'create', id, '--certificate', pki.file(`${id}.pem`)]);
  const { primaryKey } = (await bench.control.group('keys')).attestation.symmetricKey;

  const fleet = new Fleet(bench);
  fleet.join('elsewhere', { tls: others.chain('elsewhere') });
  fleet.join('bystander', { tls: pki.leaf('bystander') });
  fleet.join('keyed-too', { key: sas.deriveKey(primaryKey, 'keyed-too') });
  await fleet.round();
  const withTpm = byTpm(bench);
  const [{ tpm }] = Object.values(withTpm);
  await mustUsher(bench, ['enrollment', 'create', 'tpm', '--endorsement-key', tpm.endorsementKey]);
  for (const one of Object.entries({ ...measures(bench, pki), ...byKey(bench, primaryKey), ...withTpm })) await play(report, bench, fleet, one, { sibling, cousin });
  await report.check('through all of that, no registration of any other device failed', async () => {
    console.log(`${await fleet.stop()} registrations of ${fleet.members.length} other devices, none failed`);
  });
}

module.exports = { name: 'breach', args: UNPACED, run };
