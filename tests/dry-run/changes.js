// Random changes of policies and links, from a seed; each is asked of the dry run and then made, with the same words.
'use strict';

const { API } = require('../lib/control');

const LOCATIONS = ['westeurope', 'northeurope', 'eastus', 'japaneast', 'australiaeast', 'brazilsouth', '1.35,103.82', '-26.2,28.04'];
const ZONES = ['nl', 'ie', 'us-east', 'jp', 'br'];
const RULES = {
  migrate: { updateHubAssignment: true, migrateDeviceData: true },
  reset: { updateHubAssignment: true, migrateDeviceData: false },
  never: { updateHubAssignment: false, migrateDeviceData: false },
};
const ANY = { 'If-Match': '*' };

/** mulberry32: the same numbers from the same seed. */
function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

class Changes {
  constructor(seed, hubs) {
    this.random = random(seed);
    this.hubs = hubs;
    this.moved = 0;
    this.refused = 0;
    this.deck = [];
    this.groups = {
      everywhere: { allocationPolicy: 'hashed', reprovisionPolicy: RULES.migrate },
      nearest: { allocationPolicy: 'geoLatency', reprovisionPolicy: RULES.migrate },
      chosen: { allocationPolicy: 'static', iotHubs: hubs.slice(0, 1), reprovisionPolicy: RULES.reset },
      unsaid: {}, // the service's policy, all its hubs, and no rule
      settled: { allocationPolicy: 'hashed', reprovisionPolicy: RULES.never },
    };
  }

  below(count) {
    return Math.floor(this.random() * count);
  }

  pick(items) {
    return items[this.below(items.length)];
  }

  some(items) {
    const chosen = items.filter(() => this.random() < 0.5);
    return chosen.length > 0 ? chosen : [this.pick(items)];
  }

  shuffled(items) {
    const left = [...items];
    return items.map(() => left.splice(this.below(left.length), 1)[0]);
  }

  /** The kinds of change: each returns a body for the dry run. What is written anew names hubs that are linked then. */
  kinds(linked) {
    const hub = () => this.pick(linked());
    const group = () => this.pick(Object.keys(this.groups));
    const link = (changes) => ({ linkedHubs: { [hub()]: changes } });
    return {
      weight: () => link({ allocationWeight: 1 + this.below(20) }),
      unlink: () => link(null),
      cordon: () => link({ state: 'cordoned' }),
      drain: () => link({ state: 'draining' }),
      open: () => ({ linkedHubs: Object.fromEntries(this.some(linked()).map((host) => [host, { state: 'open', applyAllocationPolicy: true }])) }),
      exclude: () => link({ applyAllocationPolicy: false }),
      location: () => link({ location: this.pick(LOCATIONS) }),
      default: () => ({ service: { allocationPolicy: this.pick(['hashed', 'geoLatency', 'static']) } }),
      latencies: () => ({ service: { latencies: this.latencies(linked()) } }),
      policy: () => ({ enrollmentGroups: { [group()]: this.choice(this.pick(['hashed', 'geoLatency', 'static']), linked()) } }),
      hubs: () => {
        const id = group();
        return { enrollmentGroups: { [id]: this.choice(this.groups[id].allocationPolicy || 'hashed', linked()) } }; // hubs without a policy are refused
      },
      rule: () => {
        const id = group();
        const rule = { reprovisionPolicy: RULES[this.pick(Object.keys(RULES))] };
        const { allocationPolicy, iotHubs = [] } = this.groups[id];
        return { enrollmentGroups: { [id]: iotHubs.every((host) => linked().includes(host)) ? rule : { ...rule, ...this.choice(allocationPolicy, linked()) } } };
      },
    };
  }

  /** An allocation policy and hubs for it: static takes one. */
  choice(allocationPolicy, linked) {
    const hubs = this.shuffled(this.some(linked));
    return { allocationPolicy, iotHubs: allocationPolicy === 'static' ? hubs.slice(0, 1) : hubs };
  }

  latencies(linked) {
    return this.some(ZONES).flatMap((zone) => this.some(linked).map((hub) => ({ zone, hub, milliseconds: 1 + this.below(200) })));
  }

  /** The next change: {body, says}; of the kind that is on top of a shuffled deck, and now and then of a second one. */
  next() {
    const body = {};
    const kinds = this.kinds(() => this.hubs.filter((host) => (body.linkedHubs || {})[host] !== null));
    const names = [];
    do {
      if (this.deck.length === 0) this.deck = this.shuffled(Object.keys(kinds));
      names.push(this.deck.pop());
    } while (this.random() < 0.3 && names.length < 3);
    names.sort((a, b) => (b === 'unlink') - (a === 'unlink')); // first
    for (const name of names) {
      for (const [part, changes] of Object.entries(kinds[name]())) {
        body[part] = part === 'service' ? { ...body[part], ...changes } : this.merged(body[part] || {}, changes);
      }
    }
    return { body, says: `${names.join(' and ')} ${JSON.stringify(body).slice(0, 300)}` };
  }

  /** Changes of one item twice are one. */
  merged(first, second) {
    const both = { ...first };
    for (const [name, changes] of Object.entries(second)) both[name] = changes && both[name] ? { ...both[name], ...changes } : changes;
    return both;
  }

  link(server, host, changes) {
    return server.control.must('PUT', `/control/services/dev/linkedHubs/${host}`, { name: host, ...changes });
  }

  /** What there is before the first change: weights and places. */
  async begin(server) {
    for (const [i, host] of this.hubs.entries()) {
      await this.link(server, host, { embedded: true, allocationWeight: 1 + this.below(4), ...(i < 5 ? { location: LOCATIONS[i] } : {}) });
    }
  }

  async apply(server, { body }) {
    for (const [host, changes] of Object.entries(body.linkedHubs || {})) {
      if (changes === null) await server.control.must('DELETE', `/control/services/dev/linkedHubs/${host}`, undefined, ANY);
      else await this.link(server, host, changes);
    }
    for (const [id, changes] of Object.entries(body.enrollmentGroups || {})) {
      const at = `/enrollmentGroups/${id}?${API}`;
      const now = await server.control.must('GET', at);
      const attestation = await server.control.must('POST', `/enrollmentGroups/${id}/attestationmechanism?${API}`);
      await server.control.must('PUT', at, { ...now, attestation, ...changes }, ANY);
      Object.assign(this.groups[id], changes);
    }
    if (body.service) {
      const now = await server.control.must('GET', '/control/services/dev');
      await server.control.must('PUT', '/control/services/dev', { allocationPolicy: now.allocationPolicy, ...body.service }, ANY);
    }
  }

  unlinks({ body }) {
    return Object.values(body.linkedHubs || {}).includes(null);
  }

  async relink(server, { body }) {
    for (const [host, changes] of Object.entries(body.linkedHubs || {})) if (changes === null) await this.link(server, host, { embedded: true });
  }
}

module.exports = { Changes };
