// A device on a connection of its own that it keeps: it registers and polls there as often as a test wants, over any door, with a
// certificate, a key or a TPM. Raw peers, because the SDKs close after each registration.
'use strict';

const assert = require('assert');
const device = require('../lib/device');
const doors = require('../lib/doors');

/** By what SDKs call them. `proof` is what the device shows: {tls}, {key} or {tpm}. */
const DOORS = Object.fromEntries(doors.NAMES.map((via) => [via.toUpperCase(), {
  open: (bench, id, proof, options) => doors.open(bench, via, { id, ...proof }, options),
}]));

/** The answer must be `assigned`; returns it. */
function mustBeAssigned({ status, json }, who = '') {
  assert.ok(status === 200 || status === 202, `${who} ${status}: ${JSON.stringify(json)}`);
  assert.strictEqual(json.status, 'assigned', `${who} ${JSON.stringify(json)}`);
  return json;
}

/** The answer must be 401 with 401002. */
function mustBeRefused({ status, json }, who = '') {
  assert.strictEqual(status, 401, `${who} ${status}: ${JSON.stringify(json)}`);
  device.checkError(json, 401);
  assert.strictEqual(json.errorCode, 401002, who);
}

module.exports = { DOORS, mustBeAssigned, mustBeRefused };
