// Very many slow peers, held: as soon as one is closed, its slot has another. For what must go well beside them, and for what
// must hold of them.
'use strict';

const fs = require('fs');
const { enter } = require('./phases');

const AT_ONCE = 48; // that open
const TRICKLE_MS = 1000;
const LATE_MS = 5000; // how late a deadline may be noticed: the machine is busy with all of them
const FAILED_MAX = 100;

/** Hands out one of `count` places at a time. */
class Gate {
  constructor(count) {
    this.free = count;
    this.waiting = [];
  }

  async through(work) {
    if (this.free > 0) this.free -= 1;
    else await new Promise((resolve) => { this.waiting.push(resolve); });
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.free += 1;
    }
  }
}

class Crowd {
  /** `slots` of the rows of phases.js, those that last longest first. */
  constructor(rows, slots) {
    Object.assign(this, { rows: [...rows].sort((a, b) => b.limit - a.limit), slots, open: 0, most: 0, closed: 0, late: [], failed: [], going: true, gate: new Gate(AT_ONCE) });
  }

  /** Peers of one row, one after the other, until it is enough. */
  async slot(row) {
    while (this.going && this.failed.length < FAILED_MAX) {
      let entered;
      try {
        entered = await this.gate.through(() => (this.going ? enter(row, TRICKLE_MS) : null));
      } catch (error) {
        this.failed.push(`${row.name}: ${error.message}`);
        continue;
      }
      if (!entered) return;
      await this.held(row, entered);
    }
  }

  async held(row, { peer, start }) {
    this.open += 1;
    this.most = Math.max(this.most, this.open);
    const took = await peer.closedBy(row.limit + LATE_MS + 5000, row.name, start).catch(() => Infinity);
    peer.destroy();
    this.open -= 1;
    this.closed += 1;
    if (took > row.limit + LATE_MS) this.late.push(`${row.name}: ${took} ms`);
  }

  /** The longer a phase lasts, the more slots it has: what ends soon costs most to hold. */
  start() {
    const sum = this.rows.reduce((all, { limit }) => all + limit, 0);
    const slots = this.rows.flatMap((row) => Array(Math.ceil((this.slots * row.limit) / sum)).fill(row));
    this.over = Promise.all(slots.map((row) => this.slot(row)));
    this.over.catch(() => {});
  }
}

/** Descriptors that this process may have, and whatever it starts: node and usherd raise theirs to this. */
function descriptorLimit() {
  return Number(/^Max open files\s+\d+\s+(\d+|unlimited)/m.exec(fs.readFileSync('/proc/self/limits', 'utf8'))[1].replace('unlimited', '1000000'));
}

module.exports = { Crowd, descriptorLimit };
