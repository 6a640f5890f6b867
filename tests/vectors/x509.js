// The same clients with certificates instead of tokens: what they send is in clients.js, what they are answered here
// (device-protocol.md 2.4, 7.4, 7.5, 8.4).
'use strict';

const assert = require('assert');
const clients = require('./clients');
const device = require('../lib/device');
const http1 = require('../lib/http1');
const mqtt = require('../lib/mqtt');
const pki = require('../lib/pki');
const sas = require('../lib/sas');
const { inParallel } = require('../lib/pool');

const AT_ONCE = 8;
const DOORS = [['MQTT', 'playMqtt', clients.mqtt], ['HTTPS', 'playHttp', clients.http]];

/** Every client with a device of its own enrollment and one of a group: [{door, play, entry, own, member}]. */
function cast(mode) {
  const all = [];
  for (const [door, play, table] of DOORS) {
    for (const entry of table) {
      const number = all.length;
      all.push({ door, play, entry, own: `Cert_${number}.a:b-${mode}`, member: `cert-${number}-${mode}` });
    }
  }
  return all;
}

/** A root that the service trusts and a group below its intermediate, so that a leaf alone can be completed. */
async function enrollAll(server, all, mode) {
  const name = `Vectors ${mode}`;
  const certificates = await pki.Pki.make({
    name, intermediates: 1, below: all.map((one) => one.member), alone: all.map((one) => one.own),
  });
  await pki.uploadCa(server.control, server.service, `vectors-${mode}`, certificates.pem('root'));
  await pki.group(server.control, `vectors-${mode}`, { signing: [certificates.pem('intermediate1')] });
  for (const { own } of all) await pki.enroll(server.control, own, [certificates.pem(own)]);
  return certificates;
}

/** Each client by its individual enrollment and as a member of the group, over both doors. */
async function playAll(report, server, strict, plays) {
  const mode = strict ? 'polling' : 'x';
  const all = cast(mode);
  const certificates = await enrollAll(server, all, mode);
  const cases = all.flatMap((one) => [
    { ...one, what: 'individual', id: one.own },
    { ...one, what: 'group', id: one.member, group: `vectors-${mode}` },
  ]);
  await inParallel(AT_ONCE, cases, ({ door, play, entry, what, id, group }) => report.check(
    `${door}: ${entry.client}, certificate, ${what}${strict ? ', polling' : ''}`,
    () => plays[play](server, entry, { id, group, strict, by: 'x509', tls: certificates.showing(id, { leaf: entry.leaf }) })));
  return certificates;
}

/** The body of every refusal: these members and no others, and nothing that a client could take for a result. */
function checkRefusal(json) {
  device.checkError(json, 401);
  assert.strictEqual(json.errorCode, 401002);
  assert.deepStrictEqual(Object.keys(json).sort(), ['errorCode', 'message', 'timestampUtc', 'trackingId']);
}

/** A certificate that nobody vouches for: heard in the protocol, in the form that each client reads. */
async function refusals(report, server, { openAs, askOnce, fill, pathOf }) {
  const stranger = await pki.Pki.make({ name: 'Nobody', intermediates: 1, below: ['cert-stranger'], alone: ['cert-alone'] });
  for (const id of ['cert-stranger', 'cert-alone']) {
    const tls = stranger.showing(id);
    await inParallel(AT_ONCE, clients.mqtt, (entry) => report.check(
      `MQTT: ${entry.client}, certificate of ${id}, unknown: CONNACK 0, and register is answered in res/401 with 401002`, async () => {
        const { peer, granted } = await openAs(server, entry, { id, tls });
        const topic = fill(entry.registerTopic, { rid: entry.rid });
        const got = await askOnce(peer, entry, { topic, body: fill(entry.register, { id }), id: 8, rid: entry.rid, granted });
        assert.strictEqual(got.topic, `$dps/registrations/res/401/?$rid=${entry.rid}`);
        checkRefusal(got.json);
        peer.destroy();
      }));
    await inParallel(AT_ONCE, clients.http.filter((entry) => !entry.chunked), (entry) => report.check(
      `HTTPS: ${entry.client}, certificate of ${id}, unknown: 401 with 401002`, async () => {
        const peer = await device.openHttp(server, { name: entry.client, options: tls });
        const body = fill(entry.register, { id });
        await peer.write(http1.request(`PUT ${pathOf(entry, server.scope, id, `/register?api-version=${entry.version}`)} HTTP/1.1`,
          ['Host: localhost', ...entry.headers, `Content-Length: ${body.length}`], body));
        const got = await peer.response();
        assert.strictEqual(got.status, 401, String(got.body));
        assert.match(got.headers['content-type'] || '', /^application\/json/);
        checkRefusal(got.json);
        peer.destroy();
      }));
  }
}

/** Neither a token nor a certificate; and a token beside a certificate. */
async function neitherAndBoth(report, server, certificates) {
  const id = 'cert-both';
  const { primaryKey: key } = (await server.control.enroll(id)).attestation.symmetricKey;
  for (const [what, password] of [['no password', undefined], ['an empty password', '']]) {
    await report.check(`MQTT: ${what} and no certificate: CONNACK 5, and closed`, async () => {
      const peer = await device.openMqtt(server);
      await peer.write(mqtt.connect({ clientId: id, username: device.username(server.scope, id), password }));
      const connack = await peer.expect('CONNACK');
      assert.deepStrictEqual([connack.sessionPresent, connack.code], [0, 5]);
      await peer.closedBy(2000, 'after CONNACK 5');
    });
  }
  await report.check('HTTPS: no Authorization and no certificate: 401 with 401002', async () => {
    const got = await device.registerHttp(server, { id, tls: {} });
    assert.strictEqual(got.status, 401, String(got.body));
    checkRefusal(got.json);
  });
  const tls = certificates.showing(certificates.first);
  await report.check('MQTT: a device with a good token is judged by it, whatever certificate it shows besides', async () => {
    const peer = await device.connectMqtt(server, { id, tls, token: tokenFor(server, id, key) });
    const got = await device.registerMqtt(peer, id);
    device.checkAssigned(got.json, { id, hub: server.hub });
    peer.destroy();
  });
  await report.check('HTTPS: a device with a good token is judged by it, whatever certificate it shows besides', async () => {
    const got = await device.registerHttp(server, { id, tls, token: tokenFor(server, id, key) });
    assert.strictEqual(got.status, 202, String(got.body));
    device.checkAssigned(got.json, { id, hub: server.hub });
  });
  await report.check('a device with a good certificate and a bad token is judged by the token: CONNACK 5, 401', async () => {
    const { first } = certificates;
    const bad = tokenFor(server, first, key);
    await assert.rejects(device.connectMqtt(server, { id: first, tls, token: bad }), (error) => error.connack === 5);
    const got = await device.registerHttp(server, { id: first, tls, token: bad });
    assert.strictEqual(got.status, 401, String(got.body));
    checkRefusal(got.json);
  });
}

function tokenFor(server, id, key) {
  return sas.deviceToken({ scope: server.scope, id, key });
}

/** The registration status lookup, as a device asks it: the bare registration, with the x509 object. */
async function lookup(report, server, certificates) {
  await report.check('the registration status lookup answers a device with a certificate 200 with the bare registration', async () => {
    const id = certificates.first;
    const tls = certificates.showing(id);
    const put = await device.registerHttp(server, { id, tls });
    const peer = await device.openHttp(server, { options: tls });
    const body = JSON.stringify({ registrationId: id });
    await peer.write(http1.request(`POST /${server.scope}/registrations/${id}?api-version=${device.VERSION} HTTP/1.1`,
      ['Host: localhost', 'Content-Type: application/json', `Content-Length: ${body.length}`], body));
    const got = await peer.response();
    assert.strictEqual(got.status, 200, String(got.body));
    device.noNulls(got.json);
    assert.deepStrictEqual(got.json.x509, { enrollmentGroupId: 'vectors-x' });
    assert.deepStrictEqual(got.json, put.json.registrationState);
    peer.destroy();
  });
}

async function run(report, server, tools) {
  const certificates = await playAll(report, server, false, tools);
  certificates.first = cast('x')[0].member;
  await refusals(report, server, tools);
  await neitherAndBoth(report, server, certificates);
  await lookup(report, server, certificates);
}

module.exports = { run, playAll };
