// Claims: a CA certificate vouches for nobody until it is shown that its key is held, and what does not show that is refused
// with a clear line: no code, a wrong one, an older one, one that was used, another CA, a CA of the same name, an expired
// proof. From the proof on the devices below it are let in, on connections that were open before too. By `usher` and by HTTPS.
'use strict';

const assert = require('assert');
const fs = require('fs');
const { DOORS, mustBeAssigned, mustBeRefused } = require('../connection');
const { Pki } = require('../pki');
const sas = require('../../lib/sas');
const { register, turnedAway } = require('../x509');
const { mustUsher, overHttps, usher } = require('../../lib/control');

const NAME = 'ca';

/** The ways to the control API: what an operator types, and what a program sends with a policy that holds ServiceConfig. */
function byUsher(bench) {
  return {
    code: async () => JSON.parse(await mustUsher(bench, ['--json', 'certificate', 'code', NAME])).properties.verificationCode,
    verify: async (file) => {
      const { code, stderr } = await usher(bench, ['certificate', 'verify', NAME, '--file', file]);
      return { taken: code === 0, why: stderr, odd: code !== 0 && (code !== 1 || stderr.trim() === '') };
    },
    verified: async () => JSON.parse(await mustUsher(bench, ['--json', 'certificate', 'show', NAME])).properties.isVerified,
  };
}

function byHttps(bench) {
  const { HostName: host, SharedAccessKeyName: policy, SharedAccessKey: key } = sas.parseConnectionString(bench.serviceConnectionString);
  const ask = (method, tail, body) => overHttps(bench, method, `/control/services/dev/certificates/${NAME}${tail}`,
    { body, token: sas.policyToken({ host, policy, key }), headers: { 'If-Match': '*' } });
  return {
    code: async () => (await ask('POST', '/generateVerificationCode')).json.properties.verificationCode,
    verify: async (file) => {
      const { status, text, json } = await ask('POST', '/verify', { certificate: fs.readFileSync(file, 'utf8') });
      return { taken: status === 200, why: text, odd: status !== 200 && (status !== 400 || !json || !json.message) };
    },
    verified: async () => (await ask('GET', '')).json.properties.isVerified,
  };
}

async function whole(report, bench, how, way) {
  const pki = await Pki.create(bench, '--intermediates', '1', '--device', 'member');
  const other = await Pki.create(bench, '--name', 'Other', '--device', 'member');
  const namesake = await Pki.create(bench, '--device', 'member');
  const tls = pki.chain('member');
  await mustUsher(bench, ['certificate', 'create', NAME, '--file', pki.file('root.pem')]);
  await mustUsher(bench, ['group', 'create', 'group', '--ca', NAME]);
  const open = {};
  for (const [door, Door] of Object.entries(DOORS)) open[door] = await Door.open(bench, 'member', { tls });

  const nobody = async () => {
    assert.strictEqual(await way.verified(), false);
    for (const [door, connection] of Object.entries(open)) mustBeRefused(await connection.register(), door);
    for (const transport of ['mqtt', 'http']) await turnedAway(bench, transport, 'member', tls);
  };
  const refused = (what, file, why) => report.check(`${how}: refused: ${what}`, async () => {
    const got = await way.verify(await file());
    assert.strictEqual(got.taken, false, 'it was taken');
    assert.strictEqual(got.odd, false, JSON.stringify(got));
    assert.match(got.why, why);
    assert.strictEqual(await way.verified(), false, 'it is verified all the same');
  });

  await report.check(`${how}: a group on an unverified CA lets nobody in`, nobody);
  await refused('a proof before there is any code', () => pki.verification('0'.repeat(64)), /code/);
  const first = await way.code();
  await refused('a wrong code', () => pki.verification('F'.repeat(64)), /code/);
  await refused('the right code, signed by another CA', () => other.verification(first), /sign|issue|key/);
  await refused('the right code, signed by a CA of the same name', () => namesake.verification(first), /sign|issue|key/);
  await refused('the right code, signed by an intermediate of that CA', () => pki.verification(first, 'intermediate1'), /sign|issue|key/);
  await refused('the CA certificate itself', () => pki.file('root.pem'), /code/);
  await refused('a proof that has expired', () => pki.expired(first, 'root'), /expired/);
  const second = await way.code();
  await refused('a code that a newer one replaced', () => pki.again().verification(first), /code/);
  await report.check(`${how}: after all that the group still lets nobody in`, nobody);

  const proof = await pki.verification(second);
  await report.check(`${how}: the right proof is taken, and the devices below the CA are let in, on connections that were open before too`, async () => {
    const got = await way.verify(proof);
    assert.ok(got.taken, got.why);
    assert.strictEqual(await way.verified(), true);
    for (const [door, connection] of Object.entries(open)) mustBeAssigned(await connection.register(), door);
    for (const transport of ['mqtt', 'http']) await register(bench, transport, 'member', tls, { group: 'group' });
  });
  await report.check(`${how}: refused: the same proof once more; the CA stays verified`, async () => {
    const got = await way.verify(proof);
    assert.strictEqual(got.taken, false, 'a code counts twice');
    assert.match(got.why, /code/);
    assert.strictEqual(await way.verified(), true);
    await register(bench, 'mqtt', 'member', tls, { group: 'group' });
  });
  await report.check(`${how}: another certificate under the same name has to be proved anew, and the proof of the first does not do`, async () => {
    await mustUsher(bench, ['certificate', 'update', NAME, '--file', namesake.file('root.pem')]);
    for (const one of [namesake, pki]) await turnedAway(bench, 'mqtt', 'member', one.chain('member'));
    assert.strictEqual((await way.verify(proof)).taken, false);
    const again = await way.verify(await namesake.verification(await way.code()));
    assert.ok(again.taken, again.why);
    for (const transport of ['mqtt', 'http']) {
      await turnedAway(bench, transport, 'member', tls);
      await register(bench, transport, 'member', namesake.chain('member'), { group: 'group' });
    }
  });
  await mustUsher(bench, ['group', 'delete', 'group']);
  await mustUsher(bench, ['certificate', 'delete', NAME]);
  for (const connection of Object.values(open)) connection.close();
}

async function run(report, bench) {
  await whole(report, bench, 'usher', byUsher(bench));
  await whole(report, bench, 'HTTPS', byHttps(bench));
}

module.exports = { name: 'possession', run };
