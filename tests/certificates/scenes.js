// What one row of the table cannot say, because it has steps: who may take over a registration, whose CA counts where,
// and how possession of a CA's key is proved. Threats B10, B11, B17.
'use strict';

const assert = require('assert');
const { DOORS, overMqtt, refused, assigned, verdict } = require('./doors');
const pki = require('./pki');
const { API } = require('../lib/control');

const POLICIES = {
  'move and migrate': { updateHubAssignment: true, migrateDeviceData: true },
  'move and reset': { updateHubAssignment: true, migrateDeviceData: false },
  never: { updateHubAssignment: false, migrateDeviceData: false },
};

function remove(server, path) {
  return server.control.must('DELETE', `${path}?${API}`, undefined, { 'If-Match': '*' });
}

/** B10: two devices of one name, below the CAs of two groups. Whoever came first stays until its group is gone. */
async function takeover(report, server, all) {
  const one = all.of('taken');
  const mine = { group: 'taken-one', ca: 'root', tls: one.showing('leaf', 'middle') };
  const theirs = { group: 'taken-two', ca: 'other-root', tls: one.showing('other-leaf', 'other-middle') };
  for (const side of [mine, theirs]) await pki.must(pki.upload(server, side.group, one.pem(side.ca), true));
  const make = (side, policy) => pki.group(server, side.group, [one.pem(side.ca)], { reprovisionPolicy: policy });

  for (const [name, policy] of Object.entries(POLICIES)) {
    for (const [order, [first, second]] of Object.entries({ 'one then two': [mine, theirs], 'two then one': [theirs, mine] })) {
      for (const door of Object.keys(DOORS)) {
        await report.check(`B10, ${door}, ${order}, reprovisioning ${name}: the second of that name is refused while the first's group is there`, async () => {
          await make(first, policy);
          await make(second, policy);
          const before = await assigned(server, door, 'taken', first.tls);
          assert.strictEqual(before.x509.enrollmentGroupId, first.group);
          await refused(server, door, 'taken', second.tls, { error: 'registration_taken', phrase: first.group });
          const after = await server.control.registration('taken');
          assert.strictEqual(after.json.etag, before.etag, 'the registration was changed');
          assert.strictEqual((await assigned(server, door, 'taken', first.tls)).x509.enrollmentGroupId, first.group);
          await remove(server, `/enrollmentGroups/${first.group}`);
          assert.strictEqual((await assigned(server, door, 'taken', second.tls)).x509.enrollmentGroupId, second.group);
          await remove(server, '/registrations/taken');
          await remove(server, `/enrollmentGroups/${second.group}`);
        });
      }
    }
  }
  await report.check('B10: an individual enrollment takes it over: an operator said so', async () => {
    await make(mine, POLICIES.never);
    await assigned(server, 'MQTT', 'taken', mine.tls);
    await pki.individual(server, 'taken', [one.pem('other-leaf')]);
    await assigned(server, 'MQTT', 'taken', theirs.tls);
    await refused(server, 'MQTT', 'taken', mine.tls, { error: 'certificate_untrusted', phrase: 'individual enrollment taken' });
  });
}

/** B11: what one tenant verified is worth nothing at another. */
async function crossing(report, server, all) {
  const one = all.of('crossing');
  const there = 'crossing-tenant';
  const tls = one.showing('other-leaf', 'other-middle', 'other-root');
  await server.control.must('PUT', `/control/services/${there}`, { serviceOperationsHostName: 'crossing.example' });
  const scope = (await server.control.must('GET', `/control/services/${there}`)).idScope;
  await pki.must(pki.upload(server, 'crossing-root', one.pem('other-root'), true, there));
  await pki.group(server, 'crossing-there', [one.pem('other-root')], {}, { Host: 'crossing.example' });
  await pki.must(pki.upload(server, 'crossing-root', one.pem('root'), true));
  await pki.group(server, 'crossing', [one.pem('root')]);

  for (const door of Object.keys(DOORS)) {
    await report.check(`B11, ${door}: a device below a CA of another tenant is refused`, () =>
      refused(server, door, 'crossing', tls, { error: 'certificate_untrusted', phrase: 'no verified CA certificate' }));
    await report.check(`B11, ${door}: a device of ours is refused at the other tenant`, () =>
      refused(server, door, 'crossing', one.showing('leaf', 'middle', 'root'), { error: 'certificate_untrusted', phrase: 'no verified CA certificate' }, scope));
  }
  await report.check('B11: nor does it help when a group of ours holds that CA, which only the other tenant verified', async () => {
    await pki.group(server, 'crossing-inline', [one.pem('other-root')]);
    for (const door of Object.keys(DOORS)) {
      await refused(server, door, 'crossing', tls, { error: 'certificate_untrusted', phrase: 'no verified CA certificate' });
    }
  });
  await report.check('B11: below the right CA it is let in', () => assigned(server, 'MQTT', 'crossing', one.showing('leaf', 'middle')));
}

/** B17: proof of possession. A CA certificate counts from the moment on that it is proved. */
async function possession(report, server, all) {
  const one = all.of('possession');
  const base = `/control/services/${server.service}/certificates/possession`;
  const tls = one.showing('leaf', 'middle');
  const newCode = async () => (await server.control.must('POST', `${base}/generateVerificationCode`)).properties.verificationCode;
  const show = async () => (await server.control.must('GET', base)).properties;
  const verify = async (...how) => server.control.request('POST', `${base}/verify`, { certificate: await pki.proof(one, ...how) });
  await pki.must(pki.upload(server, 'possession', one.pem('root'), false));
  await pki.group(server, 'possession', [one.pem('root')]);

  const refusedProof = async (phrase, ...how) => {
    const got = await verify(...how);
    assert.strictEqual(got.status, 400, got.text);
    assert.ok(got.text.includes(phrase), `the answer is ${got.text}, without '${phrase}'`);
    assert.strictEqual((await show()).isVerified, false, 'it is verified all the same');
  };
  const turnedAway = () => refused(server, 'MQTT', 'possession', tls, { error: 'certificate_untrusted', phrase: 'no verified CA certificate' });

  await report.check('B17: without any code nothing is proved', () => refusedProof('code', 'root', '0'.repeat(64)));
  const old = await newCode();
  const code = await newCode();
  await report.check('B17: a code is 256 bits, each time others', () => {
    assert.match(code, /^[0-9A-Fa-f]{64}$/);
    assert.notStrictEqual(code, old);
  });
  await report.check('B17: the code is in no list and in no later answer', async () => {
    assert.ok(!JSON.stringify(await show()).includes(code));
    assert.ok(!JSON.stringify(await server.control.must('GET', `/control/services/${server.service}/certificates`)).includes(code));
  });
  await report.check('B17: a wrong code is refused', () => refusedProof('code', 'root', 'F'.repeat(64)));
  await report.check('B17: the code before the newest is refused', () => refusedProof('code', 'root', old));
  await report.check('B17: the right code signed by another CA is refused', () => refusedProof('', 'other-middle', code));
  await report.check('B17: the right code signed by another CA of that name is refused', () => refusedProof('key', 'other-root', code));
  await report.check('B17: a verification certificate that expired is refused', () => refusedProof('expired', 'root', code, -1));
  await report.check('B17: until then no device below it is let in', turnedAway);
  await report.check('B17: the right code with the right key proves it, and devices below it are let in', async () => {
    const got = await verify('root', code);
    assert.strictEqual(got.status, 200, got.text);
    assert.strictEqual((await show()).isVerified, true);
    await assigned(server, 'MQTT', 'possession', tls);
  });
  await report.check('B17: a code counts once', async () => {
    const replayed = await verify('root', code);
    assert.strictEqual(replayed.status, 400, replayed.text);
  });
  await report.check('B17: another certificate in its place must be proved anew, and not with the code of before', async () => {
    const waiting = await newCode();
    await server.control.must('PUT', base, { certificate: one.pem('other-root') }, { 'If-Match': '*' });
    assert.strictEqual((await show()).isVerified, false);
    await refusedProof('code', 'other-root', waiting);
    await turnedAway();
  });
}

/** A4: the first message over MQTT may be as large as any, but only from a device that is let in. */
async function large(report, server, all) {
  const one = all.of('taken');
  const tls = one.showing('leaf', 'middle');
  const message = JSON.stringify({ registrationId: 'taken', payload: 'x'.repeat(90 * 1024) });
  await pki.must(pki.upload(server, 'large', one.pem('root'), true));
  await report.check('A4: a large first message of a device that is not let in ends the connection, and the log says why, twice', async () => {
    const mark = server.log.mark();
    await assert.rejects(overMqtt(server, 'taken', tls, { payload: message }));
    await verdict(server, mark, 'taken', 'device.refused');
    await server.log.waitFor('of more than 4096 bytes', { mark });
  });
  await pki.group(server, 'large', [one.pem('root')]);
  await report.check('A4: a large first message of a device that is let in registers it', async () => {
    const got = await overMqtt(server, 'taken', tls, { payload: message });
    assert.strictEqual(got.json.status, 'assigned', JSON.stringify(got.json));
    await remove(server, '/registrations/taken');
  });
  await remove(server, '/enrollmentGroups/large');
  await server.control.must('DELETE', `/control/services/${server.service}/certificates/large`, undefined, { 'If-Match': '*' });
}

async function run(report, server, all) {
  await large(report, server, all);
  await takeover(report, server, all);
  await crossing(report, server, all);
  await possession(report, server, all);
}

module.exports = { run };
