// Devices with TPMs in the races: both connections of a device are challenged before either registers, and each registration
// gives the hub another key. The hub must know the key that was told last.
'use strict';

const assert = require('assert');
const doors = require('../lib/doors');
const { API } = require('../lib/control');
const { inParallel } = require('../lib/pool');
const { SoftTpm } = require('../lib/softtpm');
const { pairOf } = require('./connections');

const DEVICES = 200;
const TPMS = 8; // each under several names: to make a key takes a while
const OPERATORS = 8;

/** An answer without the key: what checkAssigned of lib/device.js knows. */
function shown(json) {
  const { tpm: { authenticationKey, ...tpm }, ...state } = json.registrationState;
  assert.match(authenticationKey, /^[A-Za-z0-9+/]+=*$/);
  return { ...json, registrationState: { ...state, tpm } };
}

/** The key of the answer that was written down last; two answers from one record hold one key. */
function lastKey(tpm, answers) {
  const told = answers.map((json) => ({
    key: doors.hubKey(tpm, json), at: json.registrationState.lastUpdatedDateTimeUtc, etag: json.registrationState.etag,
  }));
  const [one, other] = told;
  if (one.etag === other.etag) assert.strictEqual(one.key, other.key, 'two keys of one record');
  else assert.notStrictEqual(one.at, other.at, 'which was last');
  return one.at >= other.at ? one.key : other.key;
}

async function withTpms({ control }) {
  const tpms = Array.from({ length: TPMS }, () => new SoftTpm());
  const devices = Array.from({ length: DEVICES }, (_, i) => {
    const id = `tpm-racer-${i}`;
    const tpm = tpms[i % TPMS];
    const checkIdentity = ({ type, symmetricKey }, answers) => {
      assert.strictEqual(type, 'sas', `how the hub knows ${id}`);
      assert.strictEqual(symmetricKey.primaryKey, lastKey(tpm, answers), `the key of ${id} in its hub, and the one it was told last`);
      assert.strictEqual(symmetricKey.secondaryKey, symmetricKey.primaryKey);
    };
    return { id, tpm, by: 'tpm', via: pairOf(i), shown, checkIdentity };
  });
  await inParallel(OPERATORS, devices, ({ id, tpm }) => control.must('PUT', `/enrollments/${id}?${API}`, { registrationId: id, attestation: tpm.attestation() }));
  return devices;
}

module.exports = { withTpms };
