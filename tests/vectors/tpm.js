// Devices with a TPM as each client sends them: over HTTPS (device-protocol.md 3.4), second PUT on another connection and with
// or without `tpm` (row 13), and by SASL TPM (4.3), the blob in exactly two challenges (row 14). The TPM is softtpm.js, so that
// what is answered can be looked into. And what must be refused: every use of a challenge but the one that it was made for.
'use strict';

const assert = require('assert');
const { clients } = require('./amqp-clients');
const { requestOf } = require('./amqp');
const device = require('../lib/device');
const http1 = require('../lib/http1');
const mqtt = require('../lib/mqtt');
const sas = require('../lib/sas');
const { API } = require('../lib/control');
const { openDevice } = require('../lib/amqp-device');
const { inParallel } = require('../lib/pool');
const { SoftTpm } = require('../lib/softtpm');
const { pause } = require('../lib/wait');

/** How the second PUT goes: all clients but one say `tpm` again. */
const HTTP = [
  { client: 'C', token: 'c', again: true }, { client: 'C#', token: 'csharp', again: true, elsewhere: true },
  { client: 'Java', token: 'java', again: true }, { client: 'Node', token: 'csharp', again: true },
  { client: 'identity service', token: 'identity', again: false, elsewhere: true },
];
const SASL_HOST = '{scope}/registrations/{id}';
const AMQP = [
  ...['C', 'Java'].map((client) => clients.find((entry) => entry.client === client)),
  ...['C#, an empty body', 'Node'].map((client) => ({ ...clients.find((entry) => entry.client === client), saslHost: SASL_HOST, token: 'csharp' })),
];
const LONGEST_ID = 'x'.repeat(128);

async function enrolled(server, id, more = {}) {
  const tpm = await SoftTpm.make();
  const registrationId = id || tpm.id;
  await server.control.must('PUT', `/enrollments/${registrationId}?${API}`, { registrationId, attestation: tpm.attestation(), ...more });
  return { tpm, id: registrationId };
}

/** The state of an assigned TPM, and the key for the hub that is in it; the hub must let the device in with that. */
async function checkAssigned(server, json, { tpm, id }) {
  const { tpm: { authenticationKey, ...more }, ...state } = json.registrationState;
  assert.deepStrictEqual(more, {}, 'tpm of the state');
  device.checkAssigned({ ...json, registrationState: { ...state, tpm: {} } }, { id, hub: server.hub, by: 'tpm' });
  const key = tpm.activate(Buffer.from(authenticationKey, 'base64'));
  assert.strictEqual(key.length, 32, 'bytes of the hub key');
  assert.strictEqual(await hubSays(server, state, key), 0, 'CONNACK of the hub');
  return key;
}

/** The return code of a CONNECT to the hub. */
async function hubSays(server, { assignedHub: hub, deviceId }, key) {
  const peer = await mqtt.openMqtt({ port: server.mqttPort, ca: server.ca });
  await peer.write(mqtt.connect({
    clientId: deviceId, username: `${hub}/${deviceId}/?api-version=2021-04-12`, password: sas.hubDeviceToken({ hub, deviceId, key: key.toString('base64') }),
  }));
  const { code } = await peer.expect('CONNACK');
  peer.destroy();
  return code;
}

/** One request of a device; `peer` undefined: on a connection of its own. */
async function ask(server, id, { method = 'PUT', tail = 'register', token, body, peer }) {
  const used = peer || await device.openHttp(server);
  const text = body === undefined ? '' : JSON.stringify({ registrationId: id, ...body });
  await used.write(http1.request(`${method} /${server.scope}/registrations/${id}/${tail}?api-version=2021-06-01 HTTP/1.1`, [
    'Host: localhost', 'Content-Type: application/json', ...(token ? [`Authorization: ${token}`] : []), `Content-Length: ${text.length}`,
  ], text));
  const got = await used.response();
  if (!peer) used.destroy();
  return got;
}

const keysOf = (tpm) => ({ tpm: { endorsementKey: tpm.endorsementKey, storageRootKey: tpm.storageRootKey } });

/** 401 as each client reads it: no `status`, and exactly these members. Returns the blob. */
function challengeOf(got) {
  assert.strictEqual(got.status, 401, String(got.body));
  assert.match(got.headers['content-type'] || '', /^application\/json/);
  const { authenticationKey, ...rest } = got.json;
  assert.deepStrictEqual(rest, { message: 'Authorization required', keyName: 'registration' });
  return Buffer.from(authenticationKey, 'base64');
}

function refused(got) {
  assert.strictEqual(got.status, 401, String(got.body));
  device.checkError(got.json, 401);
  assert.strictEqual(got.json.errorCode, 401002);
  assert.ok(!('authenticationKey' in got.json), 'a challenge');
}

async function challenged(server, { tpm, id }, peer) {
  return tpm.activate(challengeOf(await ask(server, id, { body: keysOf(tpm), peer })));
}

async function playHttp(server, entry, one, { tokenIn, strict }) {
  const { tpm, id } = one;
  const first = await device.openHttp(server);
  const key = await challenged(server, one, first);
  const peer = entry.elsewhere ? undefined : first;
  const token = tokenIn(entry.token, { scope: server.scope, id, key: key.toString('base64') });
  let got = await ask(server, id, { token, body: entry.again ? keysOf(tpm) : {}, peer });
  assert.strictEqual(got.status, 202, String(got.body));
  if (strict) assert.strictEqual(got.json.status, 'assigning');
  const poll = () => ask(server, id, { method: 'GET', tail: `operations/${got.json.operationId}`, token, peer });
  for (let polls = 0; got.json.status === 'assigning' && polls < 5; polls += 1) {
    await pause(Number(got.headers['retry-after']) * 1000);
    got = await poll();
  }
  await checkAssigned(server, got.json, one);
  const again = await poll();
  assert.strictEqual(again.status, 200, String(again.body));
  await checkAssigned(server, again.json, one);
  first.destroy();
}

/** The TPM's side of SASL: what is answered to each challenge; `give` makes the token of the key that was planted. */
function answers(tpm, give) {
  const got = [];
  return (challenge) => {
    got.push(challenge);
    if (got.length === 1) {
      assert.deepStrictEqual(challenge, Buffer.from([0]), 'the first challenge');
      return Buffer.concat([Buffer.from([0]), tpm.srk.bytes]);
    }
    assert.ok(got.length <= 3, 'more than two challenges for the blob');
    assert.strictEqual(challenge[0], got.length === 2 ? 0x80 : 0xc1, 'control byte');
    if (got.length === 2) return Buffer.from([0]);
    const key = tpm.activate(Buffer.concat([got[1].subarray(1), got[2].subarray(1)]));
    return Buffer.concat([Buffer.from([0]), Buffer.from(give(key.toString('base64')))]);
  };
}

function initial(server, { tpm, id }) {
  return Buffer.concat([Buffer.from(`\0${server.scope}\0${id}\0`), tpm.ek.bytes]);
}

async function playAmqp(server, entry, one, { tokenIn, strict }) {
  const { tpm, id } = one;
  const opened = await openDevice(server, entry, { id });
  const token = (key) => tokenIn(entry.token, { scope: server.scope, id, key });
  assert.deepStrictEqual(await opened.authenticate('TPM', initial(server, one), answers(tpm, token)), { code: 0 }, 'SASL outcome');
  await opened.connect();
  const { body, ...request } = requestOf(entry, 'register', id);
  let got = await opened.ask({ ...request, body: { data: JSON.stringify({ registrationId: id, ...keysOf(tpm) }) } });
  assert.ok(!got.rejected, JSON.stringify(got.rejected));
  if (strict) assert.strictEqual(got.json.status, 'assigning');
  for (let polls = 0; got.json.status === 'assigning' && polls < 5; polls += 1) {
    await pause(Number(got.properties[entry.retry]) * 1000);
    got = await opened.ask(requestOf(entry, 'poll', id, got.json.operationId));
  }
  await checkAssigned(server, got.json, one);
  await opened.leave();
}

async function playAll(report, server, tools) {
  const mode = tools.strict ? ', polling' : '';
  const cases = [...HTTP.map((entry) => ['HTTPS', playHttp, entry]), ...AMQP.map((entry) => ['AMQP', playAmqp, entry])];
  await inParallel(cases.length, cases, ([door, play, entry]) => report.check(`${door}: ${entry.client}, TPM${mode}`,
    async () => play(server, entry, await enrolled(server), tools)));
}

async function overHttps(report, server, { tokenIn }) {
  const one = await enrolled(server);
  const { tpm, id } = one;
  const token = (key, form = 'csharp') => tokenIn(form, { scope: server.scope, id, key: key.toString('base64') });
  const register = (given, body = keysOf(tpm)) => ask(server, id, { token: given, body });

  await report.check('HTTPS: an answer is good for one registration, and for the polls of that', async () => {
    const given = token(await challenged(server, one));
    const got = await register(given);
    assert.strictEqual(got.status, 202, String(got.body));
    challengeOf(await register(given));
    refused(await ask(server, id, { token: given, body: {} }));
  });
  await report.check('HTTPS: a new challenge replaces the former one', async () => {
    const [former, latter] = [await challenged(server, one), await challenged(server, one)];
    assert.notDeepStrictEqual(former, latter);
    challengeOf(await register(token(former)));
    challengeOf(await register(token(latter))); // replaced in its turn, by the challenge that refused the former
    assert.strictEqual((await register(token(await challenged(server, one)))).status, 202);
  });
  await report.check('HTTPS: an answer with another storage root key than was challenged is no answer', async () => {
    const key = await challenged(server, one);
    const other = { tpm: { endorsementKey: tpm.endorsementKey, storageRootKey: new SoftTpm().storageRootKey } };
    const got = await register(token(key), other);
    assert.strictEqual(got.status, 401, String(got.body));
  });
  await report.check('HTTPS: an answer is for the device that was challenged', async () => {
    const two = await enrolled(server);
    const key = await challenged(server, one);
    const given = tokenIn('csharp', { scope: server.scope, id: two.id, key: key.toString('base64') });
    challengeOf(await ask(server, two.id, { token: given, body: keysOf(two.tpm) }));
    assert.strictEqual((await server.control.registration(two.id)).status, 404);
  });
  await report.check('HTTPS: an expired token is answered with a fresh challenge', async () => {
    const key = await challenged(server, one);
    const se = sas.inSeconds(-3600);
    challengeOf(await register(sas.deviceToken({ scope: server.scope, id, key: key.toString('base64'), se })));
  });
  await report.check('HTTPS: a TPM that is not enrolled, or another one\'s ID: 401002, and nothing else', async () => {
    const stranger = new SoftTpm();
    refused(await ask(server, stranger.id, { body: keysOf(stranger) }));
    refused(await ask(server, id, { body: keysOf(stranger) }));
  });
}

async function overAmqp(report, server, { tokenIn }) {
  const [node] = AMQP.slice(-1);
  const attempt = async ({ tpm, id }, give) => {
    const opened = await openDevice(server, node, { id });
    const outcome = await opened.authenticate('TPM', initial(server, { tpm, id }), answers(tpm, give));
    if (outcome.code !== 0) await opened.peer.closedBy(5000, 'after the outcome');
    opened.peer.destroy();
    return outcome.code;
  };
  const tokenOf = (id, key) => tokenIn('csharp', { scope: server.scope, id, key });
  await report.check('AMQP: SASL TPM takes frames larger than 512 bytes: the longest ID that there is', async () => {
    await playAmqp(server, node, await enrolled(server, LONGEST_ID), { tokenIn });
  });
  await report.check('AMQP: what was good on one connection is no answer on another: outcome 1, and closed', async () => {
    const one = await enrolled(server);
    let kept;
    const keep = (key) => { kept = tokenOf(one.id, key); return kept; };
    assert.strictEqual(await attempt(one, keep), 0);
    assert.strictEqual(await attempt(one, () => kept), 1);
  });
  await report.check('AMQP: a TPM that is not enrolled, or under another one\'s ID: outcome 1, and closed', async () => {
    const one = await enrolled(server);
    const stranger = new SoftTpm();
    assert.strictEqual(await attempt({ tpm: stranger, id: stranger.id }, () => assert.fail('challenged')), 1);
    assert.strictEqual(await attempt({ tpm: stranger, id: one.id }, () => assert.fail('challenged')), 1);
  });
}

async function run(report, server, tools) {
  await playAll(report, server, tools);
  await overHttps(report, server, tools);
  await overAmqp(report, server, tools);
}

module.exports = { run, playAll };
