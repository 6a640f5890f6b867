// Devices for these scenes: a software TPM with `usher device`'s use of it, enrolled or not; and what their hub says to them.
'use strict';

const assert = require('assert');
const crypto = require('crypto');
const mqtt = require('../lib/mqtt');
const sas = require('../lib/sas');
const { API } = require('../lib/control');
const { Swtpm } = require('../lib/swtpm');
const { Talker } = require('../tpm/talker');

const EVER = sas.inSeconds(3600);

class TpmDevice {
  /** With a TPM of its own, or one that is there already. */
  static async open(tpm) {
    const swtpm = tpm || await Swtpm.start();
    const talker = new Talker('tests/tpm/usher-tpm-device', [swtpm.tcti]);
    const [word, endorsementKey, storageRootKey] = (await talker.next()).split(' ');
    assert.strictEqual(word, 'keys');
    return Object.assign(new TpmDevice(), { swtpm, talker, endorsementKey, storageRootKey });
  }

  get keys() {
    return { endorsementKey: this.endorsementKey, storageRootKey: this.storageRootKey };
  }

  /** 'planted', or why the TPM refuses it. */
  plant(blob) {
    return this.talker.ask(`plant ${blob}`);
  }

  async sign(text) {
    const [word, signature] = (await this.talker.ask(`sign ${Buffer.from(text).toString('base64')}`)).split(' ');
    assert.strictEqual(word, 'signed');
    return signature;
  }

  /** A token signed with the key that was planted last. */
  async token(resource, { skn = 'registration', se = EVER } = {}) {
    const sr = sas.encode(resource);
    const sig = sas.encode(await this.sign(`${sr}\n${se}`));
    return `SharedAccessSignature sr=${sr}&sig=${sig}&se=${se}${skn ? `&skn=${skn}` : ''}`;
  }

  registering(server, id) {
    return this.token(`${server.scope}/registrations/${id}`);
  }

  /** Plants the challenge and signs with it: the token that answers it. */
  async answer(server, id, blob) {
    assert.strictEqual(await this.plant(blob), 'planted');
    return this.registering(server, id);
  }

  /** A whole registration on a connection of `Door`: {state, json, token}. */
  async register(Door, server, id) {
    const door = await Door.open(server, id);
    const { blob } = await door.challenge(this.keys);
    assert.ok(blob, 'a challenge');
    const token = await this.answer(server, id, blob);
    const got = await door.answer(token);
    assert.strictEqual(got.json && got.json.status, 'assigned', JSON.stringify(got));
    door.close();
    return { ...got, token };
  }

  /** What its hub says to it with the key that came with `state`: a connected peer, or the code of the refusal. */
  async visit(server, state) {
    assert.strictEqual(await this.plant(state.tpm.authenticationKey), 'planted');
    const { assignedHub: hub, deviceId } = state;
    return connectHub(server, hub, deviceId, await this.token(`${hub}/devices/${deviceId}`, { skn: '' }));
  }

  async close() {
    await this.talker.close();
    await this.swtpm.stop();
  }
}

async function connectHub(server, hub, deviceId, password) {
  const peer = await mqtt.openMqtt({ port: server.mqttPort, ca: server.ca, name: 'hub' });
  await peer.write(mqtt.connect({ clientId: deviceId, username: `${hub}/${deviceId}/?api-version=2021-04-12`, password }));
  const { code } = await peer.expect('CONNACK');
  if (code === 0) return { peer, code, password };
  peer.destroy();
  return { code };
}

function enroll(server, registrationId, { endorsementKey }, more = {}, headers = {}) {
  return server.control.must('PUT', `/enrollments/${registrationId}?${API}`,
    { registrationId, attestation: { type: 'tpm', tpm: { endorsementKey } }, ...more }, headers);
}

/** A token by somebody who only guesses the key. */
function guessed(server, id, key = crypto.randomBytes(32)) {
  return sas.token({ sr: sas.encode(`${server.scope}/registrations/${id}`), key: key.toString('base64'), se: EVER, skn: 'registration' });
}

module.exports = { TpmDevice, connectHub, enroll, guessed };
