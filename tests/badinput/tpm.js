// What a TPM should not send (threats C2, C3): keys broken in each of their fields, members of bodies, certificates, and the
// conversation of SASL TPM, over HTTPS, MQTT and AMQP. Each is refused in words, with one log line that has them too.
'use strict';

const assert = require('assert');
const amqp = require('../lib/amqp');
const device = require('../lib/device');
const http1 = require('../lib/http1');
const mqtt = require('../lib/mqtt');
const { enrolTpm, keysOf } = require('../lib/phases');
const { oneLogLine, roomFor } = require('./judge');

const REPEAT = 5;
const REGISTER = '$dps/registrations/PUT/iotdps-register/?$rid=1';
const INVALID = 400004;

// Where the fields of a TPM2B_PUBLIC are (TPM 2.0 Part 2, 12.2.4); those after the policy from its end.
const AT = { size: 0, type: 2, digest: 4, attributes: 6, policy: 10 };
const AFTER = { symmetric: 0, symmetricBits: 2, mode: 4, scheme: 6, bits: 8, exponent: 10, modulusSize: 14, modulus: 16 };
const NEEDED = { restricted: [0x10000, /is not restricted/], decrypt: [0x20000, /not a decryption key/], fixedTPM: [0x2, /not fixedTPM/],
  fixedParent: [0x10, /not fixedParent/], sensitiveDataOrigin: [0x20, /sensitiveDataOrigin/] };

/** [name, a key like this one but for one field, what is said of it]. */
function brokenKeys(key) {
  const after = 12 + key.readUInt16BE(AT.policy);
  const at = (name) => (name in AT ? AT[name] : after + AFTER[name]);
  const changed = (edit) => { const made = Buffer.from(key); edit(made); return made; };
  const put = (name, value) => changed((made) => made.writeUInt16BE(value, at(name)));
  const attributes = (edit) => changed((made) => made.writeUInt32BE(edit(made.readUInt32BE(AT.attributes)) >>> 0, AT.attributes));
  const sized = (bytes) => { bytes.writeUInt16BE(bytes.length - 2, 0); return bytes; };
  const modulus = (edit) => changed((made) => {
    const number = edit(BigInt(`0x${made.subarray(-256).toString('hex')}`));
    Buffer.from(number.toString(16).padStart(512, '0'), 'hex').copy(made, made.length - 256);
  });
  const thirds = (number) => { const least = number - (number % 3n); return least % 2n === 0n ? least - 3n : least; };
  return [
    ['a size that is one too large', put('size', key.length - 1), /size does not fit/],
    ['a size that is one too small', put('size', key.length - 3), /size does not fit/],
    ['no more than its size', Buffer.from([0, 0]), /size does not fit/],
    ['zeros', Buffer.alloc(key.length), /size does not fit/],
    ['an elliptic curve', put('type', 0x23), /elliptic curve/],
    ['a key that is no RSA key', put('type', 0x08), /is not an RSA key/],
    ['a name by SHA-1', put('digest', 0x04), /another digest than SHA-256/],
    ...Object.entries(NEEDED).map(([name, [bit, said]]) => [`attributes without ${name}`, attributes((bits) => bits & ~bit), said]),
    ['attributes of a key that signs', attributes((bits) => bits | 0x40000), /signing or duplicating/],
    ['reserved attributes', attributes((bits) => bits | 0x80000000), /unknown attributes/],
    ['a policy of 31 bytes', put('policy', 31), /policy that is no SHA-256 digest/],
    ['a policy of 65535 bytes', put('policy', 65535), /policy that is no SHA-256 digest/],
    ['children in 3DES', put('symmetric', 0x03), /with AES/],
    ['children in AES-192', put('symmetricBits', 192), /AES-128 or AES-256/],
    ['children in CBC', put('mode', 0x42), /CFB mode/],
    ['a scheme', put('scheme', 0x17), /has a scheme/],
    ['a key of 1024 bits', put('bits', 1024), /not of 2048 bits/],
    ['an exponent of 3', changed((made) => made.writeUInt32BE(3, at('exponent'))), /exponent other than 65537/],
    ['a modulus of 255 bytes', put('modulusSize', 255), /modulus that is not of 256 bytes/],
    ['a modulus of 65535 bytes', put('modulusSize', 65535), /modulus that is not of 256 bytes/],
    ['a modulus that begins with a zero', modulus((number) => number & ((1n << 2047n) - 1n)), /modulus of less than 2048 bits/],
    ['a modulus that is even', modulus((number) => number - 1n), /even modulus/],
    ['a modulus with a small factor', modulus(thirds), /small factor/],
    ['a key that ends in its modulus', sized(Buffer.from(key.subarray(0, 200))), /cut off/],
    ['a key that ends in its attributes', sized(Buffer.from(key.subarray(0, 8))), /./],
    ['a byte more', sized(Buffer.concat([key, Buffer.from([0])])), /bytes after its end/],
  ];
}

/** Bodies whose members are wrong: [name, body, what is said]. */
function bodies(id, tpm, certificate) {
  const { endorsementKey, storageRootKey } = keysOf(tpm).tpm;
  const root = { storageRootKey };
  const both = { endorsementKey, storageRootKey };
  const of = (members, more = {}) => ({ registrationId: id, tpm: members, ...more });
  const certified = (list) => of({ ...both, endorsementCertificates: list });
  const short = certificate.subarray(0, certificate.length - 20);
  return [
    ['tpm is a string', of('x'), /tpm/],
    ['tpm is an array', of([both]), /tpm/],
    ['tpm is a number', of(7), /tpm/],
    ['tpm is empty', of({}), /endorsementKey/],
    ['no endorsement key', of(root), /endorsementKey/],
    ['no storage root key', of({ endorsementKey }), /storageRootKey/],
    ['an endorsement key that is null', of({ ...root, endorsementKey: null }), /endorsementKey/],
    ['an endorsement key that is a number', of({ ...root, endorsementKey: 7 }), /endorsementKey/],
    ['an endorsement key that is an array', of({ ...root, endorsementKey: [endorsementKey] }), /endorsementKey/],
    ['an empty endorsement key', of({ ...root, endorsementKey: '' }), /endorsementKey/],
    ['an endorsement key that is no base64', of({ ...root, endorsementKey: `${endorsementKey.slice(0, -4)}!!!!` }), /endorsementKey/],
    ['an endorsement key in hexadecimal', of({ ...root, endorsementKey: tpm.ek.bytes.toString('hex') }), /endorsementKey/],
    ['an endorsement key with a line break', of({ ...root, endorsementKey: `${endorsementKey.slice(0, 64)}\n${endorsementKey.slice(64)}` }), /endorsementKey/],
    ['an endorsement key of 3 KB', of({ ...root, endorsementKey: 'A'.repeat(3072) }), /endorsementKey/],
    ['an endorsement key in PEM', of({ ...root, endorsementKey: '-----BEGIN PUBLIC KEY-----' }), /endorsementKey/],
    ['a storage root key that is true', of({ endorsementKey, storageRootKey: true }), /storageRootKey/],
    ['an empty storage root key', of({ endorsementKey, storageRootKey: '' }), /storageRootKey/],
    ['the body of another device', { registrationId: 'other', tpm: both }, /registrationId/],
    ['an authorization that is an object', of(both, { authorization: {} }), /authorization/],
    ['an authorization of 5 KB', of(both, { authorization: 'x'.repeat(5120) }), /authorization/],
    ['certificates that are a string', certified(certificate.toString('base64')), /endorsementCertificates/],
    ['certificates that are an object', certified({}), /endorsementCertificates/],
    ['a certificate that is a number', certified([7]), /endorsementCertificates/],
    ['a certificate that is null', certified([null]), /endorsementCertificates/],
    ['an empty certificate', certified(['']), /endorsementCertificates/],
    ['a certificate that is no base64', certified(['????']), /endorsementCertificates/],
    ['a certificate that is no DER', certified([Buffer.from('nonsense').toString('base64')]), /endorsementCertificates/],
    ['a certificate in PEM', certified(['-----BEGIN CERTIFICATE-----']), /endorsementCertificates/],
    ['a certificate that is cut off', certified([short.toString('base64')]), /endorsementCertificates/],
    ['a certificate with bytes behind it', certified([Buffer.concat([certificate, Buffer.from([0, 0])]).toString('base64')]), /endorsementCertificates/],
    ['a good certificate and a bad one', certified([certificate.toString('base64'), short.toString('base64')]), /endorsementCertificates/],
    ['five certificates', certified(Array(5).fill(certificate.toString('base64'))), /endorsementCertificates/],
    ['a certificate of 16 KB', certified([Buffer.alloc(16384, 0x30).toString('base64')]), /endorsementCertificates/],
  ];
}

function checkRefusal(json, said) {
  device.checkError(json, 400);
  assert.strictEqual(json.errorCode, INVALID);
  assert.match(json.message, said);
  assert.ok(!('authenticationKey' in json), 'a challenge');
}

async function overHttps(server, id, body, said, judged = (work) => work()) {
  const peer = await device.openHttp(server);
  try {
    await judged(async () => {
      const text = JSON.stringify(body);
      await peer.write(http1.request(`PUT /${server.scope}/registrations/${id}/register?api-version=2019-03-31 HTTP/1.1`, [
        'Host: localhost', 'Content-Type: application/json', `Content-Length: ${text.length}`], text));
      const got = await peer.response();
      assert.strictEqual(got.status, 400, String(got.body));
      checkRefusal(got.json, said);
    });
  } finally {
    peer.destroy();
  }
}

async function overMqtt(server, id, body, said, judged = (work) => work()) {
  const peer = await device.openMqtt(server);
  try {
    await peer.write(mqtt.connect({ clientId: id, username: `${device.username(server.scope, id)}&attestation=tpm` }));
    await peer.expect('CONNACK');
    await peer.write(mqtt.subscribe(1, [{ topic: device.RESPONSES, qos: 1 }]));
    await peer.expect('SUBACK');
    await judged(async () => {
      const got = await device.askMqtt(peer, REGISTER, '1', JSON.stringify(body));
      assert.strictEqual(got.status, 400, got.text);
      checkRefusal(got.json, said);
    });
  } finally {
    peer.destroy();
  }
}

/** SASL TPM that goes wrong: `responses` after the initial one, each to a challenge, the last of which is refused. */
async function overSasl(server, { initial, host, responses = [] }, judged = (work) => work()) {
  const peer = await amqp.openAmqp({ port: server.amqpPort, ca: server.ca });
  try {
    await judged(async () => {
      await peer.write(amqp.HEADER.sasl, amqp.saslInit('TPM', initial, host));
      await peer.header('sasl');
      await peer.expect('mechanisms');
      for (const response of responses) {
        await peer.expect('challenge');
        await peer.write(amqp.saslResponse(response));
      }
      assert.deepStrictEqual(await peer.expect('outcome'), [1]);
      await peer.closedBy(4000, 'after the outcome');
    });
  } finally {
    peer.destroy();
  }
}

/** [name, {initial, host, responses}, what the log says]. */
function conversations({ scope }, { id, tpm }) {
  const initial = (key, named = id, of = scope) => Buffer.concat([Buffer.from(`\0${of}\0${named}\0`), key]);
  const good = initial(tpm.ek.bytes);
  const behind = (bytes) => Buffer.concat([Buffer.from([0]), Buffer.from(bytes)]);
  const root = behind(tpm.srk.bytes);
  return [
    ['an empty response', { initial: '' }, /a NUL before each/],
    ['no NUL before the scope', { initial: good.subarray(1) }, /a NUL before each/],
    ['a key and nothing else', { initial: behind(tpm.ek.bytes) }, /a NUL before each|endorsement key|TPM2B_PUBLIC/],
    ['no ID', { initial: initial(tpm.ek.bytes, '') }, /a NUL before each/],
    ['no scope', { initial: initial(tpm.ek.bytes, id, '') }, /a NUL before each/],
    ['no key', { initial: initial(Buffer.alloc(0)) }, /endorsement key/],
    ['the key in base64', { initial: initial(Buffer.from(tpm.endorsementKey)) }, /endorsement key/],
    ['a host name that is another device', { initial: good, host: `${scope}/registrations/other` }, /the host name of SASL/],
    ['a response of PLAIN', { initial: `\0${scope}/registrations/${id}\0SharedAccessSignature sr=x` }, /endorsement key/],
    ['an empty answer to the first challenge', { initial: good, responses: [''] }, /does not begin with a NUL/],
    ['a storage root key without the NUL', { initial: good, responses: [Buffer.concat([Buffer.from([0xc1]), tpm.srk.bytes])] }, /does not begin with a NUL/],
    ['no storage root key', { initial: good, responses: [behind('')] }, /storage root key/],
    ['a token in place of the storage root key', { initial: good, responses: [behind('SharedAccessSignature sr=x')] }, /storage root key/],
    ['no NUL behind the first piece', { initial: good, responses: [root, ''] }, /does not begin with a NUL/],
    ['an empty token', { initial: good, responses: [root, behind(''), behind('')] }, /./],
    ['a token that is none', { initial: good, responses: [root, behind(''), behind('secret')] }, /./],
    ['the key in place of the token', { initial: good, responses: [root, behind(''), root] }, /./],
    ...brokenKeys(tpm.ek.bytes).map(([name, key, said]) => [`EK: ${name}`, { initial: initial(key) }, said]),
    ...brokenKeys(tpm.srk.bytes).map(([name, key, said]) => [`SRK: ${name}`, { initial: good, responses: [behind(key)] }, said]),
  ];
}

/** All rows: [door, name, send(judged), what the log says]. */
function table(server, one) {
  const { id, tpm } = one;
  const certificate = Buffer.from(server.ca.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  const keyBodies = [['endorsementKey', tpm.ek.bytes, 'EK'], ['storageRootKey', tpm.srk.bytes, 'SRK']].flatMap(([member, key, short]) => brokenKeys(key)
    .map(([name, broken, said]) => [`${short}: ${name}`, { registrationId: id, tpm: { ...keysOf(tpm).tpm, [member]: broken.toString('base64') } }, said]));
  const wrong = [...bodies(id, tpm, certificate), ...keyBodies];
  return [
    ...wrong.map(([name, body, said]) => ['HTTPS', name, (judged) => overHttps(server, id, body, said, judged), said]),
    ...wrong.map(([name, body, said]) => ['MQTT', name, (judged) => overMqtt(server, id, body, said, judged), said]),
    ...conversations(server, one).map(([name, play, said]) => ['AMQP', name, (judged) => overSasl(server, play, judged), said]),
  ];
}

async function run(report, server) {
  const rows = table(server, await enrolTpm(server, 'bad-tpm'));
  for (const [door, name, send, said] of rows) {
    const answer = door === 'AMQP' ? 'outcome 1, closed' : '400 in words';
    await report.check(`TPM over ${door}: ${name}: ${answer}, one log line`, () => send((work) => oneLogLine(server, work, said)));
  }
  await report.check(`memory: all that TPMs should not send, ${REPEAT} times over, leaves resident memory where it was`, async () => {
    const once = async () => { for (const [, , send] of rows) await send().catch(() => {}); };
    await once();
    const before = server.rss();
    for (let i = 0; i < REPEAT; i += 1) await once();
    const grown = server.rss() - before;
    assert.ok(grown < roomFor(server), `grew by ${grown} KiB from ${before} KiB`);
  }, 180000);
}

module.exports = { run };
