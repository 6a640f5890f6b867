// What a kill left: the records in the store of a service that is not running, and which hubs hold a device; and what must hold once
// the next start has ended all of it.
'use strict';

const assert = require('assert');
const fs = require('fs');
const path = require('path');
const readline = require('readline');
const children = require('../lib/children');
const usherd = require('../lib/usherd');
const { bare } = require('../lib/far-hub');
const { until, within } = require('../lib/wait');

const INITIAL = { tags: { site: 'north' }, properties: { desired: { level: 3 } } };

const PLAN_RESET = 4; // enum plan_step

// Moves that a kill may meet.
const STAGES = {
  intended: 'with an intention and nothing at the new hub',
  both: 'with the device at both hubs',
  copied: 'with the device at the new hub only and its operation open',
};

const READ = `
import json, sqlite3, sys
names = ["id", "status", "assigned_hub", "device_id", "intended_hub", "intended_device_id", "left_hub", "left_device_id", "plan_steps"]
for path in sys.stdin:
    base = sqlite3.connect(path.rstrip("\\n"))
    rows = base.execute("SELECT " + ", ".join(names) + " FROM registration").fetchall()
    base.close() # before the answer, after which the files are another base's
    print(json.dumps([dict(zip(names, row)) for row in rows]), flush=True)
`;

/** A process that reads the registrations of folders that no usherd has open: started once, because a start takes its time. */
class Records {
  constructor() {
    this.copy = usherd.scratch();
    this.child = children.start('python3', ['-I', '-S', '-c', READ], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.child.stdin.on('error', () => {});
    this.lines = readline.createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  /** By ID. A copy is read: opening the database would tidy it up. */
  async read(dir) {
    for (const name of fs.readdirSync(this.copy)) fs.rmSync(path.join(this.copy, name));
    for (const name of fs.readdirSync(dir).filter((each) => each.startsWith('usher.db') && !each.endsWith('-shm'))) {
      fs.copyFileSync(path.join(dir, name), path.join(this.copy, name));
    }
    this.child.stdin.write(`${path.join(this.copy, 'usher.db')}\n`);
    const { value } = await within(10000, `the database of ${dir} to be read`, this.lines.next());
    if (value === undefined) throw new Error(`the database of ${dir} cannot be read`);
    return new Map(JSON.parse(value).map((record) => [record.id, record]));
  }
}

/** The hubs at which a record says that the device is or may be. */
function namedBy({ assigned_hub: assigned, device_id: device, intended_hub: intended, intended_device_id: intendedId, left_hub: left, left_device_id: leftId }, id) {
  const named = [];
  if (assigned && device === id) named.push(assigned);
  if (intended && intendedId === id) named.push(intended);
  if (left && leftId === id) named.push(left);
  return named;
}

/** At which stage of a move a device is; undefined: at none. */
function stageOf(record, at) {
  const moves = record.left_hub || record.intended_hub !== record.assigned_hub;
  if (!record.intended_hub || !moves) return undefined;
  if (at.length === 2) return 'both';
  return at[0] === record.intended_hub ? 'copied' : 'intended';
}

/** Reset at the hub where it is: only by removing the identity and making it anew (service-api H.3), so that it may be between. */
function isRemade(record) {
  return record && record.intended_hub && record.intended_hub === record.assigned_hub && (record.plan_steps & PLAN_RESET) !== 0;
}

/** After a kill: `wrong(claim, error)` for each thing that does not hold of one device, at hubs `at`. */
function checkLeft({ id }, record, at, wrong) {
  if (at.length === 0 && !isRemade(record)) wrong('none', new Error(`${id} is at no hub: ${JSON.stringify(record)}`));
  const named = record ? namedBy(record, id) : [];
  for (const host of at) {
    if (!named.includes(host)) wrong('named', new Error(`${id} is at ${at.join(' and ')}, and its record names ${named.join(' and ') || 'none'}: ${JSON.stringify(record)}`));
  }
}

/**
 * Of a running service in which all operations have ended: each device is at one hub, that of its record, with what it should have.
 * Returns where each one is.
 */
async function checkEnded(lane, server, hold) {
  const twins = new Map();
  const places = new Map();
  await hold('alone', async () => {
    const hosts = lane.hubs.map(({ host }) => host);
    // What is to be removed at the hub that a device left may be removed after it was told of the new one.
    const held = await until(15000, 'each device to be at one hub', async () => {
      const found = await Promise.all(lane.hubs.map((hub) => hub.identities()));
      return lane.devices.every(({ id }) => found.filter((all) => all.some(({ deviceId }) => deviceId === id)).length === 1) && found;
    });
    for (const who of lane.devices) {
      const { json } = await server.control.registration(who.id);
      const hub = lane.hubs[hosts.indexOf(json.assignedHub)];
      assert.ok(hub, `${who.id} is recorded at ${json.assignedHub}`);
      const identity = held[lane.hubs.indexOf(hub)].find(({ deviceId }) => deviceId === who.id);
      assert.ok(identity, `${who.id} is recorded at ${hub.host}, and is elsewhere`);
      assert.strictEqual(identity.authentication.symmetricKey.primaryKey, who.key, `the key of ${who.id}`);
      places.set(who, hub);
      twins.set(who, await hub.twinHere(who.id));
    }
  });
  await hold('data', async () => {
    for (const [who, { tags, properties }] of twins) {
      const { desired, reported } = properties;
      assert.deepStrictEqual([tags, bare(desired)], [INITIAL.tags, INITIAL.properties.desired], `tags and desired properties of ${who.id}`);
      // One that is reset has its data only if it did not register again, and is where it was then.
      const untouched = who.rule === 'migrate' || (places.get(who) === who.markedAt && Object.keys(bare(reported)).length > 0);
      assert.deepStrictEqual(bare(reported), untouched ? who.reported : {}, `what ${who.id} had reported`);
    }
  });
  return places;
}

module.exports = { STAGES, INITIAL, Records, stageOf, checkLeft, checkEnded };
