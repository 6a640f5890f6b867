// Connections that have said who they are and could register at any moment, and what each of them hears in the end.
'use strict';

const assert = require('assert');
const doors = require('../lib/doors');
const { pause } = require('../lib/wait');

const WAVE = 50; // handshakes at once: the race is in the register calls, not there
const OPERATION_MS = 30000;

/** The last answer of one connection after its register call has left. */
async function outcome(connection, id) {
  const end = Date.now() + OPERATION_MS;
  const operations = new Set();
  let got = await connection.answer();
  while (got.json.status === 'assigning') {
    assert.ok(Date.now() < end, `${id}: operation ${got.json.operationId} has not ended`);
    operations.add(got.json.operationId);
    await pause(20);
    got = await connection.poll(got.json.operationId);
  }
  if (got.status === 401) return got.json;
  assert.ok(got.status === 200 || got.status === 202, `${id}: ${got.status} ${JSON.stringify(got.json)}`);
  operations.add(got.json.operationId);
  assert.strictEqual(operations.size, 1, `${id}: the operation changed while it was polled`);
  return got.json;
}

/**
 * All connections of all devices, opened before the first of them says anything: [[connection]]. `via` has one entry each.
 * Devices with TPMs have been challenged, on each.
 */
async function openAll(server, devices) {
  const open = [];
  const one = async ({ id, key, tls, tpm }, via, i) => {
    const connection = await doors.open(server, via, { id, key, tls: tls && tls[i % tls.length], tpm });
    assert.strictEqual(await connection.prove(), undefined, `${id} was not challenged`);
    return connection;
  };
  for (let at = 0; at < devices.length; at += WAVE) {
    open.push(...await Promise.all(devices.slice(at, at + WAVE).map((d) => Promise.all(d.via.map((via, i) => one(d, via, i))))));
  }
  return open;
}

/**
 * What a pair of connections came to. A challenge over HTTPS is the device's and not the connection's: of two, the later one
 * holds, and whoever has the former is refused, and begins anew.
 */
async function outcomes(pair, { id, tpm, via }) {
  const got = await Promise.all(pair.map((connection) => outcome(connection, id)));
  const vain = got.filter((json) => json.status !== 'assigned').length;
  const replaced = tpm !== undefined && via.every((one) => one === 'https');
  assert.strictEqual(vain, replaced ? 1 : 0, `${id} by ${via.join(' and ')}: ${JSON.stringify(got)}`);
  for (const [i, connection] of pair.entries()) {
    if (got[i].status === 'assigned') continue;
    assert.strictEqual(got[i].errorCode, 401002, JSON.stringify(got[i]));
    assert.strictEqual(await connection.prove(), undefined);
    await connection.send();
    got[i] = await outcome(connection, id);
  }
  return got;
}

/** All devices register on both their connections, all together: [[answer, answer]]. */
async function round(server, devices) {
  const open = await openAll(server, devices);
  try {
    await Promise.all(open.flat().map((connection) => connection.send()));
    return await Promise.all(open.map((pair, i) => outcomes(pair, devices[i])));
  } finally {
    for (const connection of open.flat()) connection.close();
  }
}

/** Two doors, the ith of all pairs. */
function pairOf(i) {
  const { NAMES } = doors;
  return [NAMES[i % NAMES.length], NAMES[Math.floor(i / NAMES.length) % NAMES.length]];
}

function place({ registrationState: state }) {
  return { hub: state.assignedHub, deviceId: state.deviceId, created: state.createdDateTimeUtc };
}

/** What the hubs hold: Map of deviceId to {hub, authentication}. No device is in two of them. */
async function identities(server, hubs) {
  const found = new Map();
  for (const hub of hubs) {
    for (const { deviceId, authentication } of await server.control.must('GET', '/devices?top=1000', undefined, { Host: hub })) {
      assert.ok(!found.has(deviceId), `${deviceId} is in two hubs`);
      found.set(deviceId, { hub, authentication });
    }
  }
  return found;
}

module.exports = { openAll, pairOf, round, place, identities };
