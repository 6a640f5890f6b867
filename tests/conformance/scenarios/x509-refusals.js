// Claims: a device whose certificate is not good enough hears 401002 from the SDK, in the form of its transport (refusals.js),
// never a broken connection, and its program goes on: with a good certificate it is let in after all.
'use strict';

const assert = require('assert');
const fs = require('fs');
const { Pki } = require('../pki');
const { ALL } = require('../transports');
const { register, turnedAway } = require('../x509');
const { mustUsher } = require('../../lib/control');

/** A device's certificate that has expired, with the chain above it. */
async function expired(pki, id) {
  const file = await pki.expired(id, 'intermediate1');
  return { cert: fs.readFileSync(file, 'utf8') + pki.pem('intermediate1'), key: pki.text(`${id}.key`) };
}

async function run(report, bench, transport) {
  const usher = (...words) => mustUsher(bench, words);
  const [known, other, alone, late, stranger] = ['known', 'other', 'alone', 'late', 'stranger'].map((what) => `${transport}-${what}`);
  const pki = await Pki.create(bench, '--intermediates', '1', '--device', known, '--device', other, '--self-signed', alone);
  const foreign = await Pki.create(bench, '--intermediates', '1', '--device', known, '--device', stranger, '--self-signed', alone);
  const ca = `${transport}-ca`;
  await usher('certificate', 'create', ca, '--file', pki.file('root.pem'), '--verified');
  await usher('group', 'create', ca, '--ca', ca);
  await usher('enrollment', 'create', alone, '--certificate', pki.file(`${alone}.pem`));

  const refused = (what, id, tls, message) => report.check(`refused: ${what}`, () => turnedAway(bench, transport, id, tls, message));
  await refused('a certificate below a CA that nobody uploaded', stranger, foreign.chain(stranger));
  await refused('a certificate below a CA of the same name with another key', known, foreign.chain(known));
  await refused('a certificate of another device of the same group', known, pki.chain(other));
  await refused('a self-signed certificate with the right name and another key', alone, foreign.leaf(alone));
  await refused('a self-signed certificate, enrolled for another device', known, pki.leaf(alone));
  await refused('a certificate of the group in place of the one enrolled', alone, await pki.again().device(alone));
  await refused('an expired certificate of a group', late, await expired(pki, late));
  await report.check('refused: an expired certificate that is enrolled itself', async () => {
    const id = `${transport}-past`;
    const tls = await expired(pki, id);
    await usher('enrollment', 'create', id, '--certificate', pki.file(`${id}.pem`));
    await turnedAway(bench, transport, id, tls);
  });
  await report.check('refused: a certificate below a CA that is not verified', async () => {
    await usher('certificate', 'create', `${ca}-unverified`, '--file', foreign.file('root.pem'));
    await usher('group', 'create', `${ca}-unverified`, '--ca', `${ca}-unverified`);
    await turnedAway(bench, transport, stranger, foreign.chain(stranger));
  });
  await report.check('a device of a disabled group is refused, told so, and let in once it is enabled', async () => {
    await usher('group', 'update', ca, '--disabled');
    await turnedAway(bench, transport, known, pki.chain(known), /disabled/);
    await usher('group', 'update', ca, '--enabled');
    await register(bench, transport, known, pki.chain(known), { group: ca });
  });
  await report.check('a device whose own enrollment is disabled is refused, told so, and let in once it is enabled', async () => {
    await usher('enrollment', 'update', alone, '--disabled');
    await turnedAway(bench, transport, alone, pki.leaf(alone), /disabled/);
    await usher('enrollment', 'update', alone, '--enabled');
    await register(bench, transport, alone, pki.leaf(alone));
  });
  await report.check('whoever is refused leaves no registration behind', async () => {
    for (const id of [other, late, stranger]) assert.strictEqual((await bench.control.registration(id)).status, 404, id);
  });
  await report.check('the refusals name neither CA, group nor device', async () => {
    const { message } = await turnedAway(bench, transport, known, pki.chain(other));
    for (const name of [known, other, ca, 'Usher bench']) assert.ok(!message.includes(name), message);
  });
}

module.exports = { name: 'certificates refused', over: ALL, run };
