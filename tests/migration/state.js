// What a kill left: the records in the store of a service that is not running, and which hubs hold a device; and what must hold once
// the next start has ended all of it.
'use strict';

const assert = require('assert');
const fs = require('fs');
const path = require('path');
const children = require('../lib/children');
const usherd = require('../lib/usherd');
const { bare } = require('../lib/far-hub');
const { until } = require('../lib/wait');

const INITIAL = { tags: { site: 'north' }, properties: { desired: { level: 3 } } };

// Moves that a kill may meet.
const STAGES = {
  intended: 'with an intention and nothing at the new hub',
  both: 'with the device at both hubs',
  copied: 'with the device at the new hub only and its operation open',
};

const READ = `
import json, sqlite3, sys
base = sqlite3.connect(sys.argv[1])
names = ["status", "assigned_hub", "device_id", "intended_hub", "intended_device_id", "left_hub", "left_device_id", "plan_steps"]
print(json.dumps([dict(zip(["id"] + names, row)) for row in base.execute("SELECT id, " + ", ".join(names) + " FROM registration")]))
`;

/** The registrations of a folder that no usherd has open, by ID. A copy is read: opening the database would tidy it up. */
async function records(dir) {
  const copy = usherd.scratch();
  for (const name of fs.readdirSync(dir).filter((each) => each.startsWith('usher.db') && !each.endsWith('-shm'))) {
    fs.copyFileSync(path.join(dir, name), path.join(copy, name));
  }
  const { code, stdout, stderr } = await children.run('python3', ['-I', '-S', '-c', READ, path.join(copy, 'usher.db')]);
  fs.rmSync(copy, { recursive: true, force: true });
  if (code !== 0) throw new Error(`the database of ${dir} cannot be read: ${stderr}`);
  return new Map(JSON.parse(stdout).map((record) => [record.id, record]));
}

/** The hubs at which a record says that the device is or may be. */
function namedBy({ assigned_hub: assigned, device_id: device, intended_hub: intended, intended_device_id: intendedId, left_hub: left, left_device_id: leftId }, id) {
  const named = [];
  if (assigned && device === id) named.push(assigned);
  if (intended && intendedId === id) named.push(intended);
  if (left && leftId === id) named.push(left);
  return named;
}

/** At which stage of a move a device is; undefined: its operation has ended. */
function stageOf(record, at) {
  if (!record.intended_hub) return undefined;
  if (at.length === 2) return 'both';
  return at[0] === record.intended_hub ? 'copied' : 'intended';
}

/** After a kill: `wrong(claim, error)` for each thing that does not hold of one device, at hubs `at`. */
function checkLeft({ id }, record, at, wrong) {
  if (at.length === 0) wrong('none', new Error(`${id} is at no hub: ${JSON.stringify(record)}`));
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
    await until(15000, 'each device to be at one hub', async () => {
      const held = await Promise.all(lane.hubs.map((hub) => hub.identities()));
      return lane.devices.every(({ id }) => held.filter((all) => all.some(({ deviceId }) => deviceId === id)).length === 1);
    });
    for (const who of lane.devices) {
      const { json } = await server.control.registration(who.id);
      const hub = lane.hubs[hosts.indexOf(json.assignedHub)];
      assert.ok(hub, `${who.id} is recorded at ${json.assignedHub}`);
      const identity = await hub.identity(who.id);
      assert.ok(identity, `${who.id} is recorded at ${hub.host}, and is elsewhere`);
      assert.strictEqual(identity.authentication.symmetricKey.primaryKey, who.key, `the key of ${who.id}`);
      places.set(who, hub);
      twins.set(who, await hub.twin(who.id));
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

module.exports = { STAGES, INITIAL, records, stageOf, checkLeft, checkEnded };
