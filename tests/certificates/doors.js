// One device at each door with nothing but its certificates, and what usherd says about it in its log.
'use strict';

const assert = require('assert');
const device = require('../lib/device');
const http1 = require('../lib/http1');
const mqtt = require('../lib/mqtt');
const { until } = require('../lib/wait');

/** {status, json} of a registration over MQTT. CONNECT is answered 0 whatever the certificate is worth. */
async function overMqtt(server, id, tls, { scope = server.scope, payload } = {}) {
  const peer = await device.openMqtt(server, { name: id, options: tls });
  try {
    await peer.write(mqtt.connect({ clientId: id, username: device.username(scope, id) }));
    assert.strictEqual((await peer.expect('CONNACK')).code, 0, 'CONNACK');
    await peer.write(mqtt.subscribe(1, [{ topic: device.RESPONSES, qos: 1 }]));
    await peer.expect('SUBACK');
    return await device.registerMqtt(peer, id, { payload });
  } finally {
    peer.destroy();
  }
}

/** {status, json} of a registration over HTTPS, without an Authorization header. */
async function overHttps(server, id, tls, { scope = server.scope } = {}) {
  const peer = await device.openHttp(server, { name: id, options: tls });
  try {
    const body = Buffer.from(JSON.stringify({ registrationId: id }));
    await peer.write(http1.request(`PUT /${scope}/registrations/${encodeURIComponent(id)}/register?api-version=${device.VERSION} HTTP/1.1`,
      ['Host: localhost', 'Content-Type: application/json', `Content-Length: ${body.length}`], body));
    return await peer.response();
  } finally {
    peer.destroy();
  }
}

const DOORS = { MQTT: overMqtt, HTTPS: overHttps };

/** Waits for the line in which usherd says what it did with that device. */
function verdict(server, mark, id, event) {
  return until(5000, `a line ${event} about ${id}`, () => server.log.since(mark)
    .map((line) => line.entry).find((entry) => entry && entry.event === event && entry.registrationId === id.toLowerCase()));
}

/** The device must be refused at this door, with this error and phrase in the log; the device is told nothing. */
async function refused(server, door, id, tls, { error, phrase }, scope) {
  const mark = server.log.mark();
  const got = await DOORS[door](server, id, tls, { scope });
  const entry = await verdict(server, mark, id, 'device.refused');
  assert.strictEqual(got.status, 401, JSON.stringify(got.json));
  device.checkError(got.json, 401);
  assert.strictEqual(got.json.errorCode, 401002);
  assert.strictEqual(entry.error, error, `${entry.error}: ${entry.reason}`);
  assert.ok((entry.reason || '').includes(phrase), `the log says '${entry.reason}', without '${phrase}'`);
  assert.ok(!got.json.message.includes(phrase) || error === 'enrollment_disabled', 'the device is told why');
}

/** The device must be assigned at this door; resolves to its registration state. */
async function assigned(server, door, id, tls) {
  const got = await DOORS[door](server, id, tls);
  assert.ok(got.status === 200 || got.status === 202, `${got.status}: ${JSON.stringify(got.json)}`);
  assert.strictEqual(got.json.status, 'assigned', JSON.stringify(got.json));
  return got.json.registrationState;
}

module.exports = { DOORS, overMqtt, overHttps, refused, assigned, verdict };
