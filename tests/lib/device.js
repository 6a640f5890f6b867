// The steps of one registration as a careful device takes them, on the raw peers; and what an answer must look like.
'use strict';

const assert = require('assert');
const http1 = require('./http1');
const mqtt = require('./mqtt');
const sas = require('./sas');
const websocket = require('./websocket');

const RESPONSES = '$dps/registrations/res/#';
const VERSION = '2019-03-31';

function username(scope, id, version = VERSION, clientVersion = undefined) {
  const tail = clientVersion === undefined ? '' : `&ClientVersion=${clientVersion}`;
  return `${scope}/registrations/${id}/api-version=${version}${tail}`;
}

/** The same server for whom all MQTT goes over WebSocket; `how`: {path, subprotocol, headers, cut} of lib/websocket.js. */
function overWebSocket(server, how = {}) {
  return Object.assign(Object.create(server), { websocket: how });
}

/** An MQTT connection to the device door of a server (anything with mqttPort and ca), before CONNECT. */
function openMqtt(server, options = {}) {
  if (server.websocket) return websocket.openMqtt(server, { ...server.websocket, ...options });
  return mqtt.openMqtt({ port: server.mqttPort, ca: server.ca, ...options });
}

function openHttp(server, options = {}) {
  return http1.openHttp({ port: server.httpsPort, ca: server.ca, ...options });
}

/** The token of a device, unless it is another one (`token`) or the device shows a certificate (`tls`: {cert, key}) instead. */
function tokenOf({ scope, id, key, token, tls }) {
  return token === undefined && !tls ? sas.deviceToken({ scope, id, key }) : token;
}

/** The header line that holds it, or none. */
function authorization(who) {
  const token = tokenOf(who);
  return token === undefined ? [] : [`Authorization: ${token}`];
}

/** CONNECT and SUBSCRIBE with a good token or a certificate; returns the peer. */
async function connectMqtt(server, { id, key, scope = server.scope, qos = 1, token, tls, name = id, version }) {
  const peer = await openMqtt(server, { name, options: tls });
  await peer.write(mqtt.connect({
    clientId: id, username: username(scope, id, version), password: tokenOf({ scope, id, key, token, tls }),
  }));
  const connack = await peer.expect('CONNACK');
  if (connack.code !== 0) {
    peer.destroy();
    throw Object.assign(new Error(`CONNACK ${connack.code}`), { connack: connack.code });
  }
  await peer.write(mqtt.subscribe(1, [{ topic: RESPONSES, qos }]));
  const suback = await peer.expect('SUBACK');
  assert.deepStrictEqual(suback.granted, [qos], 'granted QoS');
  return peer;
}

/** {status, retryAfter, json} of one response PUBLISH, whose topic must have exactly the documented form. */
function parseResponse(packet, rid) {
  const form = /^\$dps\/registrations\/res\/(\d{3})\/\?\$rid=([^&]*)(?:&retry-after=(\d+))?$/.exec(packet.topic);
  assert.ok(form, `response topic ${packet.topic}`);
  assert.strictEqual(form[2], rid, `$rid in ${packet.topic}`);
  return {
    status: Number(form[1]),
    retryAfter: form[3] === undefined ? undefined : Number(form[3]),
    json: JSON.parse(packet.payload.toString('utf8')),
    text: packet.payload.toString('utf8'),
  };
}

/** Publishes one request at QoS 1 and returns its response. */
async function askMqtt(peer, topic, rid, payload = '', ms = 5000) {
  const id = 1 + Math.floor(Math.random() * 65534);
  await peer.write(mqtt.publish({ topic, payload, qos: 1, id }));
  const ack = await peer.expect('PUBACK', ms);
  assert.strictEqual(ack.id, id, 'packet id of the PUBACK');
  const response = await peer.expect('PUBLISH', ms);
  if (response.qos === 1) await peer.write(mqtt.puback(response.id));
  return parseResponse(response, rid);
}

/** Register over MQTT, polling when told to; returns the last response. */
async function registerMqtt(peer, id, { rid = '1', payload = JSON.stringify({ registrationId: id }) } = {}) {
  let got = await askMqtt(peer, `$dps/registrations/PUT/iotdps-register/?$rid=${rid}`, rid, payload);
  for (let polls = 0; got.json.status === 'assigning' && polls < 20; polls += 1) {
    await require('./wait').pause((got.retryAfter || 0) * 1000);
    got = await askMqtt(peer, `$dps/registrations/GET/iotdps-get-operationstatus/?$rid=${rid}&operationId=${got.json.operationId}`, rid, ' ');
  }
  return got;
}

/** A whole registration over MQTT on a connection of its own: the last response. */
async function provisionMqtt(server, { id, key, ...more }) {
  const peer = await connectMqtt(server, { id, key, ...more });
  try {
    return await registerMqtt(peer, id);
  } finally {
    await peer.write(mqtt.disconnect());
    peer.destroy();
  }
}

/** One register call over HTTPS: the response. */
async function registerHttp(server, { id, key, scope = server.scope, token, tls, body = JSON.stringify({ registrationId: id }), pathId = id, version = VERSION }) {
  const peer = await openHttp(server, { name: id, options: tls });
  try {
    const bytes = Buffer.from(body, 'utf8');
    await peer.write(http1.request(`PUT /${scope}/registrations/${pathId}/register?api-version=${version} HTTP/1.1`, [
      'Host: localhost', 'Content-Type: application/json; charset=utf-8', 'Accept: application/json',
      ...authorization({ scope, id, key, token, tls }), `Content-Length: ${bytes.length}`,
    ], bytes));
    return await peer.response();
  } finally {
    peer.destroy();
  }
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,7}Z$/;
const OPERATION = /^[A-Za-z0-9._-]{1,127}$/;

/** Fails when a null is anywhere in a device's answer: Java and embedded C cannot read some of them. */
function noNulls(value, where = 'answer') {
  assert.notStrictEqual(value, null, `${where} is null`);
  if (typeof value === 'object') for (const [key, inner] of Object.entries(value)) noNulls(inner, `${where}.${key}`);
}

/** What every `assigned` answer must hold (device-protocol.md 7.5, 8.2, 8.3); `by` is how the device proved itself. */
function checkAssigned(json, { id, hub, deviceId = id, group, by = 'symmetricKey' }) {
  noNulls(json);
  assert.match(json.operationId, OPERATION, 'operationId');
  assert.strictEqual(json.status, 'assigned', `status of ${JSON.stringify(json)}`);
  const state = json.registrationState;
  assert.strictEqual(state.registrationId.toLowerCase(), id.toLowerCase(), 'registrationId');
  assert.strictEqual(state.status, 'assigned', 'registrationState.status');
  assert.strictEqual(state.substatus, 'initialAssignment', 'substatus');
  if (hub !== undefined) assert.strictEqual(state.assignedHub, hub, 'assignedHub');
  assert.strictEqual(state.deviceId, deviceId, 'deviceId');
  assert.match(state.createdDateTimeUtc, TIME, 'createdDateTimeUtc');
  assert.match(state.lastUpdatedDateTimeUtc, TIME, 'lastUpdatedDateTimeUtc');
  assert.match(Buffer.from(state.etag, 'base64').toString('utf8'), /^"[^"]+"$/, 'etag, decoded');
  assert.strictEqual('payload' in state, false, 'a payload that no webhook gave');
  const expected = group === undefined ? {} : { enrollmentGroupId: group };
  // Azure's service has always answered "x509":{} at least; older ones left symmetricKey out (device-protocol.md 2.4)
  assert.deepStrictEqual(by === 'symmetricKey' ? state.symmetricKey || {} : state[by], expected, by);
  for (const other of ['symmetricKey', 'x509', 'tpm']) {
    if (other !== by) assert.strictEqual(other in state, false, `${other} of a device that proved itself by ${by}`);
  }
  return state;
}

/** What every error body must hold (device-protocol.md 8.4). */
function checkError(json, status) {
  assert.strictEqual(typeof json, 'object', 'an error without a JSON object');
  noNulls(json, 'error');
  assert.ok(Number.isInteger(json.errorCode), `errorCode of ${JSON.stringify(json)}`);
  assert.strictEqual(Math.floor(json.errorCode / 1000), status, `errorCode ${json.errorCode} for status ${status}`);
  assert.match(json.trackingId, /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i, 'trackingId');
  assert.ok(typeof json.message === 'string' && json.message.length > 0, 'message');
  assert.match(json.timestampUtc, TIME, 'timestampUtc');
}

module.exports = {
  RESPONSES, VERSION, OPERATION, TIME, username, overWebSocket, openMqtt, openHttp, authorization, connectMqtt, parseResponse, askMqtt, registerMqtt,
  provisionMqtt, registerHttp, noNulls, checkAssigned, checkError,
};
