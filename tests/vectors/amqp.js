// Plays the clients of amqp-clients.js: with keys, with certificates, over TLS and over WebSocket; and what they are told when
// something is wrong (device-protocol.md 4.6, 4.7; rows 8 to 10 of its appendix B).
'use strict';

const assert = require('assert');
const { clients } = require('./amqp-clients');
const device = require('../lib/device');
const pki = require('../lib/pki');
const sas = require('../lib/sas');
const { openDevice, plain } = require('../lib/amqp-device');
const { inParallel } = require('../lib/pool');
const { pause } = require('../lib/wait');

const JAVA_MS = 10;
const AT_ONCE = 8;
const POLLING_AT_ONCE = 24;
const REGISTER = 'iotdps-register';
const POLL = 'iotdps-get-operationstatus';
const RETRIES = ['retry-after', 'Retry-After'];

/** A connection that has come as far as its first message; throws {outcome} when SASL says no. */
async function openAs(server, entry, { id, key, tls, token, open, tokenIn, linkId = id }) {
  const opened = await openDevice(server, entry, { id: linkId, tls, open });
  const { scope } = server;
  const mechanism = tls ? entry.sasl : 'PLAIN';
  if (mechanism) {
    const response = tls ? entry.response : plain({ scope, id, token: token || tokenIn(entry.token, { scope, id, key }) });
    const { code } = await opened.authenticate(mechanism, response);
    if (code !== 0) {
      await opened.peer.closedBy(5000, `after SASL outcome ${code}`);
      throw Object.assign(new Error(`SASL outcome ${code}`), { outcome: code });
    }
  }
  return opened.connect();
}

/** What a client sends for one of its requests. */
function requestOf(entry, which, id, operationId) {
  const { body = {}, ...rest } = entry[which];
  const filled = Object.fromEntries(Object.entries(body).map(([kind, text]) => [kind, text.replace(/\{id\}/g, id)]));
  return { operation: which === 'register' ? REGISTER : POLL, operationId, body: filled, ...rest };
}

/** How the answer names what it answers: in the same type. */
function echoOf({ none, type, value } = { none: true }) {
  if (none) return undefined;
  return { uuid: () => ({ uuid: value.replace(/-/g, '') }), binary: () => Buffer.from(value) }[type]?.() ?? value;
}

/** One client: register, poll, poll the operation that is over, leave. */
async function play(server, entry, { id, key, tls, by, group, strict, open, tokenIn }) {
  const opened = await openAs(server, entry, { id, key, tls, open, tokenIn });
  const ask = async (which, operationId) => {
    const got = await opened.ask(requestOf(entry, which, id, operationId));
    assert.ok(!got.rejected, `${which} was rejected: ${JSON.stringify(got.rejected)}`);
    assert.deepStrictEqual(got.correlation, echoOf(entry[which].correlation), 'correlation-id');
    if (entry.slow) assert.ok(got.took >= JAVA_MS, `answered after ${got.took.toFixed(1)} ms; Java would miss it`);
    return got;
  };
  let got = await ask('register');
  if (strict) assert.strictEqual(got.json.status, 'assigning');
  for (let polls = 0; got.json.status === 'assigning' && polls < 5; polls += 1) {
    device.noNulls(got.json);
    for (const name of RETRIES) assert.match(got.properties[name] || '', /^[1-9]\d*$/, name);
    await pause(Number(got.properties[entry.retry]) * 1000);
    got = await ask('poll', got.json.operationId);
  }
  const state = device.checkAssigned(got.json, { id, hub: server.hub, group, by });
  for (const name of RETRIES) assert.ok(!(name in got.properties), `${name} in a final answer`);
  const again = await ask('poll', got.json.operationId);
  assert.deepStrictEqual(again.json, got.json, 'the operation, asked for once more');
  if (entry.largest) assert.ok(opened.peer.largest <= entry.largest, `a frame of ${opened.peer.largest} bytes`);
  await opened.leave();
  return state;
}

/** Every client with an enrollment of its own and as a member of a group, by key and by certificate. */
async function playAll(report, server, { strict = false, tokenIn, open, door = 'AMQP' }) {
  const mode = `${door.toLowerCase().replace(/\W+/g, '-')}${strict ? '-polling' : ''}`;
  const names = clients.map((entry, i) => ({ entry, own: `Amqp_${i}.a:b-${mode}`, member: `amqp-${i}-${mode}` }));
  const certificates = await pki.Pki.make({
    name: `Vectors ${mode}`, intermediates: 1, below: names.map((one) => `x-${one.member}`), alone: names.map((one) => `x-${one.own}`),
  });
  await pki.uploadCa(server.control, server.service, `vectors-${mode}`, certificates.pem('root'));
  await pki.group(server.control, `vectors-x-${mode}`, { signing: [certificates.pem('intermediate1')] });
  const groupKey = (await server.control.group(`vectors-${mode}`)).attestation.symmetricKey.primaryKey;
  const cases = [];
  for (const { entry, own, member } of names) {
    if (entry.only !== 'x509') {
      const { primaryKey } = (await server.control.enroll(own)).attestation.symmetricKey;
      cases.push({ entry, what: 'individual', id: own, key: primaryKey });
      cases.push({ entry, what: 'group', id: member, key: sas.deriveKey(groupKey, member), group: `vectors-${mode}` });
    }
    if (entry.only !== 'key') {
      await pki.enroll(server.control, `x-${own}`, [certificates.pem(`x-${own}`)]);
      const showing = (id) => certificates.showing(id, { leaf: entry.leaf });
      cases.push({ entry, what: 'certificate, individual', id: `x-${own}`, tls: showing(`x-${own}`), by: 'x509' });
      cases.push({ entry, what: 'certificate, group', id: `x-${member}`, tls: showing(`x-${member}`), by: 'x509', group: `vectors-x-${mode}` });
    }
  }
  await inParallel(strict ? POLLING_AT_ONCE : AT_ONCE, cases, ({ entry, what, ...one }) => report.check(`${door}: ${entry.client}, ${what}${strict ? ', polling' : ''}`,
    () => play(server, entry, { ...one, strict, open, tokenIn })));
}

function checkRefusal({ rejected }, status, condition) {
  assert.ok(rejected, 'accepted');
  device.checkError(rejected.json, status);
  if (condition) assert.strictEqual(rejected.condition, condition);
  return rejected;
}

/** Requests on a good connection that are answered with an error: [what, request, status]. */
function wrongRequests(id) {
  const body = (data) => ({ operation: REGISTER, body: { data } });
  return [
    ['a body that is no JSON', body('{"registrationId":'), 400],
    ['a body that is no object', body('[1]'), 400],
    ['the registration ID of another device', body('{"registrationId":"somebody-else"}'), 400],
    ['a key twice', body(`{"registrationId":"${id}","registrationId":"${id}"}`), 400],
    ['an unknown kind of request', { operation: 'iotdps-get-registration' }, 400],
    ['an unknown operation', { operation: POLL, operationId: '4.0000000000000000.00000000-0000-4000-8000-000000000000' }, 404],
  ];
}

async function errors(report, server, { tokenIn }) {
  const id = 'amqp-errors';
  const { primaryKey: key } = (await server.control.enroll(id)).attestation.symmetricKey;
  const node = clients.find((entry) => entry.client === 'Node');
  for (const [what, request, status] of wrongRequests(id)) {
    await report.check(`AMQP: ${what} is rejected with ${status} and a JSON description, and the connection goes on`, async () => {
      const opened = await openAs(server, node, { id, key, tokenIn });
      checkRefusal(await opened.ask(request), status);
      const got = await opened.ask(requestOf(node, 'register', id));
      device.checkAssigned(got.json, { id, hub: server.hub });
      opened.peer.destroy();
    });
  }
  const payload = (size) => ({ ...requestOf(node, 'register', id), body: { data: JSON.stringify({ payload: { text: 'x'.repeat(size) } }) } });
  await report.check('AMQP: a payload of 64 KB, in several frames, is taken', async () => {
    const opened = await openAs(server, node, { id, key, tokenIn });
    device.checkAssigned((await opened.ask(payload(64 * 1024))).json, { id, hub: server.hub });
    await opened.leave();
  });
  await report.check('AMQP: a payload of 200 KB: rejected with 413001, and the next request is served', async () => {
    const opened = await openAs(server, node, { id, key, tokenIn });
    const { rejected } = await opened.ask(payload(200 * 1024));
    assert.strictEqual(rejected.condition, 'amqp:link:message-size-exceeded');
    device.checkError(rejected.json, 413);
    device.checkAssigned((await opened.ask(payload(64))).json, { id, hub: server.hub });
    await opened.leave();
  });
  const bad = { 'a wrong key': { id, key: Buffer.alloc(32).toString('base64') }, 'an unknown ID': { id: 'amqp-nobody', key }, nonsense: { id, token: 'nonsense' } };
  for (const [what, who] of Object.entries(bad)) {
    await report.check(`AMQP: ${what} in SASL PLAIN: outcome 1, and closed`,
      () => assert.rejects(openAs(server, node, { ...who, tokenIn }), (error) => error.outcome === 1 || assert.fail(error.message)));
  }
  await report.check('AMQP: links to another device than SASL named are refused', async () => {
    await server.control.enroll('amqp-other');
    await assert.rejects(openAs(server, node, { id, key, tokenIn, linkId: 'amqp-other' }), /the link was refused|expected attach, got (detach|close|end)/);
  });
  const stranger = await pki.Pki.make({ name: 'Nobody', intermediates: 1, below: ['amqp-stranger'], alone: ['amqp-alone'] });
  for (const who of ['amqp-stranger', 'amqp-alone']) {
    await inParallel(AT_ONCE, clients.filter((entry) => entry.only !== 'key'), (entry) => report.check(
      `AMQP: ${entry.client}, certificate of ${who}, unknown: links are granted, and register is rejected with 401002`, async () => {
        const opened = await openAs(server, entry, { id: who, tls: stranger.showing(who), tokenIn });
        const { json } = checkRefusal(await opened.ask(requestOf(entry, 'register', who)), 401, 'amqp:unauthorized-access');
        assert.strictEqual(json.errorCode, 401002);
        assert.deepStrictEqual(Object.keys(json).sort(), ['errorCode', 'message', 'timestampUtc', 'trackingId']);
        opened.peer.destroy();
      }));
  }
  await report.check('AMQP: neither SASL nor a certificate: closed with amqp:unauthorized-access', async () => {
    await assert.rejects(openAs(server, node, { id, tls: {}, tokenIn }), /got close .*"amqp:unauthorized-access"/);
  });
}

module.exports = { playAll, errors, requestOf, REGISTER, POLL };
