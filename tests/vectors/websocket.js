// MQTT over WebSocket: the opening handshake of each client family, with its path, subprotocol and header lines, then what
// that client says in clients.js; and every way to cut the same bytes into frames (device-protocol.md 1.3, list row 7).
'use strict';

const assert = require('assert');
const clients = require('./clients');
const device = require('../lib/device');
const http1 = require('../lib/http1');
const mqtt = require('../lib/mqtt');
const pki = require('../lib/pki');
const sas = require('../lib/sas');
const websocket = require('../lib/websocket');
const { inParallel } = require('../lib/pool');

const AT_ONCE = 8;
const SUBPROTOCOLS = ['mqtt', 'MQTT'];
const PATHS = ['/', '/mqtt', '/$iothub/websocket', '/$iothub/websocket?iothub-no-client-cert=true', '/a/b%20c/?x=1&y='];

/** What each family asks for; `plays` names its entry of clients.js. */
const families = [
  { client: 'C', path: '/$iothub/websocket', subprotocol: 'MQTT', plays: 'C', headers: { Host: 'localhost:443' } },
  { client: 'C#', path: '/', subprotocol: 'mqtt', plays: 'C#, no body at all' },
  { client: 'Java', path: '/mqtt', subprotocol: 'mqtt', plays: 'Java', headers: { Host: 'localhost:443' } },
  {
    client: 'Node', path: '/$iothub/websocket', subprotocol: 'mqtt', plays: 'Node',
    headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' },
  },
  {
    client: 'Python', path: '/$iothub/websocket', subprotocol: 'mqtt', plays: 'Python',
    headers: {
      Host: undefined, host: 'localhost', 'Sec-WebSocket-Protocol': undefined, 'Sec-Websocket-Protocol': 'mqtt', Upgrade: undefined,
      upgrade: 'websocket', Origin: 'https://localhost:443',
    },
  },
  { client: 'a browser', path: '/mqtt', subprotocol: 'mqtt', plays: 'Node', headers: { Connection: 'keep-alive, Upgrade', Origin: 'https://elsewhere.example', Cookie: 'a=b' } },
];

/** Ways to carry the same bytes. */
const cuts = {
  'each byte in a message of its own': (bytes) => [...bytes].map((byte) => websocket.binary([byte])),
  'each packet in three fragments, one of them empty': (bytes) => [
    websocket.binary(bytes.subarray(0, 1), { fin: false }), websocket.frame(websocket.OPCODE.CONTINUATION, '', { fin: false }),
    websocket.frame(websocket.OPCODE.CONTINUATION, bytes.subarray(1)),
  ],
  'a ping within each message': (bytes) => [
    websocket.binary(bytes.subarray(0, 2), { fin: false }), websocket.ping('?'), websocket.frame(websocket.OPCODE.CONTINUATION, bytes.subarray(2)),
  ],
  'masks of zeros': (bytes) => [websocket.binary(bytes, { mask: Buffer.alloc(4) })],
  'empty messages in between': (bytes) => [websocket.binary(''), websocket.binary(bytes), websocket.binary('')],
};

async function handshakes(report, server) {
  for (const path of PATHS) {
    for (const subprotocol of SUBPROTOCOLS) {
      await report.check(`WebSocket: ${path} with ${subprotocol}: 101, the subprotocol as it was offered`, async () => {
        (await websocket.connect(server, { path, subprotocol })).destroy();
      });
    }
  }
  const offers = { 'mqttv3.1, mqtt': 'mqtt', 'MQTT,mqtt': 'MQTT', 'soap ,\tmqtt, MQTT': 'mqtt' };
  for (const [offer, taken] of [...Object.entries(offers), [['soap', 'MQTT'], 'MQTT']]) {
    await report.check(`WebSocket: of ${JSON.stringify(offer)} the first known one is taken: ${taken}`, async () => {
      const peer = await websocket.open(server);
      websocket.checkSwitched(await peer.shake({ headers: { 'Sec-WebSocket-Protocol': offer } }), taken);
      peer.destroy();
    });
  }
}

async function playFamilies(report, server, { playMqtt }) {
  const pem = await pki.Pki.make({ name: 'WebSocket vectors', alone: families.map((_, i) => `ws-cert-${i}`) });
  await inParallel(AT_ONCE, [...families.entries()], async ([i, { client, plays, ...how }]) => {
    const entry = clients.mqtt.find((one) => one.client === plays);
    const over = device.overWebSocket(server, how);
    const { primaryKey: key } = (await server.control.enroll(`ws-${i}`)).attestation.symmetricKey;
    await report.check(`MQTT over WebSocket: ${client}`, () => playMqtt(over, entry, { id: `ws-${i}`, key }));
    await pki.enroll(server.control, `ws-cert-${i}`, [pem.pem(`ws-cert-${i}`)]);
    await report.check(`MQTT over WebSocket: ${client}, certificate`,
      () => playMqtt(over, entry, { id: `ws-cert-${i}`, by: 'x509', tls: pem.showing(`ws-cert-${i}`) }));
  });
  return pem;
}

async function framing(report, server, { playMqtt }) {
  const entry = clients.mqtt.find((one) => one.client === 'Node');
  await inParallel(AT_ONCE, Object.entries(cuts), async ([what, cut]) => {
    const id = `ws-cut-${Object.keys(cuts).indexOf(what)}`;
    const { primaryKey: key } = (await server.control.enroll(id)).attestation.symmetricKey;
    // a ping for each packet is within the budget of ten a second: there are eight packets
    await report.check(`MQTT over WebSocket: ${what}`, () => playMqtt(device.overWebSocket(server, { cut }), entry, { id, key }));
  });
  await report.check('MQTT over WebSocket: the handshake, CONNECT and SUBSCRIBE in one go, two packets in one frame', async () => {
    const { primaryKey: key } = (await server.control.enroll('ws-one-go')).attestation.symmetricKey;
    const peer = await websocket.open(server);
    const token = sas.deviceToken({ scope: server.scope, id: 'ws-one-go', key });
    const connect = mqtt.connect({ clientId: 'ws-one-go', username: device.username(server.scope, 'ws-one-go'), password: token });
    await peer.write(Buffer.concat([websocket.handshake(), websocket.binary(Buffer.concat([connect, mqtt.subscribe(1, [{ topic: device.RESPONSES, qos: 1 }])]))]));
    websocket.checkSwitched(await peer.response(), 'mqtt');
    let said = Buffer.alloc(0);
    while (said.length < 9) said = Buffer.concat([said, (await peer.nextFrame('CONNACK and SUBACK')).payload]);
    assert.strictEqual(said.toString('hex'), '20020000' + '9003000101');
    peer.destroy();
  });
}

async function goodbyes(report, server) {
  await report.check('WebSocket: DISCONNECT is answered by Close with 1000, and the end', async () => {
    const { primaryKey: key } = (await server.control.enroll('ws-bye')).attestation.symmetricKey;
    const peer = await device.connectMqtt(device.overWebSocket(server), { id: 'ws-bye', key });
    await peer.write(mqtt.disconnect());
    await peer.closedBy(3000, 'after DISCONNECT');
    assert.strictEqual(peer.socket.closeStatus, 1000);
  });
  await report.check('WebSocket: Close of the client is answered with its status, and the end', async () => {
    const peer = await websocket.connect(server);
    await peer.write(websocket.close(4321, 'bye'));
    const got = await peer.nextFrame();
    assert.deepStrictEqual([got.opcode, got.status], [websocket.OPCODE.CLOSE, 4321]);
    await peer.closedBy(3000, 'after Close');
  });
}

/** The certificate of the TLS handshake counts for what comes after the change of protocols, whoever looked at it before. */
async function sameConnection(report, server, pem) {
  await report.check('WebSocket: a device that registered over HTTPS with its certificate changes to MQTT on the same connection', async () => {
    const id = 'ws-cert-0';
    const peer = await websocket.open(server, { options: pem.showing(id) });
    const body = JSON.stringify({ registrationId: id });
    await peer.write(http1.request(`PUT /${server.scope}/registrations/${id}/register?api-version=${device.VERSION} HTTP/1.1`,
      ['Host: localhost', 'Content-Type: application/json', `Content-Length: ${body.length}`], body));
    const put = await peer.response();
    assert.strictEqual(put.status, 202, String(put.body));
    websocket.checkSwitched(await peer.shake(), 'mqtt');
    const inner = new mqtt.MqttPeer(new websocket.Tunnel(peer), id);
    await inner.write(mqtt.connect({ clientId: id, username: device.username(server.scope, id) }));
    assert.strictEqual((await inner.expect('CONNACK')).code, 0);
    await inner.write(mqtt.subscribe(1, [{ topic: device.RESPONSES, qos: 1 }]));
    await inner.expect('SUBACK');
    const got = await device.registerMqtt(inner, id);
    device.checkAssigned(got.json, { id, hub: server.hub, by: 'x509' });
    peer.destroy();
  });
}

async function run(report, server, tools) {
  await handshakes(report, server);
  const pem = await playFamilies(report, server, tools);
  await framing(report, server, tools);
  await goodbyes(report, server);
  await sameConnection(report, server, pem);
}

module.exports = { run };
