// Who may answer a challenge, when, where and for what (threats C1 and C2). A is enrolled, B is another TPM that knows all that
// is public about A.
'use strict';

const assert = require('assert');
const { API } = require('../lib/control');
const sas = require('../lib/sas');
const { Https, Mqtt, Amqp } = require('./doors');
const { enroll, guessed } = require('./devices');

const DOORS = { HTTPS: Https, MQTT: Mqtt, AMQP: Amqp };
const REFUSED = 401002;

/** No registration: another challenge at most. */
function notLetIn(got, what) {
  assert.ok(got.blob || got.refused === REFUSED, `${what}: ${JSON.stringify(got)}`);
}

function letIn(got) {
  assert.strictEqual(got.json && got.json.status, 'assigned', JSON.stringify(got));
  return got;
}

/** No record at all, or one that says that the device may not be. */
async function nobodyRegistered(server, id) {
  const { status, json } = await server.control.registration(id);
  assert.ok(status === 404 || json.status === 'disabled', `${id} is registered: ${JSON.stringify(json)}`);
}

/** Opens a connection, and asks for a challenge with these keys. */
async function challenged(Door, server, id, keys) {
  const door = await Door.open(server, id);
  const { blob } = await door.challenge(keys);
  assert.ok(blob, 'a challenge');
  return { door, blob };
}

async function strangers(report, server, a, b, name) {
  const own = name();
  await enroll(server, own, b);
  await b.register(Https, server, own); // so that it has a key to sign with
  for (const [label, Door] of Object.entries(DOORS)) {
    const id = name();
    await enroll(server, id, a);
    await report.check(`${label}: another TPM gets nothing out of A's challenge, and what it guesses is refused`, async () => {
      // Once with its own storage root key, once with A's: the challenge is for A all the same.
      for (const storageRootKey of [b.storageRootKey, a.storageRootKey]) {
        for (const guess of [() => guessed(server, id), () => guessed(server, id, Buffer.alloc(32)), () => b.registering(server, id)]) {
          const keys = { endorsementKey: a.endorsementKey, storageRootKey };
          const { door, blob } = await challenged(Door, server, id, keys);
          assert.match(await b.plant(blob), /^refused .*not made for this TPM/);
          notLetIn(await door.answer(await guess(), Door === Amqp ? undefined : keys), 'a guess');
          door.close();
        }
      }
      await nobodyRegistered(server, id);
    });
    await report.check(`${label}: another TPM under A's name gets no challenge`, async () => {
      const door = await Door.open(server, id);
      assert.strictEqual((await door.challenge(b.keys)).refused, REFUSED);
      await server.log.waitFor('tpm_key');
      door.close();
    });
    await report.check(`${label}: after all that, A registers`, async () => { await a.register(Door, server, id); });
  }
}

async function wrongStorageRoot(report, server, a, b, name) {
  const id = name();
  await enroll(server, id, a);
  await report.check('a challenge for A with another storage root key is of no use to A, nor to that one', async () => {
    const { door, blob } = await challenged(Https, server, id, { ...a.keys, storageRootKey: b.storageRootKey });
    assert.match(await a.plant(blob), /^refused /);
    assert.match(await b.plant(blob), /^refused /);
    door.close();
  });
  for (const [label, Door] of [['HTTPS', Https], ['MQTT', Mqtt]]) {
    await report.check(`${label}: an answer that names another storage root key than was challenged is no answer`, async () => {
      const { door, blob } = await challenged(Door, server, id, a.keys);
      const token = await a.answer(server, id, blob);
      notLetIn(await door.answer(token, { ...a.keys, storageRootKey: b.storageRootKey }), 'wrong storage root key');
      await nobodyRegistered(server, id);
      door.close();
    });
  }
}

async function once(report, server, a, name) {
  const id = name();
  await enroll(server, id, a);
  await report.check('HTTPS: an answer registers once; its polls and no other register call go on', async () => {
    const { door, blob } = await challenged(Https, server, id, a.keys);
    const token = await a.answer(server, id, blob);
    const { json } = letIn(await door.answer(token));
    assert.strictEqual((await door.answer(token)).refused, REFUSED);
    assert.ok((await door.answer(token, a.keys)).blob, 'asked anew');
    const twice = await door.poll(token, json.operationId);
    assert.strictEqual(twice.refused, REFUSED, 'a poll whose challenge was replaced');
    const again = await a.register(Https, server, id);
    assert.strictEqual(letIn(await door.poll(again.token, again.json.operationId)).json.operationId, again.json.operationId);
    assert.strictEqual((await door.answer(again.token)).refused, REFUSED);
    letIn(await door.poll(again.token, again.json.operationId));
    door.close();
  });
  await report.check('MQTT: an answer registers once', async () => {
    const { door, blob } = await challenged(Mqtt, server, id, a.keys);
    const token = await a.answer(server, id, blob);
    letIn(await door.answer(token));
    assert.strictEqual((await door.answer(token)).refused, REFUSED);
    door.close();
  });
  await report.check('HTTPS: a token is of no use once another challenge was made', async () => {
    const { door, blob } = await challenged(Https, server, id, a.keys);
    const token = await a.answer(server, id, blob);
    assert.notStrictEqual((await door.challenge(a.keys)).blob, blob);
    assert.strictEqual((await door.answer(token)).refused, REFUSED);
    door.close();
  });
  await report.check('HTTPS: of two challenges at once, on two connections, the latter counts', async () => {
    const one = await challenged(Https, server, id, a.keys);
    const two = await challenged(Https, server, id, a.keys);
    const first = await a.answer(server, id, one.blob);
    const second = await a.answer(server, id, two.blob);
    assert.strictEqual((await one.door.answer(first)).refused, REFUSED);
    letIn(await one.door.answer(second)); // on whichever connection
    one.door.close();
    two.door.close();
  });
}

/** MQTT and AMQP: the connection is part of what was asked. */
async function elsewhere(report, server, a, name) {
  for (const [label, Door] of [['MQTT', Mqtt], ['AMQP', Amqp]]) {
    const id = name();
    await enroll(server, id, a);
    await report.check(`${label}: what one connection was asked is no answer on another, nor over HTTPS`, async () => {
      const one = await challenged(Door, server, id, a.keys);
      const two = await challenged(Door, server, id, a.keys);
      const token = await a.answer(server, id, one.blob);
      assert.strictEqual((await two.door.answer(token)).refused, REFUSED);
      const https = await Https.open(server, id);
      assert.strictEqual((await https.answer(token)).refused, REFUSED);
      await nobodyRegistered(server, id);
      letIn(await one.door.answer(token)); // which nobody disturbed
      for (const each of [one.door, two.door, https]) each.close();
    });
    await report.check(`${label}: what was asked over HTTPS is no answer there`, async () => {
      const https = await challenged(Https, server, id, a.keys);
      const token = await a.answer(server, id, https.blob);
      const { door } = await challenged(Door, server, id, a.keys);
      assert.strictEqual((await door.answer(token)).refused, REFUSED);
      letIn(await https.door.answer(token));
      door.close();
      https.door.close();
    });
  }
}

async function otherNames(report, server, a, name) {
  const [one, two] = [name(), name()];
  await enroll(server, one, a);
  await enroll(server, two, a);
  for (const [label, Door] of Object.entries(DOORS)) {
    await report.check(`${label}: a challenge is for one registration ID, though another has the same TPM`, async () => {
      const first = await challenged(Door, server, one, a.keys);
      assert.strictEqual(await a.plant(first.blob), 'planted');
      const tokens = [await a.registering(server, one), await a.registering(server, two)];
      for (const token of tokens) {
        const second = await Door.open(server, two);
        if (Door === Amqp) assert.ok((await second.challenge(a.keys)).blob);
        assert.strictEqual((await second.answer(token)).refused, REFUSED);
        second.close();
      }
      assert.strictEqual((await first.door.answer(tokens[1])).refused, REFUSED, 'a token for the other one');
      await nobodyRegistered(server, two);
      first.door.close();
    });
  }
  await report.check('the right key, and a token for something else: refused', async () => {
    const { door, blob } = await challenged(Https, server, one, a.keys);
    assert.strictEqual(await a.plant(blob), 'planted');
    const others = [`${server.scope}/registrations/${two}`, `0ne00000000/registrations/${one}`, `${server.scope}/registrations/${one}/operations`, server.hub, one];
    for (const resource of others) assert.strictEqual((await door.answer(await a.token(resource))).refused, REFUSED, resource);
    const ours = `${server.scope}/registrations/${one}`;
    assert.strictEqual((await door.answer(await a.token(ours, { skn: 'provisioningserviceowner' }))).refused, REFUSED, 'skn');
    assert.strictEqual((await door.answer(await a.token(ours, { se: sas.inSeconds(-3600) }))).refused, REFUSED, 'expired');
    letIn(await door.answer(await a.token(ours))); // none of them used it up
    door.close();
  });
}

/** What an operator does between challenge and answer. */
async function meanwhile(report, server, a, b, name) {
  const path = (id) => `/enrollments/${id}?${API}`;
  const acts = {
    'deleted enrollment': (id) => server.control.must('DELETE', path(id)),
    'disabled enrollment': (id) => enroll(server, id, a, { provisioningStatus: 'disabled' }, { 'If-Match': '*' }),
    "enrollment with another TPM's key": (id) => enroll(server, id, b, {}, { 'If-Match': '*' }),
    'enrollment by key instead': async (id) => { await server.control.must('DELETE', path(id)); await server.control.enroll(id); },
  };
  for (const [label, Door] of Object.entries(DOORS)) {
    for (const [what, act] of Object.entries(acts)) {
      const id = name();
      await enroll(server, id, a);
      await report.check(`${label}: ${what} between challenge and answer: refused`, async () => {
        const { door, blob } = await challenged(Door, server, id, a.keys);
        const token = await a.answer(server, id, blob);
        await act(id);
        assert.strictEqual((await door.answer(token)).refused, REFUSED);
        await nobodyRegistered(server, id);
        door.close();
      });
      await unblock(server, id);
    }
  }
}

/** A disabled enrollment shuts its TPM out everywhere: no scene leaves one behind. */
async function unblock(server, id) {
  const { status } = await server.control.request('DELETE', `/enrollments/${id}?${API}`);
  assert.ok([204, 404].includes(status), `DELETE: ${status}`);
}

async function disabled(report, server, a, b, name) {
  const id = name();
  await enroll(server, id, a, { provisioningStatus: 'disabled' });
  await report.check('a disabled enrollment: whoever holds the TPM is told so, and nobody else', async () => {
    const { door, blob } = await challenged(Https, server, id, a.keys);
    const ours = await door.answer(await a.answer(server, id, blob));
    assert.strictEqual(ours.refused, REFUSED);
    assert.match(ours.message, /disabled/i);
    const { door: other } = await challenged(Https, server, id, { ...a.keys, storageRootKey: b.storageRootKey });
    const theirs = await other.answer(guessed(server, id));
    assert.strictEqual(theirs.refused, REFUSED);
    assert.doesNotMatch(theirs.message, /disabled/i);
    await nobodyRegistered(server, id);
    for (const each of [door, other]) each.close();
  });
  await report.check('it shuts its TPM out under every other name too, until it goes', async () => {
    const other = name();
    await enroll(server, other, a);
    const { door, blob } = await challenged(Https, server, other, a.keys);
    assert.strictEqual((await door.answer(await a.answer(server, other, blob))).refused, REFUSED);
    await unblock(server, id);
    await a.register(Https, server, other);
    door.close();
  });
  await unblock(server, id);
}

async function hubKeys(report, server, a, name) {
  for (const [label, Door] of Object.entries(DOORS)) {
    const id = name();
    await enroll(server, id, a);
    await report.check(`${label}: registering again gives another key for the hub; the old one is shut out, live session included`, async () => {
      const first = await a.register(Door, server, id);
      const session = await a.visit(server, first.state);
      assert.strictEqual(session.code, 0, 'CONNACK with the first key');
      const second = await a.register(Door, server, id);
      assert.strictEqual(second.state.assignedHub, first.state.assignedHub);
      await session.peer.closedBy(5000, 'the session with the old key');
      assert.notStrictEqual((await a.visit(server, first.state)).code, 0, 'the old key');
      const now = await a.visit(server, second.state);
      assert.strictEqual(now.code, 0, 'the new key');
      now.peer.destroy();
    });
  }
}

/** The last scene: `again()` stops the server and starts it anew on the same folder and ports. */
async function restart(report, server, a, name, again) {
  const ids = [name(), name(), name()];
  for (const id of ids) await enroll(server, id, a);
  const asked = await challenged(Https, server, ids[0], a.keys);
  const token = await a.answer(server, ids[0], asked.blob);
  const bare = await challenged(Https, server, ids[1], a.keys);
  const bareToken = await a.answer(server, ids[1], bare.blob);
  const registered = await a.register(Https, server, ids[2]);
  const next = await again();
  await report.check('a restart between challenge and answer: asked anew, and then let in', async () => {
    const door = await Https.open(next, ids[0]);
    const { blob } = await door.answer(token, a.keys);
    assert.ok(blob, 'asked anew');
    letIn(await door.answer(await a.answer(next, ids[0], blob)));
    const other = await Https.open(next, ids[1]);
    assert.strictEqual((await other.answer(bareToken)).refused, REFUSED, 'an answer that does not name the TPM');
    await a.register(Https, next, ids[1]);
    for (const each of [door, other]) each.close();
  });
  await report.check('a restart after the registration: the hub takes the key that was given before', async () => {
    const session = await a.visit(next, registered.state);
    assert.strictEqual(session.code, 0);
    session.peer.destroy();
  });
  return next;
}

module.exports = { strangers, wrongStorageRoot, once, elsewhere, otherNames, meanwhile, disabled, hubKeys, restart };
