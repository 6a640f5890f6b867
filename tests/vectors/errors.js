// Row 16: whatever goes wrong, a device gets a JSON object with an errorCode of HTTP status * 1000 + n, over MQTT in the
// response topic, over HTTPS as the body. And row 15: an operation stays readable.
'use strict';

const assert = require('assert');
const device = require('../lib/device');
const http1 = require('../lib/http1');
const mqtt = require('../lib/mqtt');
const sas = require('../lib/sas');
const { pause } = require('../lib/wait');

const REGISTER = '$dps/registrations/PUT/iotdps-register/?$rid=';
const POLL = '$dps/registrations/GET/iotdps-get-operationstatus/?$rid=';

/** Requests on an authenticated MQTT connection that are answered with an error: [what, topic, body, status]. */
function mqttErrors(id) {
  return [
    ['a body that is no JSON', `${REGISTER}1`, '{"registrationId":', 400],
    ['a body that is no object', `${REGISTER}1`, '[1]', 400],
    ['a registration ID that is no string', `${REGISTER}1`, '{"registrationId":1}', 400],
    ['the registration ID of another device', `${REGISTER}1`, '{"registrationId":"somebody-else"}', 400],
    ['a key twice', `${REGISTER}1`, `{"registrationId":"${id}","registrationId":"${id}"}`, 400],
    ['an unknown operation', `${POLL}1&operationId=4.0000000000000000.00000000-0000-4000-8000-000000000000`, ' ', 404],
  ];
}

async function overMqtt(report, server, { id, key }) {
  for (const [what, topic, body, status] of mqttErrors(id)) {
    await report.check(`MQTT: ${what} is answered in res/${status}, and the connection goes on`, async () => {
      const peer = await device.connectMqtt(server, { id, key });
      const got = await device.askMqtt(peer, topic, '1', body);
      assert.strictEqual(got.status, status, got.text);
      device.checkError(got.json, status);
      assert.ok(!('status' in got.json), 'a `status` in an error, which some clients would take for a result');
      assert.strictEqual((await device.registerMqtt(peer, id)).status, 200, 'afterwards');
      peer.destroy();
    });
  }
  await report.check('MQTT: a refused CONNECT is answered with 5, session present 0, and closed', async () => {
    const peer = await device.openMqtt(server);
    await peer.write(mqtt.connect({ clientId: id, username: device.username(server.scope, id), password: 'nonsense' }));
    const connack = await peer.expect('CONNACK');
    assert.deepStrictEqual([connack.sessionPresent, connack.code], [0, 5]);
    await peer.closedBy(2000, 'after CONNACK 5');
  });
}

/** HTTPS requests answered with an error: [what, line, extra headers, body, status]. */
function httpErrors(scope, id) {
  const path = `/${scope}/registrations/${id}`;
  const json = 'Content-Type: application/json';
  return [
    ['a body that is no JSON', `PUT ${path}/register?api-version=2019-03-31`, [json], '{"registrationId":', 400],
    ['a body that is no object', `PUT ${path}/register?api-version=2019-03-31`, [json], '[1]', 400],
    ['the registration ID of another device', `PUT ${path}/register?api-version=2019-03-31`, [json], '{"registrationId":"somebody-else"}', 400],
    ['no api-version', `PUT ${path}/register`, [json], '{}', 400],
    ['an api-version that is none', `PUT ${path}/register?api-version=latest`, [json], '{}', 400],
    ['a media type that is no JSON', `PUT ${path}/register?api-version=2019-03-31`, ['Content-Type: text/xml'], '<a/>', 415],
    ['a compressed body', `PUT ${path}/register?api-version=2019-03-31`, [json, 'Content-Encoding: gzip'], 'x', 415],
    ['an unknown operation', `GET ${path}/operations/4.0000000000000000.00000000-0000-4000-8000-000000000000?api-version=2019-03-31`, [], '', 404],
    ['a method that does not fit', `DELETE ${path}/register?api-version=2019-03-31`, [], '', 405],
    ['a path that does not exist', `PUT ${path}/enlist?api-version=2019-03-31`, [json], '{}', 404],
  ];
}

async function overHttps(report, server, { id, key }) {
  const auth = `Authorization: ${sas.deviceToken({ scope: server.scope, id, key })}`;
  for (const [what, line, headers, body, status] of httpErrors(server.scope, id)) {
    await report.check(`HTTPS: ${what} is answered with ${status} and a JSON error`, async () => {
      const peer = await device.openHttp(server);
      await peer.write(http1.request(`${line} HTTP/1.1`, ['Host: localhost', auth, ...headers, `Content-Length: ${body.length}`], body));
      const got = await peer.response();
      assert.strictEqual(got.status, status, String(got.body));
      assert.match(got.headers['content-type'] || '', /^application\/json/);
      device.checkError(got.json, status);
      assert.strictEqual(got.headers['x-ms-error-code'], String(got.json.errorCode), 'x-ms-error-code');
      peer.destroy();
    });
  }
  await report.check('HTTPS: a refused token is answered with 401002', async () => {
    const got = await device.registerHttp(server, { id, token: 'SharedAccessSignature nonsense' });
    assert.strictEqual(got.status, 401);
    device.checkError(got.json, 401);
    assert.strictEqual(got.json.errorCode, 401002);
    assert.ok(!('status' in got.json));
  });
}

/** Row 17: more at once than one device may ask is answered with 429 and retry-after, and the next request is served. */
async function throttled(report, server, { id, key }) {
  await report.check('MQTT: a burst of 64 registrations on one connection is served or told 429 with retry-after, and then served', async () => {
    const peer = await device.connectMqtt(server, { id, key });
    const rids = Array.from({ length: 64 }, (_, i) => String(i + 100));
    await peer.write(Buffer.concat(rids.map((rid) => mqtt.publish({ topic: `${REGISTER}${rid}`, payload: '{}' }))));
    const seen = [];
    for (let i = 0; i < rids.length; i += 1) {
      const packet = await peer.expect('PUBLISH', 10000);
      await peer.write(mqtt.puback(packet.id));
      const rid = /\$rid=(\d+)/.exec(packet.topic)[1];
      const got = device.parseResponse(packet, rid);
      seen.push(rid);
      assert.ok([200, 429].includes(got.status), got.text);
      if (got.status === 429) {
        device.checkError(got.json, 429);
        assert.ok(got.retryAfter >= 1, `retry-after in ${packet.topic}`);
      }
    }
    assert.deepStrictEqual(seen.sort(), rids.sort(), 'one answer a request');
    assert.strictEqual((await device.registerMqtt(peer, id)).status, 200, 'afterwards');
    peer.destroy();
  });
}

/** A slow poller: the operation is still there when everybody else has long gone. */
async function slowPoller(report, server, { id, key }) {
  await report.check('the operation of a finished registration can still be read 8 s later, on another connection', async () => {
    const put = await device.registerHttp(server, { id, key });
    await pause(8000);
    const peer = await device.openHttp(server);
    await peer.write(http1.request(`GET /${server.scope}/registrations/${id}/operations/${put.json.operationId}?api-version=${device.VERSION} HTTP/1.1`,
      ['Host: localhost', `Authorization: ${sas.deviceToken({ scope: server.scope, id, key })}`]));
    const got = await peer.response();
    assert.strictEqual(got.status, 200, String(got.body));
    assert.deepStrictEqual(got.json.registrationState, put.json.registrationState);
    peer.destroy();
  });
}

async function run(report, server) {
  const id = 'vector-errors';
  const { primaryKey: key } = (await server.control.enroll(id)).attestation.symmetricKey;
  await overMqtt(report, server, { id, key });
  await overHttps(report, server, { id, key });
  await throttled(report, server, { id, key });
  await slowPoller(report, server, { id, key });
}

module.exports = { run };
