// The phases in which a peer can be slow, at every door, with the deadline of each (threats A2): TLS handshake 10 s, first
// MQTT packet 5 s, SASL 5 s and 30 s once a TPM is challenged, AMQP open and link 10 s, an AMQP message 30 s, HTTP headers
// 10 s, HTTP body 20 s, what comes after a challenge over HTTPS or MQTT 60 s. A row opens a connection up to where its phase
// begins, says `fast` at once, then `slow` byte by byte or nothing more. `bare`: without a TLS handshake.
'use strict';

const amqp = require('./amqp');
const device = require('./device');
const http1 = require('./http1');
const mqtt = require('./mqtt');
const sas = require('./sas');
const websocket = require('./websocket');
const { openDevice, plain } = require('./amqp-device');
const { API } = require('./control');
const { openTcp } = require('./peer');
const { SoftTpm } = require('./softtpm');
const { pause } = require('./wait');

// The record header and the first bytes of a ClientHello that says it is 512 bytes long.
const HELLO = Buffer.concat([Buffer.from('1603010200010001fc0303', 'hex'), Buffer.alloc(500)]);
const REGISTER = '$dps/registrations/PUT/iotdps-register/?$rid=1';

/** Sends `bytes` one at a time, slowly, until they are out or the connection is over. */
async function trickle(peer, bytes, ms) {
  for (const byte of bytes) {
    if (!peer.open) return;
    await peer.write(Buffer.from([byte]));
    await pause(ms);
  }
}

/** A peer of a row, slow from `start` on; `ms` between its bytes. */
async function enter(row, ms) {
  const peer = await row.open();
  const start = Date.now();
  if (row.fast) await peer.write(row.fast);
  if (row.slow) trickle(peer, row.slow, ms);
  return { peer, start };
}

function tlsRows(server) {
  return [['HTTPS', server.httpsPort], ['MQTT', server.mqttPort], ['AMQP', server.amqpPort]].flatMap(([door, port]) => {
    const row = { open: () => openTcp({ port }), limit: 10000 };
    return [
      { ...row, name: `silent before TLS, ${door} port`, bare: true },
      { ...row, name: `a ClientHello byte by byte, ${door} port`, bare: true, slow: HELLO },
    ];
  });
}

function mqttRows(server, { id, token, connect }) {
  const overMqtt = { open: () => device.openMqtt(server), limit: 5000 };
  const overWebSocket = { open: () => websocket.connect(server), limit: 5000 };
  const connected = (keepalive) => async () => {
    const peer = await device.openMqtt(server);
    await peer.write(mqtt.connect({ clientId: id, username: device.username(server.scope, id), password: token, keepalive }));
    await peer.expect('CONNACK');
    return peer;
  };
  const publish = mqtt.publish({ topic: REGISTER, payload: ' '.repeat(200) });
  return [
    { ...overMqtt, name: 'silent instead of CONNECT' },
    { ...overMqtt, name: 'CONNECT byte by byte', slow: connect },
    { ...overMqtt, name: 'half a CONNECT, then silent', fast: connect.subarray(0, 40) },
    { name: 'half a PUBLISH, with a keep-alive time of 4 s', open: connected(4), limit: 6000, fast: publish.subarray(0, 100) },
    { name: 'a PUBLISH byte by byte, with a keep-alive time of 4 s', open: connected(4), limit: 6000, slow: publish },
    { ...overWebSocket, name: 'silent after the change to WebSocket' },
    { ...overWebSocket, name: 'CONNECT byte by byte in WebSocket', slow: websocket.binary(connect) },
    { ...overWebSocket, name: 'pings in WebSocket instead of CONNECT', slow: Buffer.concat(Array(40).fill(websocket.ping(''))) },
    { ...overWebSocket, name: 'half a head of a frame', fast: Buffer.from([0x82]) },
    { ...overWebSocket, name: 'a message in fragments that does not end', slow: Buffer.concat([websocket.binary('\x10', { fin: false }), ...Array(40).fill(websocket.frame(websocket.OPCODE.CONTINUATION, '', { fin: false }))]) },
    { name: 'the opening handshake of WebSocket byte by byte', open: () => device.openHttp(server), limit: 10000, slow: websocket.handshake() },
  ];
}

function amqpRows(server, { id, token }) {
  const overAmqp = () => amqp.openAmqp({ port: server.amqpPort, ca: server.ca });
  const framed = () => websocket.connect(server, { subprotocol: 'AMQPWSB10' });
  const letIn = Buffer.concat([amqp.HEADER.sasl, amqp.saslPlain(`${server.scope}/registrations/${id}`, token), amqp.HEADER.amqp]);
  const linked = async () => {
    const one = await openDevice(server, {}, { id });
    await one.authenticate('PLAIN', plain({ scope: server.scope, id, token }));
    await one.connect();
    return one.peer;
  };
  const greeting = { open: overAmqp, limit: 5000 };
  const links = { open: overAmqp, limit: 10000 };
  const message = { open: linked, limit: 30000 };
  return [
    { ...greeting, name: 'silent instead of an AMQP header' },
    { ...greeting, name: 'SASL byte by byte', slow: letIn },
    { ...greeting, name: 'an AMQP header, and no open', fast: amqp.HEADER.amqp },
    { ...greeting, name: 'half of SASL, then silent', fast: letIn.subarray(0, 40) },
    { ...greeting, name: 'silent after the change to AMQP in WebSocket', open: framed },
    { ...greeting, name: 'SASL byte by byte in WebSocket', open: framed, slow: websocket.binary(letIn) },
    { ...links, name: 'let in by SASL, then silent', fast: letIn },
    { ...links, name: 'an AMQP open byte by byte', fast: letIn, slow: amqp.open('c'.repeat(100)) },
    { ...links, name: 'an AMQP open, and no session', fast: Buffer.concat([letIn, amqp.open()]) },
    { ...links, name: 'an AMQP open, and no link', fast: Buffer.concat([letIn, amqp.open(), amqp.begin()]) },
    { ...links, name: 'an AMQP attach byte by byte', fast: Buffer.concat([letIn, amqp.open(), amqp.begin()]), slow: amqp.attach('l', 0, `${server.scope}/registrations/${id}`, true) },
    { ...links, name: 'signs of life instead of a link', fast: Buffer.concat([letIn, amqp.open(), amqp.begin()]), slow: Buffer.concat(Array(20).fill(amqp.frame(Buffer.alloc(0)))) },
    { ...message, name: 'half an AMQP transfer, then silent', fast: amqp.transfer(1, 0, Buffer.alloc(100)).subarray(0, 40) },
    { ...message, name: 'an AMQP transfer byte by byte', slow: amqp.transfer(1, 0, Buffer.alloc(1000)) },
    { ...message, name: 'half an AMQP message, then signs of life', fast: amqp.transfer(1, 0, 'x', true), slow: Buffer.concat(Array(20).fill(amqp.frame(Buffer.alloc(0)))) },
  ];
}

function httpRows(server, { head }) {
  const headers = { open: () => device.openHttp(server), limit: 10000 };
  const body = { open: headers.open, limit: 30000, least: 0 };
  const thousand = Buffer.alloc(1000, 0x20);
  return [
    { ...headers, name: 'silent instead of a request' },
    { ...headers, name: 'a request line byte by byte', slow: Buffer.from(head) },
    { ...headers, name: 'headers, one more every now and then', fast: Buffer.from(head), slow: Buffer.from('X: y\r\n'.repeat(40)) },
    { ...body, name: 'a body that does not come', fast: Buffer.from(`${head}Content-Length: 1000\r\n\r\n`) },
    { ...body, name: 'a body byte by byte', fast: Buffer.from(`${head}Content-Length: 1000\r\n\r\n`), slow: thousand },
    { ...body, name: 'a chunked body byte by byte', fast: Buffer.from(`${head}Transfer-Encoding: chunked\r\n\r\n3e8\r\n`), slow: thousand },
  ];
}

/** The keys of a TPM as bodies have them. */
const keysOf = (tpm) => ({ tpm: { endorsementKey: tpm.endorsementKey, storageRootKey: tpm.storageRootKey } });

/** TPMs that are challenged and do not answer. `tpm`: a SoftTpm that is enrolled as `id`. */
function tpmRows(server, { id, tpm }) {
  const identity = `${server.scope}/registrations/${id}`;
  const initial = Buffer.concat([Buffer.from(`\0${server.scope}\0${id}\0`), tpm.ek.bytes]);
  const root = amqp.saslResponse(Buffer.concat([Buffer.from([0]), tpm.srk.bytes]));
  const body = JSON.stringify({ registrationId: id, ...keysOf(tpm) });
  const challengedOverAmqp = async () => {
    const peer = await amqp.openAmqp({ port: server.amqpPort, ca: server.ca });
    await peer.write(amqp.HEADER.sasl, amqp.saslInit('TPM', initial, identity));
    await peer.header('sasl');
    await peer.expect('mechanisms');
    await peer.expect('challenge');
    return peer;
  };
  const connected = async () => {
    const peer = await device.openMqtt(server);
    await peer.write(mqtt.connect({ clientId: id, username: `${device.username(server.scope, id)}&attestation=tpm` }));
    await peer.expect('CONNACK');
    return peer;
  };
  const challengedOverHttps = async () => {
    const peer = await device.openHttp(server);
    await peer.write(http1.request(`PUT /${identity}/register?api-version=2019-03-31 HTTP/1.1`, ['Host: localhost', 'Content-Type: application/json', `Content-Length: ${body.length}`], body));
    const got = await peer.response();
    if (!got.json || !got.json.authenticationKey) throw new Error(`no challenge: ${got.status} ${got.body}`);
    return peer;
  };
  const answer = Buffer.from(`PUT /${identity}/register?api-version=2019-03-31 HTTP/1.1\r\nHost: localhost\r\nAuthorization: SharedAccessSignature sr=`);
  const sasl = { open: challengedOverAmqp, limit: 30000 };
  return [
    { ...sasl, name: 'a TPM that is challenged over AMQP, then silent' },
    { ...sasl, name: 'a TPM that sends its storage root key byte by byte', slow: root },
    { ...sasl, name: 'a TPM that does not ask for the rest of its blob', fast: root },
    { ...sasl, name: 'a TPM that answers byte by byte over AMQP', fast: Buffer.concat([root, amqp.saslResponse([0])]), slow: amqp.saslResponse(`\0SharedAccessSignature ${'x'.repeat(200)}`) },
    { name: 'a TPM that connects over MQTT, then silent', open: connected, limit: 60000 },
    { name: 'a TPM that is challenged over MQTT, then pings', open: connected, limit: 60000,
      fast: Buffer.concat([mqtt.subscribe(1, [{ topic: device.RESPONSES, qos: 1 }]), mqtt.publish({ topic: REGISTER, payload: body })]), slow: Buffer.concat(Array(200).fill(mqtt.pingreq())) },
    { name: 'a TPM that is challenged over HTTPS, then silent', open: challengedOverHttps, limit: 60000 },
    { name: 'a TPM that answers byte by byte over HTTPS', open: challengedOverHttps, limit: 10000, slow: answer },
  ];
}

/** An enrolled TPM in software: {id, tpm}. */
async function enrolTpm(server, id) {
  const tpm = new SoftTpm();
  await server.control.must('PUT', `/enrollments/${id}?${API}`, { registrationId: id, attestation: tpm.attestation() });
  return { id, tpm };
}

/** All rows, of a device {id, key} and another that is a TPM {id, tpm}. */
function phases(server, { id, key }, withTpm) {
  const token = sas.deviceToken({ scope: server.scope, id, key });
  const head = `PUT /${server.scope}/registrations/${id}/register?api-version=2019-03-31 HTTP/1.1\r\nHost: localhost\r\n`
    + `Content-Type: application/json\r\nAuthorization: ${token}\r\n`;
  const connect = mqtt.connect({ clientId: id, username: device.username(server.scope, id), password: token });
  const who = { id, token, head, connect };
  return [...tlsRows(server), ...mqttRows(server, who), ...amqpRows(server, who), ...httpRows(server, who), ...tpmRows(server, withTpm)];
}

module.exports = { phases, enter, keysOf, enrolTpm };
