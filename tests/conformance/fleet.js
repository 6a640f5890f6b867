// Devices that register again and again, each time on a new connection and by the doors in turn, while a test does something
// that they must not notice. A member may be handed other certificates meanwhile, as in a roll-out.
'use strict';

const assert = require('assert');
const { DOORS, mustBeAssigned } = require('./connection');
const { pause, until } = require('../lib/wait');

const ALL = Object.entries(DOORS);
/** For an usherd beside a fleet: its devices ask faster than devices may, on a machine that is fast enough. */
const UNPACED = ['--set', 'limits.deviceRequests=0'];
const PACE_MS = 20; // between two registrations of a device: a fleet, not a load test

class Member {
  constructor(bench, id, proof) {
    Object.assign(this, { bench, id, proof, begun: 0, registered: 0, failures: [] });
  }

  /** Shows these certificates from the next registration on. */
  show(tls) {
    this.proof = { tls };
  }

  async once() {
    const { proof, bench, id } = this;
    this.begun += 1;
    const [door, Door] = ALL[this.begun % ALL.length];
    try {
      const connection = await Door.open(bench, id, proof);
      try {
        const { registrationState: state } = mustBeAssigned(await connection.register(), `${id} by ${door}:`);
        assert.strictEqual(state.assignedHub, bench.hub);
      } finally {
        connection.close();
      }
      this.registered += 1;
    } catch (error) {
      this.failures.push(error.message);
    }
  }
}

class Fleet {
  constructor(bench) {
    this.bench = bench;
    this.members = [];
    this.running = [];
    this.stopping = false;
  }

  /** A device that registers from now on. */
  join(id, proof) {
    const member = new Member(this.bench, id, proof);
    this.members.push(member);
    const live = async () => {
      while (!this.stopping) {
        await member.once();
        await pause(PACE_MS);
      }
    };
    this.running.push(live());
    return member;
  }

  /** Resolves when each member has registered by every door with what it has now, as things are now; none may have failed. */
  async round() {
    const from = this.members.map((member) => member.begun);
    await until(30000, 'each of the fleet to register by every door', () => this.members.every((member, i) => member.begun > from[i] + ALL.length));
    this.check();
  }

  check() {
    const failures = this.members.flatMap((member) => member.failures);
    assert.strictEqual(failures.length, 0, `${failures.length} of ${this.count()} registrations failed; the first: ${failures[0]}`);
  }

  count() {
    return this.members.reduce((sum, member) => sum + member.registered, 0);
  }

  /** Ends it; resolves to the number of registrations, none of which may have failed. */
  async stop() {
    this.stopping = true;
    await Promise.all(this.running);
    this.check();
    for (const member of this.members) assert.ok(member.registered > 0, `${member.id} never registered`);
    return this.count();
  }
}

module.exports = { Fleet, UNPACED };
