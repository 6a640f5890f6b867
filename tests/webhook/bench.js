// The daemon with its hubs, and one registration by custom allocation: enrolled, registered, polled, looked up in record and log.
'use strict';

const assert = require('assert');
const device = require('../lib/device');
const usherd = require('../lib/usherd');
const { mustUsher } = require('../lib/control');
const { follow } = require('../hubs/pair');
const { ONE, TWO, OUTSIDE } = require('./behaviours');

const SETTINGS = { threads: 1, 'device.retryAfter': 1, 'device.inlineWait': 1000, 'limits.deviceRequests': 0, 'webhook.deadline': 2000 };
const HUBS = [ONE, TWO, OUTSIDE, 'unlinked.example', 'theirs.example'];

class Bench {
  /** `lists`: settings that are lists, by name. */
  static async start({ settings = {}, lists = {}, ...more } = {}) {
    const bench = new Bench();
    const all = [...Object.entries({ ...SETTINGS, ...settings }), ...Object.entries(lists).flatMap(([name, items]) => items.map((item) => [name, item]))];
    const args = [...HUBS.flatMap((hub) => ['--hub', hub]), ...all.flatMap(([name, value]) => ['--set', `${name}=${value}`])];
    bench.server = await usherd.start({ args, ...more });
    await mustUsher(bench.server, ['service', 'create', 'other', '--host', 'other.example']);
    await mustUsher(bench.server, ['--service', 'other', 'hub', 'link', 'theirs.example', '--embedded']);
    for (const hub of ['unlinked.example', 'theirs.example']) await mustUsher(bench.server, ['--service', 'dev', 'hub', 'unlink', hub]);
    bench.scope = bench.server.scope;
    return bench;
  }

  /** An enrollment whose hub a function chooses: the device's key. */
  async enroll(id, webhookUrl, more = {}) {
    const made = await this.server.control.enroll(id, {
      allocationPolicy: 'custom', iotHubs: [ONE, TWO], customAllocationDefinition: { webhookUrl, apiVersion: '2021-10-01' }, ...more,
    });
    return made.attestation.symmetricKey.primaryKey;
  }

  /** A whole registration over HTTPS, with polling: the last answer's JSON. */
  async provision(who, payload) {
    const body = JSON.stringify({ registrationId: who.id, ...(payload === undefined ? {} : { payload }) });
    const put = await device.registerHttp(this.server, { ...who, body });
    assert.ok(put.status === 202 || put.status === 200, `register: ${put.status} ${put.body}`);
    if (put.json.status !== 'assigning') return { json: put.json, polled: false };
    return { json: await follow(this.server, { ...who, operationId: put.json.operationId, ms: 20000 }), polled: true };
  }

  async record(id) {
    return (await this.server.control.registration(id)).json;
  }

  /** The reason that the log gives for the end of a device's registration. */
  async reason(id, mark) {
    const { entry } = await this.server.log.waitFor(`"registrationId":"${id}","`, { mark }).catch(() => ({}));
    const lines = this.server.log.since(mark).filter((line) => line.entry && line.entry.registrationId === id);
    assert.ok(entry && lines.length > 0, `no line about ${id}`);
    return lines.map((line) => `${line.entry.reason || ''} ${line.entry.trace || ''}`).join(' ');
  }

  /** How many identities the hubs have, all together. */
  async identities() {
    let sum = 0;
    for (const hub of HUBS) sum += (await this.server.control.hub(hub)).totalDeviceCount;
    return sum;
  }
}

module.exports = { Bench, HUBS };
