// Three hubs in processes of their own, a service that links them by connection string, a function that chooses hubs; and devices,
// which are the unmodified npm SDKs. All usherd show one certificate, which the SDKs trust.
'use strict';

const assert = require('assert');
const fs = require('fs');
const path = require('path');
const device = require('../lib/device');
const sdk = require('./sdk');
const usherd = require('../lib/usherd');
const { API, mustUsher } = require('../lib/control');
const { FarHub, folderWith } = require('../lib/far-hub');
const { Chooser } = require('./chooser');

const CERTIFICATES = process.env.USHER_TEST_CERTIFICATES;
// Where the hubs are. The devices, which are at 127.0.0.1, are in Amsterdam: A is the nearest, B the next.
const LOCATIONS = { a: 'westeurope', b: 'northeurope', c: 'eastus' };
const NETWORKS = '# where this test pretends to be\n127.0.0.0/8,bench,52.37,4.90\n::1/128,bench,52.37,4.90\n';

class Estate {
  static async start() {
    const estate = new Estate();
    const hubs = await Promise.all(Object.keys(LOCATIONS).map(() => FarHub.start({ certificates: CERTIFICATES, args: ['--set', 'threads=1'] })));
    estate.hubs = Object.fromEntries(Object.keys(LOCATIONS).map((name, i) => [name, hubs[i]]));
    estate.chooser = await Chooser.start(CERTIFICATES);
    estate.dir = folderWith(CERTIFICATES);
    fs.writeFileSync(path.join(estate.dir, 'networks'), NETWORKS);
    await estate.startService();
    for (const name of Object.keys(LOCATIONS)) await estate.link(name);
    // the service's own hub, which --dev links, is none of the three
    await mustUsher(estate.service, ['hub', 'link', estate.service.hub, '--embedded', '--no-allocation']);
    return estate;
  }

  async startService(ports = {}) {
    const settings = {
      threads: 1, 'device.retryAfter': 1, 'hubs.callDeadline': 1500, 'limits.deviceRequests': 0, 'hubs.caFile': path.join(CERTIFICATES, 'ca.pem'),
      'geo.networks': path.join(this.dir, 'networks'), 'webhook.caFile': path.join(CERTIFICATES, 'ca.pem'),
      'webhook.allowAddresses': '127.0.0.0/8', 'webhook.ports': this.chooser.port,
    };
    const args = Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`]);
    this.service = await usherd.start({ args, dir: this.dir, ...ports });
  }

  /** Stops the service and starts it again, on its ports. */
  async restartService() {
    const { httpsPort, mqttPort, amqpPort } = this.service;
    await this.service.stop();
    await this.startService({ httpsPort, mqttPort, amqpPort });
  }

  host(name) {
    return this.hubs[name].host;
  }

  /** The name of a hub from its host. */
  named(host) {
    return Object.keys(this.hubs).find((name) => this.host(name) === host) || host;
  }

  link(name) {
    return mustUsher(this.service, ['hub', 'link', this.host(name), '--connection-string', this.hubs[name].connectionString(),
      '--location', LOCATIONS[name]]);
  }

  unlink(name) {
    return mustUsher(this.service, ['hub', 'unlink', this.host(name)]);
  }

  linked(name) {
    return this.service.control.must('GET', `/control/services/dev/linkedHubs/${encodeURIComponent(this.host(name))}`);
  }

  /** What an enrollment says of allocation: hubs by their names. */
  terms({ policy, hubs, rule, ...more }) {
    return {
      ...(policy ? { allocationPolicy: policy } : {}), ...(hubs.length > 0 ? { iotHubs: hubs.map((name) => this.host(name)) } : {}), ...(rule ? { reprovisionPolicy: rule } : {}),
      ...(policy === 'custom' ? { customAllocationDefinition: this.chooser.definition } : {}), ...more,
    };
  }

  /** An individual enrollment: what its device shows. */
  async enroll(id, terms) {
    const made = await this.service.control.enroll(id, this.terms(terms));
    return { id, key: made.attestation.symmetricKey.primaryKey };
  }

  /** Changes an enrollment and leaves its keys. */
  async change(id, terms) {
    const at = `/enrollments/${id}?${API}`;
    const attestation = await this.service.control.must('POST', `/enrollments/${id}/attestationmechanism?${API}`);
    await this.service.control.must('PUT', at, { registrationId: id, attestation, ...this.terms(terms) }, { 'If-Match': '*' });
  }

  /** Registers: the state that the SDK hands its user; throws its error. A device of an old API is none of the SDK's. */
  async register({ id, key, version }) {
    if (!version) return sdk.register(this.service, { id, key });
    const peer = await device.connectMqtt(this.service, { id, key, version });
    try {
      const { json } = await device.registerMqtt(peer, id);
      assert.strictEqual(json.status, 'assigned', JSON.stringify(json));
      return json.registrationState;
    } finally {
      peer.destroy();
    }
  }

  /** Registers, and must be refused: {errorCode, errorMessage} of its registration. */
  async fails(who) {
    await assert.rejects(this.register(who), `${who.id} was assigned`);
    return this.record(who.id);
  }

  async record(id) {
    return (await this.service.control.registration(id)).json;
  }

  /** Which hubs hold an identity of this name. */
  async holders(deviceId) {
    const found = await Promise.all(Object.entries(this.hubs).map(async ([name, hub]) => (await hub.identity(deviceId) ? name : undefined)));
    return found.filter(Boolean);
  }
}

module.exports = { Estate };
