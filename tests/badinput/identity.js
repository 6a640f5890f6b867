// Every place where a device says who it is (client ID, user name, path, topic, token, body), disagreeing with the others in
// every way, over both transports. Threat B1; B2 for operations of others; B4 for spellings.
'use strict';

const assert = require('assert');
const device = require('../lib/device');
const http1 = require('../lib/http1');
const mqtt = require('../lib/mqtt');
const sas = require('../lib/sas');
const { oneLogLine } = require('./judge');

const POLL = '$dps/registrations/GET/iotdps-get-operationstatus/?$rid=1&operationId=';

/** CONNECT with these words; resolves to the CONNACK code, the connection over when it is not 0. */
async function connack(server, { clientId, userId, scope, token }) {
  const peer = await device.openMqtt(server);
  await peer.write(mqtt.connect({ clientId, username: device.username(scope, userId), password: token }));
  const { code } = await peer.expect('CONNACK');
  if (code !== 0) await peer.closedBy(3000, 'after a refused CONNECT');
  peer.destroy();
  return code;
}

async function overMqtt(report, server, mine, other) {
  const { scope } = server;
  const token = (more) => sas.deviceToken({ scope, id: mine.id, key: mine.key, ...more });
  const good = { clientId: mine.id, userId: mine.id, scope, token: token({}) };
  const rows = {
    'client ID of another device': { clientId: other.id },
    'client ID of nobody': { clientId: 'identity-nobody' },
    'user name of another device': { userId: other.id },
    'user name of nobody': { userId: 'identity-nobody' },
    'client ID and user name of another device': { clientId: other.id, userId: other.id },
    'user name with another scope': { scope: '0neFFFFFFFF' },
    'token for another device': { token: token({ id: other.id }) },
    'token of another device': { token: sas.deviceToken({ scope, id: other.id, key: other.key }) },
    'token for another scope': { token: token({ scope: '0neFFFFFFFF' }) },
    'scope of nobody in user name and token': { scope: '0neFFFFFFFF', token: token({ scope: '0neFFFFFFFF' }) },
    'token for the scope only': { token: sas.token({ sr: sas.encode(scope), key: mine.key, se: sas.inSeconds(3600) }) },
    'token for the registrations of the scope': { token: sas.token({ sr: sas.encode(`${scope}/registrations`), key: mine.key, se: sas.inSeconds(3600) }) },
    'client ID with a slash and a module': { clientId: `${mine.id}/module` },
    'user name with a trailing dot': { userId: `${mine.id}.` },
    'user name percent-encoded': { userId: mine.id.replace('-', '%2d') },
    'user name with a space': { userId: ` ${mine.id}` },
    'user name of 129 characters': { userId: 'x'.repeat(129) },
    'user name with another letter that looks the same': { userId: mine.id.replace('i', '\u0456') },
  };
  for (const [what, wrong] of Object.entries(rows)) {
    await report.check(`identity, MQTT: ${what}: CONNACK 5, closed, one log line`, async () => {
      assert.strictEqual(await oneLogLine(server, () => connack(server, { ...good, ...wrong })), 5);
    });
  }
  await report.check('identity, MQTT: another spelling of the ID in each place is the same device', async () => {
    const upper = mine.id.toUpperCase();
    for (const one of [{ clientId: upper }, { userId: upper }, { clientId: upper, userId: upper }, { scope: scope.toLowerCase() }]) {
      assert.strictEqual(await connack(server, { ...good, ...one }), 0, JSON.stringify(one));
    }
  });
  await report.check('identity, MQTT: the body of another device: res/400, the other device is not registered', async () => {
    const peer = await device.connectMqtt(server, mine);
    const got = await oneLogLine(server, () => device.askMqtt(peer, '$dps/registrations/PUT/iotdps-register/?$rid=1', '1', JSON.stringify({ registrationId: other.id })));
    assert.strictEqual(got.status, 400, got.text);
    peer.destroy();
    assert.strictEqual((await server.control.registration(other.id)).status, 404);
  });
}

async function overHttps(report, server, mine, other) {
  const { scope } = server;
  const put = (more) => device.registerHttp(server, { id: mine.id, key: mine.key, ...more });
  const rows = {
    'path of another device': [{ pathId: other.id, body: '{}' }, 401],
    'path of nobody': [{ pathId: 'identity-nobody', body: '{}' }, 401],
    'path with another scope': [{ scope: '0neFFFFFFFF', token: sas.deviceToken({ scope, ...mine }) }, 401],
    'token for another device': [{ token: sas.deviceToken({ scope, id: other.id, key: mine.key }) }, 401],
    'token of another device': [{ token: sas.deviceToken({ scope, ...other }) }, 401],
    'token for another scope': [{ token: sas.deviceToken({ scope: '0neFFFFFFFF', ...mine }) }, 401],
    'token for the scope only': [{ token: sas.token({ sr: sas.encode(scope), key: mine.key, se: sas.inSeconds(3600) }) }, 401],
    'body of another device': [{ body: JSON.stringify({ registrationId: other.id }) }, 400],
    'path and body of another device': [{ pathId: other.id, body: JSON.stringify({ registrationId: other.id }) }, 401],
  };
  for (const [what, [wrong, status]] of Object.entries(rows)) {
    await report.check(`identity, HTTPS: ${what}: ${status}, one log line`, async () => {
      const got = await oneLogLine(server, () => put(wrong));
      assert.strictEqual(got.status, status, String(got.body));
      device.checkError(got.json, status);
      assert.strictEqual((await server.control.registration(other.id)).status, 404, 'the other device was registered');
    });
  }
  await report.check('identity, HTTPS: another spelling of the ID in path and body is the same device', async () => {
    const upper = mine.id.toUpperCase();
    const states = [];
    for (const more of [{}, { pathId: upper }, { body: JSON.stringify({ registrationId: upper }) }, { pathId: mine.id.replace('-', '%2d') }]) {
      const got = await put(more);
      assert.strictEqual(got.status, 202, `${JSON.stringify(more)}: ${got.body}`);
      states.push(got.json.registrationState);
    }
    assert.strictEqual(new Set(states.map((state) => state.createdDateTimeUtc)).size, 1, 'one registration');
  });
}

/** Device A asks for the operation of device B: the answer is that of an operation that does not exist. */
async function operations(report, server, mine, other) {
  const { scope } = server;
  const unknown = '4.0000000000000000.00000000-0000-4000-8000-000000000000';
  const theirs = (await device.registerHttp(server, other)).json.operationId;
  const same = ({ errorCode, message }) => ({ errorCode, message });

  await report.check('identity, MQTT: the operation of another device is answered like one that does not exist', async () => {
    const peer = await device.connectMqtt(server, mine);
    const absent = await device.askMqtt(peer, `${POLL}${unknown}`, '1', ' ');
    const others = await oneLogLine(server, () => device.askMqtt(peer, `${POLL}${theirs}`, '1', ' '));
    peer.destroy();
    assert.strictEqual(others.status, 404, others.text);
    assert.deepStrictEqual(same(others.json), same(absent.json));
  });
  await report.check('identity, HTTPS: the operation of another device is answered like one that does not exist', async () => {
    const get = async (operationId) => {
      const peer = await device.openHttp(server);
      await peer.write(http1.request(`GET /${scope}/registrations/${mine.id}/operations/${operationId}?api-version=2021-06-01 HTTP/1.1`,
        ['Host: localhost', `Authorization: ${sas.deviceToken({ scope, ...mine })}`]));
      const got = await peer.response();
      peer.destroy();
      return got;
    };
    const [absent, others] = [await get(unknown), await oneLogLine(server, () => get(theirs))];
    assert.strictEqual(others.status, 404, String(others.body));
    assert.deepStrictEqual(same(others.json), same(absent.json));
  });
  await report.check('identity: a wrong key and an unknown device are answered alike, over both transports', async () => {
    const wrong = Buffer.alloc(64, 3).toString('base64');
    const bodies = [];
    for (const id of [mine.id, 'identity-nobody-at-all']) {
      const got = await device.registerHttp(server, { id, key: wrong });
      assert.strictEqual(got.status, 401);
      bodies.push({ ...same(got.json), names: got.names.sort() });
      assert.strictEqual(await connack(server, { clientId: id, userId: id, scope, token: sas.deviceToken({ scope, id, key: wrong }) }), 5);
    }
    assert.deepStrictEqual(bodies[0], bodies[1]);
  });
}

async function run(report, server) {
  const made = async (id) => ({ id, key: (await server.control.enroll(id)).attestation.symmetricKey.primaryKey });
  const mine = await made('identity-mine');
  const other = await made('identity-other');
  await overMqtt(report, server, mine, other);
  await overHttps(report, server, mine, other);
  await operations(report, server, mine, other);
}

module.exports = { run };
