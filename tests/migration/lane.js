// One service and its two hubs. The hubs live on; the service is killed again and again, and each of its lives first shows what the
// last kill left, then moves devices to and fro until it is killed itself.
'use strict';

const assert = require('assert');
const path = require('path');
const device = require('../lib/device');
const sas = require('../lib/sas');
const strace = require('../lib/strace');
const usherd = require('../lib/usherd');
const { mustUsher } = require('../lib/control');
const { FarHub } = require('../lib/far-hub');
const { Closed } = require('../lib/peer');
const { inParallel } = require('../lib/pool');
const { until, within, Timeout } = require('../lib/wait');
const { Records, stageOf, checkEnded, checkLeft, INITIAL } = require('./state');

const RULES = {
  migrate: { updateHubAssignment: true, migrateDeviceData: true },
  reset: { updateHubAssignment: true, migrateDeviceData: false },
};
const EACH = 3; // devices of each rule
const ROUNDS = 4; // a point that was not reached after so many moves of each device is not going to be
const MARK_EVERY = 4; // lives
const START_MS = 4000;
const ENDS_MS = 15000;
const GONE = new Set(['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ENOENT']);

/** Whether an error only says that the server is no longer there. */
function isGone(error) {
  return error instanceof Closed || GONE.has(error.code) || /socket hang up/.test(error.message);
}

class Lane {
  static async start(index) {
    const lane = new Lane();
    lane.settings = index % 2 === 0 ? { threads: 1 } : { 'device.strictPolling': 'true' };
    const first = await FarHub.start({ args: ['--set', 'threads=1'] });
    lane.hubs = [first, await FarHub.start({ certificates: first.server.dir, args: ['--set', 'threads=1'] })];
    lane.dir = usherd.scratch();
    lane.caFile = first.server.caFile;
    lane.records = new Records();
    lane.lives = 0;
    lane.target = 0; // the hub that devices are to be at
    const server = await usherd.start({ dir: lane.dir, args: lane.args() });
    await lane.prepare(server);
    lane.known = { scope: server.scope, hubs: server.hubs, ca: server.ca };
    await server.stop();
    return lane;
  }

  args() {
    const settings = { 'limits.deviceRequests': 0, 'hubs.caFile': this.caFile, 'device.retryAfter': 1, ...this.settings };
    return Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`]);
  }

  /** Links, one group for each rule, and every device registered once. */
  async prepare(server) {
    for (const hub of this.hubs) await mustUsher(server, ['hub', 'link', hub.host, '--connection-string', hub.connectionString()]);
    this.devices = [];
    for (const [rule, reprovisionPolicy] of Object.entries(RULES)) {
      const group = await server.control.group(rule, {
        allocationPolicy: 'hashed', reprovisionPolicy, initialTwin: INITIAL,
      });
      for (let i = 1; i <= EACH; i += 1) {
        const id = `${rule}-${i}`;
        this.devices.push({ id, rule, key: sas.deriveKey(group.attestation.symmetricKey.primaryKey, id) });
      }
    }
    await mustUsher(server, ['hub', 'link', server.hub, '--embedded', '--no-allocation']);
    await this.state(server, 1, 'draining');
    await Promise.all(this.devices.map((who) => device.provisionMqtt(server, who)));
    await this.mark(() => this.hubs[0]);
  }

  /** Every device reports where it is, so that its data can be told from older data. `where(who)` is its hub. */
  async mark(where) {
    this.marks = (this.marks || 0) + 1;
    await inParallel(4, this.devices, async (who) => {
      who.reported = { mark: this.marks };
      who.markedAt = where(who);
      await who.markedAt.report(who.id, who.key, who.reported);
    });
  }

  /** How often each system call is made before `ready` and while devices move: {call: {before, during}}. */
  async calibrate() {
    const file = path.join(this.dir, 'calls');
    const server = await this.open(strace.recording(file));
    for (let round = 0; round < ROUNDS; round += 1) {
      await this.flip(server);
      await this.moveAll(server);
    }
    await this.kill(server);
    this.calls = strace.countCalls(file);
    return this.calls;
  }

  open(under, onStart) {
    return usherd.start({ dir: this.dir, under, known: this.known, env: under.length > 0 ? strace.NO_LEAK_CHECK : {}, args: this.args(), onStart });
  }

  async kill(server) {
    try {
      if (server.running) process.kill(server.pid, 'SIGKILL');
    } catch (error) {
      if (error.code !== 'ESRCH') throw error;
    }
    return within(5000, 'the killed server to be gone', server.child.done);
  }

  state(server, index, state) {
    return server.control.must('PUT', `/control/services/dev/linkedHubs/${encodeURIComponent(this.hubs[index].host)}`, { state });
  }

  /** From now on all devices are to be at the other hub: this one drains. */
  async flip(server) {
    this.target = 1 - this.target; // if the server dies before it knows, one round moves nobody
    await this.state(server, this.target, 'open');
    await this.state(server, 1 - this.target, 'draining');
  }

  /** Every device registers once, on a connection of its own, and polls to the end as SDKs do; each answer is judged. */
  async moveAll(server, tally) {
    const hosts = this.hubs.map(({ host }) => host);
    const failures = [];
    await Promise.all(this.devices.map(async (who) => {
      try {
        const peer = await device.connectMqtt(server, who);
        try {
          const { json } = await device.registerMqtt(peer, who.id);
          assert.strictEqual(json.status, 'assigned', `${who.id} was told ${JSON.stringify(json)}`);
          assert.ok(hosts.includes(json.registrationState.assignedHub), `${who.id} was sent to ${json.registrationState.assignedHub}`);
          if (tally) tally.moves += 1;
        } finally {
          peer.destroy();
        }
      } catch (error) {
        failures.push(error);
      }
    }));
    const wrong = failures.find((error) => !isGone(error) && !(error instanceof Timeout && !server.running));
    if (wrong) throw wrong;
    return failures.length === 0;
  }

  /** No device asks: each record says assigned, and names one hub only. */
  async settles(server) {
    await until(ENDS_MS, 'all moves to end by themselves', async () => {
      const now = await Promise.all(this.devices.map(({ id }) => server.control.registration(id)));
      return now.every(({ json }) => json.status === 'assigned');
    });
  }

  /** What one life does: what the last one left ends by itself, and is looked at; then devices move. False: it is dying. */
  async spend(server, hold, tally) {
    await hold('ends', () => this.settles(server));
    const places = await checkEnded(this, server, hold);
    if (this.lives % MARK_EVERY === 0 && places.size === this.devices.length) await this.mark((who) => places.get(who));
    this.lives += 1;
    for (let round = 0; round < ROUNDS; round += 1) {
      await this.flip(server);
      if (!await hold('told', () => this.moveAll(server, tally))) return false;
    }
    return true;
  }

  /** The process was killed, or is killed now: true if it was killed at its point. */
  async ended(server, dying) {
    if (!dying) {
      await this.kill(server);
      return false;
    }
    const { signal } = await within(START_MS, 'the server to be gone', server.child.done);
    if (signal !== 'SIGKILL') throw new Error(`usherd was not killed but ended: ${server.log.lines.slice(-3).map(({ text }) => text).join(' | ')}`);
    return true;
  }

  /** One life, killed at `point`, or by hand when that is not reached; undefined: in order. What the kill left is looked at. */
  async life(point, tally) {
    const label = point ? `${point.call} ${point.nth}` : 'the last life';
    let server;
    let ready = false;
    const hold = async (claim, body) => {
      try {
        return await body();
      } catch (error) {
        if (isGone(error) || (error instanceof Timeout && !server.running)) throw error;
        tally.found.push({ claim, error, point: this.lastPoint || label });
        return undefined;
      }
    };
    let dying = false;
    try {
      const began = Date.now();
      await this.open(point ? strace.injecting(point.call, this.before(point.call) + point.nth) : [], (it) => { server = it; });
      ready = true;
      await hold('start', () => assert.ok(Date.now() - began < START_MS, `ready after ${Date.now() - began} ms`));
      dying = !await this.spend(server, hold, tally);
    } catch (error) {
      if (ready && !isGone(error) && !(error instanceof Timeout)) throw error;
      dying = true;
    }
    if (!point) {
      await usherd.checkStop(tally.report, server, 'the last life');
      return;
    }
    if (await this.ended(server, dying)) tally.hits.push(point);
    else tally.missed.push(label);
    this.logs = [...(this.logs || []).slice(-1), server.log];
    await this.look(tally, label);
    this.lastPoint = label;
  }

  before(call) {
    return this.calls[call] ? this.calls[call].before : 0;
  }

  /** What both hubs and the last two lives of the service say of a device. */
  tell(id) {
    const logs = [...this.logs, ...this.hubs.map(({ server }) => server.log)];
    const lines = logs.flatMap((log, i) => log.lines.slice(-400).filter(({ text }) => text.includes(id)).map(({ text }) => [text, ['earlier life', 'last life', 'hub 1', 'hub 2'][i]]));
    for (const [text, from] of lines) console.log(`#   ${from}: ${text}`);
  }

  /** What the kill left, in the store and at the hubs, with nobody there. */
  async look(tally, label) {
    const all = await this.records.read(this.dir);
    const held = await Promise.all(this.hubs.map(async (hub) => new Set((await hub.identities()).map(({ deviceId }) => deviceId))));
    for (const who of this.devices) {
      const record = all.get(who.id);
      const at = this.hubs.filter((_, i) => held[i].has(who.id)).map(({ host }) => host);
      const stage = stageOf(record, at);
      if (stage) {
        tally.stages[stage] += 1;
        tally.rules[who.rule] += 1;
      }
      checkLeft(who, record, at, (claim, error) => {
        tally.found.push({ claim, error, point: label });
        if (process.env.USHER_TEST_KEEP) this.tell(who.id);
      });
    }
  }
}

module.exports = { Lane };
