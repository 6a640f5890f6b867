// Connections that have said who they are and could register at any moment, and what each of them hears in the end.
'use strict';

const assert = require('assert');
const device = require('../lib/device');
const http1 = require('../lib/http1');
const mqtt = require('../lib/mqtt');
const { pause } = require('../lib/wait');

const WAVE = 50; // handshakes at once: the race is in the register calls, not there
const ANSWER_MS = 30000; // a sanitized build, on a busy machine
const OPERATION_MS = 30000;

/** {send, answer, poll, close} over MQTT; `who` is {id} with a key or a certificate (tls). */
async function openMqtt(server, who) {
  const peer = await device.connectMqtt(server, who);
  const send = (topic, payload) => peer.write(mqtt.publish({ topic, payload, qos: 1, id: 7 }));
  const answer = async () => {
    await peer.expect('PUBACK', ANSWER_MS);
    const got = await peer.expect('PUBLISH', ANSWER_MS);
    if (got.qos === 1) await peer.write(mqtt.puback(got.id));
    return device.parseResponse(got, '1');
  };
  return {
    send: () => send('$dps/registrations/PUT/iotdps-register/?$rid=1', JSON.stringify({ registrationId: who.id })),
    poll: (operation) => send(`$dps/registrations/GET/iotdps-get-operationstatus/?$rid=1&operationId=${operation}`, ' '),
    answer,
    close: () => peer.destroy(),
  };
}

async function openHttps(server, who) {
  const { id } = who;
  const peer = await device.openHttp(server, { name: id, options: who.tls });
  const path = `/${server.scope}/registrations/${id}`;
  const send = (line, body) => peer.write(http1.request(`${line}?api-version=${device.VERSION} HTTP/1.1`, [
    'Host: localhost', 'Content-Type: application/json; charset=utf-8', `Content-Length: ${body.length}`,
    ...device.authorization({ scope: server.scope, ...who })], body));
  return {
    send: () => send(`PUT ${path}/register`, JSON.stringify({ registrationId: id })),
    poll: (operation) => send(`GET ${path}/operations/${operation}`, ''),
    answer: () => peer.response(ANSWER_MS),
    close: () => peer.destroy(),
  };
}

const OPEN = { mqtt: openMqtt, https: openHttps };

/** The last answer of one connection after its register call has left. */
async function outcome(connection, id) {
  const end = Date.now() + OPERATION_MS;
  const operations = new Set();
  let got = await connection.answer();
  while (got.json.status === 'assigning') {
    assert.ok(Date.now() < end, `${id}: operation ${got.json.operationId} has not ended`);
    operations.add(got.json.operationId);
    await pause(20);
    await connection.poll(got.json.operationId);
    got = await connection.answer();
  }
  assert.ok(got.status === 200 || got.status === 202, `${id}: ${got.status} ${JSON.stringify(got.json)}`);
  operations.add(got.json.operationId);
  assert.strictEqual(operations.size, 1, `${id}: the operation changed while it was polled`);
  return got.json;
}

/** All connections of all devices, opened before the first of them says anything: [[connection]]. `via` has one entry each. */
async function openAll(server, devices) {
  const open = [];
  for (let at = 0; at < devices.length; at += WAVE) {
    open.push(...await Promise.all(devices.slice(at, at + WAVE).map((d) => Promise.all(
      d.via.map((via, i) => OPEN[via](server, { id: d.id, key: d.key, tls: d.tls && d.tls[i % d.tls.length] }))))));
  }
  return open;
}

/** All devices register on both their connections, all together: [[answer, answer]]. */
async function round(server, devices) {
  const open = await openAll(server, devices);
  try {
    await Promise.all(open.flat().map((connection) => connection.send()));
    return await Promise.all(open.map((pair, i) => Promise.all(pair.map((c) => outcome(c, devices[i].id)))));
  } finally {
    for (const connection of open.flat()) connection.close();
  }
}

function place({ registrationState: state }) {
  return { hub: state.assignedHub, deviceId: state.deviceId, created: state.createdDateTimeUtc };
}

/** What the hubs hold: Map of deviceId to {hub, authentication}. No device is in two of them. */
async function identities(server, hubs) {
  const found = new Map();
  for (const hub of hubs) {
    for (const { deviceId, authentication } of await server.control.must('GET', '/devices?top=1000', undefined, { Host: hub })) {
      assert.ok(!found.has(deviceId), `${deviceId} is in two hubs`);
      found.set(deviceId, { hub, authentication });
    }
  }
  return found;
}

module.exports = { OPEN, openAll, round, place, identities };
