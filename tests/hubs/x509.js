// Devices with certificates at a hub elsewhere: the hub is told their thumbprints, over REST, and keeps them.
'use strict';

const assert = require('assert');
const fs = require('fs');
const https = require('https');
const path = require('path');
const device = require('../lib/device');
const mqtt = require('../lib/mqtt');
const pki = require('../lib/pki');
const { mustUsher } = require('../lib/control');
const { until } = require('../lib/wait');
const { poll, follow, provision, beginWhileAway, whileAway } = require('./pair');

const TWIN = { tags: { site: 'south' } };
const MEMBERS = ['member-1', 'member-2', 'crashed-1', 'crashed-2', 'shut-1', 'blocked-1'];
const OWNERS = ['owner-1', 'adopted-1', 'changed-1', 'removed-1', 'lied-1'];

function to(pair, more = {}) {
  return { allocationPolicy: 'static', iotHubs: [pair.host], ...more };
}

async function prepare(pair) {
  const { control, service } = pair.service;
  const first = await pki.Pki.make({ below: MEMBERS, alone: OWNERS });
  const renewed = await first.rolled(MEMBERS);
  const second = await pki.Pki.make({ alone: OWNERS });
  const third = await pki.Pki.make({ alone: OWNERS });
  await pki.uploadCa(control, service, 'hubs-root', first.pem('root'));
  await pki.group(control, 'hubs-fleet', { ca: ['hubs-root'], ...to(pair, { initialTwin: TWIN }) });
  return { first, renewed, second, third };
}

/** What the hub holds of a device must be these thumbprints and nothing else. */
async function assertKnown(pair, id, primary, secondary = primary) {
  const { authentication } = await pair.identity(id);
  assert.strictEqual(authentication.type, 'selfSigned');
  assert.deepStrictEqual(authentication.x509Thumbprint, { primaryThumbprint: primary, secondaryThumbprint: secondary }, `thumbprints of ${id}`);
  const keys = authentication.symmetricKey || {};
  assert.ok(!keys.primaryKey && !keys.secondaryKey, `${id} can still use keys: ${JSON.stringify(authentication)}`);
}

async function assertAssigned(pair, id, tls) {
  const json = await provision(pair.service, { id, tls });
  device.checkAssigned(json, { id, hub: pair.host, by: 'x509', group: MEMBERS.includes(id) ? 'hubs-fleet' : undefined });
}

/** The CONNACK code that the hub itself gives to a device with this certificate. */
async function connectToHub(pair, id, tls) {
  const peer = await device.openMqtt(pair.hub, { options: tls });
  try {
    await peer.write(mqtt.connect({ clientId: id, username: `${pair.hub.hub}/${id}/?api-version=2021-04-12` }));
    return (await peer.expect('CONNACK')).code;
  } finally {
    peer.destroy();
  }
}

async function written(report, pair, { first, renewed, second }) {
  await report.check('a device of a group with a certificate is assigned to the hub elsewhere, which knows it by that certificate and lets it in with it', async () => {
    await assertAssigned(pair, 'member-1', first.showing('member-1'));
    await assertKnown(pair, 'member-1', first.thumbprint('member-1'));
    assert.deepStrictEqual((await pair.twin('member-1')).tags, TWIN.tags);
    assert.strictEqual(await connectToHub(pair, 'member-1', first.showing('member-1')), 0);
    assert.strictEqual(await connectToHub(pair, 'member-1', renewed.showing('member-1')), 5, 'another certificate of it');
  });
  await report.check('registered again with a renewed certificate, the hub knows the new one and not the old, and twin and status are left alone', async () => {
    await pair.must('PATCH', '/twins/member-1', { tags: { owner: 'ops' } });
    await pair.must('PUT', '/devices/member-1', { ...await pair.identity('member-1'), status: 'disabled', statusReason: 'held' }, { 'If-Match': '"*"' });
    const before = await pair.twin('member-1');
    await assertAssigned(pair, 'member-1', renewed.showing('member-1'));
    await assertKnown(pair, 'member-1', renewed.thumbprint('member-1'));
    const identity = await pair.identity('member-1');
    assert.deepStrictEqual([identity.status, identity.statusReason], ['disabled', 'held']);
    assert.deepStrictEqual((await pair.twin('member-1')).tags, before.tags);
    await pair.must('PUT', '/devices/member-1', { ...identity, status: 'enabled' }, { 'If-Match': '"*"' });
    assert.strictEqual(await connectToHub(pair, 'member-1', renewed.showing('member-1')), 0);
    assert.strictEqual(await connectToHub(pair, 'member-1', first.showing('member-1')), 5, 'the old certificate');
  });
  await report.check('of an enrollment with two certificates the hub knows both, the one that was shown first; also after a change to the other', async () => {
    await pki.enroll(pair.service.control, 'owner-1', [first.pem('owner-1'), second.pem('owner-1')], to(pair));
    const [one, two] = [first.thumbprint('owner-1'), second.thumbprint('owner-1')];
    await assertAssigned(pair, 'owner-1', first.showing('owner-1'));
    await assertKnown(pair, 'owner-1', one, two);
    for (const tls of [first, second]) assert.strictEqual(await connectToHub(pair, 'owner-1', tls.showing('owner-1')), 0);
    await assertAssigned(pair, 'owner-1', second.showing('owner-1'));
    await assertKnown(pair, 'owner-1', two, one);
  });
  await report.check('a device that the hub had with keys is adopted: known by its certificate, its keys are gone, its tags and status its own', async () => {
    await pair.must('PUT', '/devices/adopted-1', { deviceId: 'adopted-1', status: 'disabled', statusReason: 'in the workshop' });
    await pair.must('PATCH', '/twins/adopted-1', { tags: { rack: '9' } });
    assert.strictEqual((await pair.identity('adopted-1')).authentication.type, 'sas');
    await pki.enroll(pair.service.control, 'adopted-1', [first.pem('adopted-1')], to(pair));
    await assertAssigned(pair, 'adopted-1', first.showing('adopted-1'));
    await assertKnown(pair, 'adopted-1', first.thumbprint('adopted-1'));
    assert.deepStrictEqual((await pair.twin('adopted-1')).tags, { rack: '9' });
    assert.strictEqual((await pair.identity('adopted-1')).status, 'disabled');
  });
  await report.check('an enrollment that changes from keys to a certificate and back takes its device in the hub along', async () => {
    const key = await pair.enroll('changed-1');
    await provision(pair.service, { id: 'changed-1', key });
    await pki.enroll(pair.service.control, 'changed-1', [first.pem('changed-1')], to(pair), { 'If-Match': '*' });
    await assertAssigned(pair, 'changed-1', first.showing('changed-1'));
    await assertKnown(pair, 'changed-1', first.thumbprint('changed-1'));
    const fresh = Buffer.alloc(32, 9).toString('base64');
    await pair.service.control.must('PUT', '/enrollments/changed-1?api-version=2021-10-01', {
      registrationId: 'changed-1', attestation: { type: 'symmetricKey', symmetricKey: { primaryKey: fresh, secondaryKey: fresh } }, ...to(pair),
    }, { 'If-Match': '*' });
    assert.strictEqual((await provision(pair.service, { id: 'changed-1', key: fresh })).status, 'assigned');
    const { authentication } = await pair.identity('changed-1');
    assert.strictEqual(authentication.type, 'sas');
    assert.strictEqual(authentication.symmetricKey.primaryKey, fresh);
    assert.strictEqual(await connectToHub(pair, 'changed-1', first.showing('changed-1')), 5, 'its certificate of before');
  });
}

/** The service is killed while its hub is away, and goes on at its next start without the device. `meanwhile` runs in between. */
async function interrupted(pair, one, meanwhile = () => {}) {
  await whileAway(pair, async () => {
    one.operationId = await beginWhileAway(pair.service, one);
    await meanwhile();
    await pair.crashService();
  });
}

/** The record of a device once no operation is under way any more. */
function settled(pair, id) {
  return until(60000, `the operation of ${id} to end`, async () => {
    const record = await pair.record(id);
    return record.status !== 'assigning' && record;
  });
}

async function resumed(report, pair, { first, renewed, second, third }) {
  await report.check('a service killed between intent and record goes on at its next start without the device: the hub has its thumbprint', async () => {
    const one = { id: 'crashed-1', tls: first.showing('crashed-1') };
    await interrupted(pair, one);
    assert.strictEqual((await settled(pair, 'crashed-1')).status, 'assigned');
    await assertKnown(pair, 'crashed-1', first.thumbprint('crashed-1'));
    const got = await follow(pair.service, one);
    assert.strictEqual(got.operationId, one.operationId);
    device.checkAssigned(got, { id: 'crashed-1', hub: pair.host, by: 'x509', group: 'hubs-fleet' });
    assert.deepStrictEqual((await pair.twin('crashed-1')).tags, TWIN.tags);
  }, 90000);
  await report.check('the same while a renewed certificate was on its way: the hub has the new thumbprint', async () => {
    await assertAssigned(pair, 'crashed-2', first.showing('crashed-2'));
    await interrupted(pair, { id: 'crashed-2', tls: renewed.showing('crashed-2') });
    assert.strictEqual((await settled(pair, 'crashed-2')).status, 'assigned');
    await assertKnown(pair, 'crashed-2', renewed.thumbprint('crashed-2'));
  }, 90000);
  await report.check('a group that was disabled in between: the device is refused after the start, and is assigned once the group is enabled', async () => {
    const { control } = pair.service;
    const one = { id: 'shut-1', tls: first.showing('shut-1') };
    const set = (provisioningStatus) => pki.group(control, 'hubs-fleet', { ca: ['hubs-root'], ...to(pair, { initialTwin: TWIN, provisioningStatus }) }, { 'If-Match': '*' });
    await interrupted(pair, one, () => set('disabled'));
    for (const got of [await poll(pair.service, one), await device.registerHttp(pair.service, one)]) {
      assert.strictEqual(got.status, 401, String(got.body));
      assert.strictEqual(got.json.errorCode, 401002);
    }
    assert.strictEqual((await settled(pair, 'shut-1')).status, 'disabled');
    await set('enabled');
    await assertAssigned(pair, 'shut-1', one.tls);
  }, 90000);
  await report.check('a device of a group that was blocked by a disabled enrollment of its own in between: the operation is not carried on, and the device is refused until it is freed', async () => {
    const { control } = pair.service;
    const one = { id: 'blocked-1', tls: first.showing('blocked-1') };
    await interrupted(pair, one, () => pki.enroll(control, 'blocked-1', [renewed.pem('blocked-1')], { provisioningStatus: 'disabled' }));
    const got = await poll(pair.service, one);
    assert.strictEqual(got.status, 401, String(got.body));
    assert.strictEqual((await settled(pair, 'blocked-1')).status, 'disabled');
    await control.must('DELETE', '/enrollments/blocked-1?api-version=2021-10-01', undefined, { 'If-Match': '*' });
    await assertAssigned(pair, 'blocked-1', one.tls);
  }, 90000);
  await report.check('a certificate that was taken out of its enrollment in between does not come to the hub after the start', async () => {
    const { control } = pair.service;
    await pki.enroll(control, 'removed-1', [first.pem('removed-1'), second.pem('removed-1')], to(pair));
    const replace = (...pems) => pki.enroll(control, 'removed-1', pems, to(pair), { 'If-Match': '*' });
    await interrupted(pair, { id: 'removed-1', tls: first.showing('removed-1') }, () => replace(first.pem('removed-1'), third.pem('removed-1')));
    assert.strictEqual((await settled(pair, 'removed-1')).status, 'assigned');
    await assertKnown(pair, 'removed-1', first.thumbprint('removed-1'), third.thumbprint('removed-1'));
    await interrupted(pair, { id: 'removed-1', tls: first.showing('removed-1') }, () => replace(second.pem('removed-1')));
    assert.strictEqual((await settled(pair, 'removed-1')).status, 'failed');
    await assertAssigned(pair, 'removed-1', second.showing('removed-1'));
    await assertKnown(pair, 'removed-1', second.thumbprint('removed-1'));
  }, 120000);
}

/** A hub that keeps something else than it was told: a server with the hub's own certificate. */
function startLiar(pair) {
  const file = (name) => fs.readFileSync(path.join(pair.hub.dir, name));
  const asked = [];
  const server = https.createServer({ cert: file('server.pem'), key: file('server.key') }, (request, response) => {
    const parts = [];
    request.on('data', (data) => parts.push(data));
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(parts).toString() || '{}');
      asked.push(JSON.parse(JSON.stringify(body)));
      if (body.authentication) body.authentication.x509Thumbprint.secondaryThumbprint = 'AB'.repeat(32);
      response.writeHead(200, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify({ ...body, etag: 'x' }));
    });
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve({ server, asked, host: `localhost:${server.address().port}` }));
  });
}

async function echo(report, pair, { first }) {
  await report.check('a hub that answers with another thumbprint than it was told: the device is not told that it is assigned', async () => {
    const liar = await startLiar(pair);
    try {
      await mustUsher(pair.service, ['hub', 'link', liar.host, '--connection-string',
        `HostName=${liar.host};SharedAccessKeyName=p;SharedAccessKey=${Buffer.alloc(32, 3).toString('base64')}`]);
      await pki.enroll(pair.service.control, 'lied-1', [first.pem('lied-1')], { allocationPolicy: 'static', iotHubs: [liar.host] });
      const got = await provision(pair.service, { id: 'lied-1', tls: first.showing('lied-1') });
      const print = first.thumbprint('lied-1');
      assert.deepStrictEqual(liar.asked[0].authentication,
        { type: 'selfSigned', x509Thumbprint: { primaryThumbprint: print, secondaryThumbprint: print } }, 'what the hub was told');
      assert.strictEqual(got.status, 'failed', JSON.stringify(got));
      assert.match(got.registrationState.errorMessage, /did not keep the credentials/);
      await mustUsher(pair.service, ['hub', 'unlink', liar.host]);
    } finally {
      liar.server.close();
      liar.server.closeAllConnections();
    }
  });
}

async function run(report, pair) {
  const all = await prepare(pair);
  await written(report, pair, all);
  await resumed(report, pair, all);
  await echo(report, pair, all);
}

module.exports = { run };
