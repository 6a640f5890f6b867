// Many devices in few groups. They register over a few HTTPS connections that are kept, each of which is one place: a device comes
// from the same place each time.
'use strict';

const assert = require('assert');
const device = require('../lib/device');
const http1 = require('../lib/http1');
const sas = require('../lib/sas');
const { API } = require('../lib/control');
const { openFrom } = require('./places');
const { pause } = require('../lib/wait');

const NO_HUB = 400208;
const HEADERS = ['Host: localhost', 'Content-Type: application/json', 'Accept: application/json'];

// Some with a zone only, some with a place only, some unknown to the table.
const NETWORKS = [
  { address: '198.51.100.1', network: '198.51.100.0/26', zone: 'nl', place: '52.37,4.90' },
  { address: '198.51.100.70', network: '198.51.100.64/26', zone: 'ie', place: '53.35,-6.26' },
  { address: '198.51.100.130', network: '198.51.100.128/26', zone: 'us-east', place: 'eastus' },
  { address: '198.51.100.200', network: '198.51.100.192/26', zone: 'jp' },
  { address: '203.0.113.1', network: '203.0.113.0/26', place: '-33.87,151.21' },
  { address: '203.0.113.70', network: '203.0.113.64/26', place: 'southeastasia' },
  { address: '203.0.113.130', network: '203.0.113.128/26', zone: 'br', place: 'brazilsouth' },
  { address: '192.0.2.1', network: '10.0.0.0/8', zone: 'nobody' },
];

class Fleet {
  constructor(server, count) {
    this.server = server;
    this.count = count;
  }

  /** Makes the groups ({id: terms}) and shares the devices out among them. */
  async enroll(groups) {
    this.groups = groups;
    const ids = Object.keys(groups);
    const keys = {};
    for (const id of ids) keys[id] = (await this.server.control.group(id, groups[id])).attestation.symmetricKey.primaryKey;
    this.devices = Array.from({ length: this.count }, (_, i) => {
      const id = `device-${i}`;
      const key = sas.deriveKey(keys[ids[i % ids.length]], id);
      const token = sas.deviceToken({ scope: this.server.scope, id, key });
      return { id, key, token, hub: undefined, from: Math.floor(i / ids.length) % NETWORKS.length };
    });
  }

  /** How many devices have left something behind that is still to be removed. */
  async leaving() {
    const query = { query: "SELECT * FROM deviceRegistrations WHERE leftHub != ''" };
    const found = await Promise.all(Object.keys(this.groups).map((id) => this.server.control.must('POST', `/registrations/${id}/query?${API}`, query)));
    return found.reduce((sum, page) => sum + page.length, 0);
  }

  /** Where each device is. */
  places() {
    return this.devices.map(({ hub }) => hub);
  }

  async exchange(peer, { id, token }, method, tail, body = '') {
    const line = `${method} /${this.server.scope}/registrations/${id}/${tail}?api-version=${device.VERSION} HTTP/1.1`;
    await peer.write(http1.request(line, [...HEADERS, `Authorization: ${token}`, `Content-Length: ${body.length}`], body));
    return peer.response(20000);
  }

  /** One registration to its end: {hub} or {refused: true}. */
  async register(peer, one) {
    let got = await this.exchange(peer, one, 'PUT', 'register', JSON.stringify({ registrationId: one.id }));
    while (got.status === 202 && got.json.status === 'assigning') {
      await pause(20);
      got = await this.exchange(peer, one, 'GET', `operations/${got.json.operationId}`);
    }
    assert.ok(got.status === 200 || got.status === 202, `${one.id}: ${got.status} ${got.body}`);
    const { status, assignedHub, errorCode } = got.json.registrationState;
    if (got.json.status === 'failed') {
      assert.strictEqual(errorCode, NO_HUB, `${one.id}: ${got.body}`);
      return { refused: true };
    }
    assert.strictEqual(status, 'assigned', `${one.id}: ${got.body}`);
    return { hub: assignedHub };
  }

  /** All devices register once: their outcomes, in order. */
  async registerAll() {
    const outcomes = new Array(this.devices.length);
    await Promise.all(NETWORKS.map(async ({ address }, from) => {
      const peer = await openFrom(address, this.server);
      try {
        for (const [i, one] of this.devices.entries()) {
          if (one.from !== from) continue;
          outcomes[i] = await this.register(peer, one);
          if (outcomes[i].hub) one.hub = outcomes[i].hub;
        }
      } finally {
        peer.destroy();
      }
    }));
    return outcomes;
  }
}

module.exports = { Fleet, NETWORKS };
