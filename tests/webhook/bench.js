// The daemon with its hubs, and one registration by custom allocation: enrolled, registered, polled, looked up in record and log.
'use strict';

const assert = require('assert');
const device = require('../lib/device');
const sas = require('../lib/sas');
const usherd = require('../lib/usherd');
const { mustUsher, overHttps } = require('../lib/control');
const { follow } = require('../hubs/pair');
const { until } = require('../lib/wait');
const { ONE, TWO, OUTSIDE } = require('./behaviours');

const SETTINGS = { threads: 1, 'device.retryAfter': 1, 'device.inlineWait': 1000, 'limits.deviceRequests': 0, 'webhook.deadline': 2000 };
const HUBS = [ONE, TWO, OUTSIDE, 'unlinked.example', 'theirs.example'];

class Bench {
  /** `lists`: settings that are lists, by name. */
  static async start({ settings = {}, lists = {}, ...more } = {}) {
    const bench = new Bench();
    bench.how = more;
    bench.assigned = new Set(); // the devices that were told so
    const all = [...Object.entries({ ...SETTINGS, ...settings }), ...Object.entries(lists).flatMap(([name, items]) => items.map((item) => [name, item]))];
    const args = [...HUBS.flatMap((hub) => ['--hub', hub]), ...all.flatMap(([name, value]) => ['--set', `${name}=${value}`])];
    bench.how.args = args;
    bench.server = await usherd.start(bench.how);
    await mustUsher(bench.server, ['service', 'create', 'other', '--host', 'other.example']);
    await mustUsher(bench.server, ['--service', 'other', 'hub', 'link', 'theirs.example', '--embedded']);
    for (const hub of ['unlinked.example', 'theirs.example']) await mustUsher(bench.server, ['--service', 'dev', 'hub', 'unlink', hub]);
    return bench;
  }

  /** Kills the daemon as a power cut would, and starts it again in its folder, on its ports. */
  async crash() {
    const { child, httpsPort, mqttPort, amqpPort } = this.server;
    child.kill('SIGKILL');
    await child.done;
    this.server = await usherd.start({ ...this.how, httpsPort, mqttPort, amqpPort });
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
    const polled = put.json.status === 'assigning';
    const json = polled ? await follow(this.server, { ...who, operationId: put.json.operationId, ms: 20000 }) : put.json;
    if (json.status === 'assigned') this.assigned.add(who.id);
    return { json, polled };
  }

  async record(id) {
    return (await this.server.control.registration(id)).json;
  }

  /** Why a device's registration failed, by the log: reason and trace. */
  async reason(id, mark) {
    const line = await until(5000, `a line about the end of ${id}`, () => this.server.log.since(mark).find(
      ({ entry }) => entry && entry.registrationId === id && entry.error === 'webhook_failed'));
    return `${line.entry.reason || ''} | ${line.entry.trace || ''}`;
  }

  /** The twin that a hub has of a device, as an operator of that hub reads it. */
  async twin(hub, id) {
    const { value } = await this.server.control.must('POST', `/control/hubs/${hub}/listkeys`);
    const { primaryKey } = value.find(({ keyName }) => keyName === 'iothubowner');
    const token = sas.policyToken({ host: hub, policy: 'iothubowner', key: primaryKey });
    const answer = await overHttps(this.server, 'GET', `/twins/${id}?api-version=2021-04-12`, { token, headers: { Host: hub } });
    assert.strictEqual(answer.status, 200, answer.text);
    return answer.json;
  }

  /** How many identities the hubs have, all together. */
  async identities() {
    let sum = 0;
    for (const hub of HUBS) sum += (await this.server.control.hub(hub)).totalDeviceCount;
    return sum;
  }
}

module.exports = { Bench, HUBS };
