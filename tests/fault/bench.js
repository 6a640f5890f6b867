// The folder that every run of a lane begins with: certificates, keys, a database with a group and some enrollments.
// Each lane has its own, so that a device of one lane never talks to the server of another.
'use strict';

const fs = require('fs');
const path = require('path');
const usherd = require('../lib/usherd');
const { API } = require('../lib/control');

const INDIVIDUALS = 6;
const HUBS = ['hub-a.example', 'hub-b.example', 'hub-c.example'];

// strace and LeakSanitizer both want to be the one tracer of a process.
const NO_LEAK_CHECK = { ASAN_OPTIONS: `${process.env.ASAN_OPTIONS || ''}:detect_leaks=0` };

function hubArguments() {
  return HUBS.flatMap((hub) => ['--hub', hub]);
}

async function prepare() {
  const dir = usherd.scratch();
  const server = await usherd.start({ dir, args: hubArguments() });
  const group = await server.control.group('fleet');
  const individuals = [];
  for (let i = 1; i <= INDIVIDUALS; i += 1) {
    const made = await server.control.enroll(`own-${i}`);
    individuals.push({ id: made.registrationId, key: made.attestation.symmetricKey.primaryKey });
  }
  await server.stop();
  const known = { scope: server.scope, hubs: server.hubs, ca: server.ca };
  return { dir, known, groupKey: group.attestation.symmetricKey.primaryKey, individuals };
}

/** A copy of the folder, to be thrown away by the caller. */
function copy(bench) {
  const dir = usherd.scratch();
  for (const name of fs.readdirSync(bench.dir)) {
    if (name !== 'control.sock') fs.copyFileSync(path.join(bench.dir, name), path.join(dir, name));
  }
  return dir;
}

function remove(dir) {
  fs.rmSync(dir, { recursive: true, force: true });
}

module.exports = { API, NO_LEAK_CHECK, prepare, copy, remove, hubArguments };
