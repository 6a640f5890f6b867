// A device with a TPM, as the SDK's user has it: azure-iot-security-tpm on a software TPM, which swtpm.js runs. It registers,
// and goes to its hub with tokens that the TPM signs with the key that provisioning gave.
'use strict';

const assert = require('assert');
const { randomBytes, createHmac } = require('crypto');
const { Swtpm } = require('../lib/swtpm');
const { checkState, visitsBy } = require('./devices');
const { called } = require('./bench');
const { onHub } = require('./transports');

/** TPM 2.0 Part 2, 12.2.5 with RSA 2048 (device-protocol.md 6.1): TPM2B_PUBLIC, its size included. */
const EK_BYTES = 316;

class TpmDevice {
  /** One TPM; `id` undefined: the registration ID that the SDK makes of the endorsement key. */
  static async make(bench, id, tpm) {
    const device = new TpmDevice();
    device.bench = bench;
    device.tpm = tpm || await Swtpm.start();
    if (!tpm) bench.closers.push(() => device.tpm.stop());
    device.security = device.client(id);
    device.id = await called((done) => device.security.getRegistrationId(done));
    device.ek = await called((done) => device.security.getEndorsementKey(done));
    assert.strictEqual(device.ek.length, EK_BYTES, 'size of the endorsement key');
    return device;
  }

  /** The security client of the SDK, told in its constructor where the simulator is. */
  client(id) {
    const { TpmSecurityClient } = require('azure-iot-security-tpm');
    const { Tpm } = require('tss.js');
    return new TpmSecurityClient(id, new Tpm(true, '127.0.0.1', this.tpm.bridgePort));
  }

  get endorsementKey() {
    return this.ek.toString('base64');
  }

  attestation() {
    return { type: 'tpm', tpm: { endorsementKey: this.endorsementKey } };
  }

  /** Registers by azure-iot-provisioning-device, which hands its user of a TPM the whole answer; returns the state. */
  async register(transport, { deviceId = this.id, payload } = {}) {
    const { registrationState: state } = await this.attempt(transport, { payload });
    checkState(this.bench, state, { id: this.id, deviceId });
    assert.deepStrictEqual(Object.keys(state.tpm), ['authenticationKey'], 'tpm of the state');
    return state;
  }

  attempt(transport, { payload, scope } = {}) {
    return this.bench.provision(transport, { security: this.security, scope }, payload);
  }

  provider({ deviceId, assignedHub }) {
    const { TpmAuthenticationProvider } = require('azure-iot-security-tpm');
    const provider = TpmAuthenticationProvider.fromTpmSecurityClient(deviceId, assignedHub, this.security);
    this.bench.closers.push(() => provider.stop());
    return provider;
  }

  /** azure-iot-device with tokens that the TPM signs. */
  hubClient(state, over = 'mqtt') {
    const { Client } = require('azure-iot-device');
    return this.bench.tame(Client.fromAuthenticationProvider(this.provider(state), onHub(over)));
  }

  visits(transport, state, desired) {
    return visitsBy(this.bench, transport, (over) => this.hubClient(state, over), desired);
  }

  /** A token for the hub, signed with the key that the TPM holds now. */
  async hubToken(state) {
    return (await this.provider(state).getDeviceCredentials()).sharedAccessSignature;
  }
}

/** Somebody who has read the public keys of a device's TPM, but does not have it: what it is challenged with it cannot open. */
function impostor(device) {
  const key = randomBytes(32);
  return {
    getRegistrationId: (done) => done(null, device.id),
    getEndorsementKey: (done) => device.security.getEndorsementKey(done),
    getStorageRootKey: (done) => device.security.getStorageRootKey(done),
    activateIdentityKey: (blob, done) => done(null),
    signWithIdentity: (data, done) => done(null, createHmac('sha256', key).update(data).digest()),
  };
}

module.exports = { TpmDevice, impostor };
