// What a TPM does of TPM attestation, as a program that a test can look into: keys in the TPM's form, and the opening of an
// activation blob, step by step from device-protocol.md 6.2 and 6.3, with everything checked that a TPM checks. No state,
// no sessions; the real thing is swtpm.js.
'use strict';

const assert = require('assert');
const crypto = require('crypto');
const { promisify } = require('util');

const generateKeyPair = promisify(crypto.generateKeyPair);
const EK_POLICY = Buffer.from('837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa', 'hex');
const EMPTY = Buffer.alloc(0);
const TEMPLATE = { ek: { attributes: 0x000300b2, policy: EK_POLICY }, srk: { attributes: 0x00030472, policy: EMPTY } };

const sha256 = (...parts) => crypto.createHash('sha256').update(Buffer.concat(parts)).digest();
const hmac = (key, ...parts) => crypto.createHmac('sha256', key).update(Buffer.concat(parts)).digest();
const hex = (text) => Buffer.from(text, 'hex');

function u16(value) {
  return Buffer.from([value >> 8, value & 255]);
}

function u32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

const sized = (bytes) => Buffer.concat([u16(bytes.length), bytes]);

/** TPM 2.0 Part 1, 11.4.10.2. */
function kdfa(key, label, u, bits) {
  return hmac(key, u32(1), Buffer.from(`${label}\0`), u, u32(bits)).subarray(0, bits / 8);
}

function uncfb(key, bytes) {
  const cipher = crypto.createDecipheriv('aes-128-cfb', key, Buffer.alloc(16));
  return Buffer.concat([cipher.update(bytes), cipher.final()]);
}

/** The first TPM2B of `bytes`: its content, and the rest. */
function split(bytes) {
  const end = 2 + bytes.readUInt16BE(0);
  assert.ok(end <= bytes.length, 'a TPM2B longer than what holds it');
  return [bytes.subarray(2, end), bytes.subarray(end)];
}

const RSA = ['rsa', { modulusLength: 2048 }];

/** RSA 2048 in the form of TPMT_PUBLIC: name algorithm SHA-256, AES-128-CFB, no scheme, default exponent. */
function makeKey({ attributes, policy }, { privateKey, publicKey } = crypto.generateKeyPairSync(...RSA)) {
  const modulus = Buffer.from(publicKey.export({ format: 'jwk' }).n, 'base64url');
  const area = Buffer.concat([hex('0001000b'), u32(attributes), sized(policy), hex('00060080004300100800'), u32(0), sized(modulus)]);
  return { privateKey, area, name: Buffer.concat([hex('000b'), sha256(area)]), bytes: sized(area) };
}

class SoftTpm {
  constructor([ek, srk] = []) {
    this.ek = makeKey(TEMPLATE.ek, ek);
    this.srk = makeKey(TEMPLATE.srk, srk);
  }

  /** The same, without keeping everything else in this process waiting while keys are made: for many at once. */
  static async make() {
    return new SoftTpm(await Promise.all([generateKeyPair(...RSA), generateKeyPair(...RSA)]));
  }

  get endorsementKey() {
    return this.ek.bytes.toString('base64');
  }

  get storageRootKey() {
    return this.srk.bytes.toString('base64');
  }

  /** The registration ID that the SDKs make of it: SHA-256 in RFC 4648 base 32, lower case, without padding. */
  get id() {
    const bits = [...sha256(this.ek.bytes)].map((byte) => byte.toString(2).padStart(8, '0')).join('');
    return bits.match(/.{1,5}/g).map((five) => 'abcdefghijklmnopqrstuvwxyz234567'[parseInt(five.padEnd(5, '0'), 2)]).join('');
  }

  attestation() {
    return { type: 'tpm', tpm: { endorsementKey: this.endorsementKey, storageRootKey: this.storageRootKey } };
  }

  /** The key that an activation blob plants. Throws when a TPM would refuse it. */
  activate(blob) {
    const [idObject, after1] = split(blob);
    const [credentialSecret, after2] = split(after1);
    const [duplicate, after3] = split(after2);
    const [duplicateSecret, after4] = split(after3);
    const [area, after5] = split(after4);
    const [uri, rest] = split(after5);
    assert.strictEqual(rest.length, 0, 'bytes after the blob');
    assert.ok(uri.length > 0, 'encUriData');
    return this.import(duplicate, duplicateSecret, area, this.activateCredential(idObject, credentialSecret));
  }

  /** TPM2_ActivateCredential: the inner key. */
  activateCredential(idObject, secret) {
    const seed = oaep(this.ek, secret, 'IDENTITY\0');
    const [integrity, encrypted] = split(idObject);
    assert.deepStrictEqual(integrity, hmac(kdfa(seed, 'INTEGRITY', EMPTY, 256), encrypted, this.srk.name), 'integrity of the credential');
    const [innerKey, rest] = split(uncfb(kdfa(seed, 'STORAGE', this.srk.name, 128), encrypted));
    assert.deepStrictEqual([innerKey.length, rest.length], [16, 0], 'size of the inner key');
    return innerKey;
  }

  /** TPM2_Import of an HMAC key with SHA-256, and a look inside. */
  import(duplicate, secret, area, innerKey) {
    const name = Buffer.concat([hex('000b'), sha256(area)]);
    const seed = oaep(this.srk, secret, 'DUPLICATE\0');
    const [integrity, outer] = split(duplicate);
    assert.deepStrictEqual(integrity, hmac(kdfa(seed, 'INTEGRITY', EMPTY, 256), outer, name), 'integrity of the duplicate');
    const [innerIntegrity, wrapped] = split(uncfb(innerKey, uncfb(kdfa(seed, 'STORAGE', name, 128), outer)));
    assert.deepStrictEqual(innerIntegrity, sha256(wrapped, name), 'inner integrity');
    const [sensitive] = split(wrapped);
    assert.deepStrictEqual(sensitive.subarray(0, 4), hex('00080000'), 'type KEYEDHASH, empty authorization');
    const [obfuscation, tail] = split(sensitive.subarray(4));
    const [key, end] = split(tail);
    assert.strictEqual(end.length, 0);
    checkArea(area, sha256(obfuscation, key));
    return key;
  }
}

function oaep({ privateKey }, secret, label) {
  return crypto.privateDecrypt({ key: privateKey, oaepHash: 'sha256', oaepLabel: Buffer.from(label), padding: crypto.constants.RSA_PKCS1_OAEP_PADDING }, secret);
}

/** TPMT_PUBLIC of the planted key: KEYEDHASH, SHA-256, sign|noDA|userWithAuth, a policy or none, HMAC with SHA-256, unique. */
function checkArea(area, unique) {
  assert.deepStrictEqual(area.subarray(0, 8), hex('0008000b00040440'), 'type and attributes of the planted key');
  const [policy, tail] = split(area.subarray(8));
  assert.ok([0, 32].includes(policy.length), 'size of its policy');
  assert.deepStrictEqual(tail, Buffer.concat([hex('0005000b'), sized(unique)]), 'scheme and unique of the planted key');
}

module.exports = { SoftTpm };
