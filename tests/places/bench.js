// One usherd with a hub in each region, the files it reads, and devices that register through the proxy.
'use strict';

const assert = require('assert');
const fs = require('fs');
const path = require('path');
const children = require('../lib/children');
const doors = require('../lib/doors');
const relay = require('./relay');
const sas = require('../lib/sas');
const usherd = require('../lib/usherd');
const { REGIONS } = require('./world');
const { until } = require('../lib/wait');

const HUBS = Object.fromEntries(Object.keys(REGIONS).map((name) => [name, `hub-${name}.test`]));
const REGION_OF = Object.fromEntries(Object.entries(HUBS).map(([name, hub]) => [hub, name]));

/** Writes a database of these cities and puts it where the service reads, as an operator should: by renaming. */
async function writeCities(file, cities, maker) {
  const input = cities.map(({ network, at, country }) => `${[network, ...at, country].join('\t')}\n`).join('');
  const { code, stderr } = await children.run(path.join(__dirname, 'make-city'), [file, maker], { input });
  assert.strictEqual(code, 0, stderr);
}

function writeNetworks(file, lines) {
  fs.writeFileSync(`${file}.new`, `${lines.join('\n')}\n`);
  fs.renameSync(`${file}.new`, file);
}

class Bench {
  static async start({ cities, networks, more = [] }) {
    const dir = usherd.scratch();
    const files = { database: path.join(dir, 'city.mmdb'), networks: path.join(dir, 'networks.csv') };
    await writeCities(files.database, cities, 'maxmind');
    writeNetworks(files.networks, networks);
    const made = new Bench();
    Object.assign(made, { files, count: 0 });
    made.server = await usherd.start({ args: [...Bench.args(files), ...more] });
    await made.server.control.must('PUT', '/control/services/dev', { allocationPolicy: 'GeoLatency' });
    for (const [name, { location }] of Object.entries(REGIONS)) {
      await made.server.control.must('PUT', `/control/services/dev/linkedHubs/${HUBS[name]}`, { location });
    }
    made.group = await made.server.control.group('fleet');
    return made;
  }

  static args(files) {
    const settings = { 'geo.database': files.database, 'geo.networks': files.networks, 'listen.proxyNetworks': `${relay.PROXY}/32`,
      'log.anonymousPerSecond': 1000000 };
    return [...Object.values(HUBS).flatMap((hub) => ['--hub', hub]), ...Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`])];
  }

  /** A device that was never seen. */
  device() {
    this.count += 1;
    const id = `device-${this.count}`;
    return { id, key: sas.deriveKey(this.group.attestation.symmetricKey.primaryKey, id) };
  }

  /** Registers a device from `address`: {region, line} of the hub it is told and of the line in the log. */
  async register(via, address, { who = this.device(), tlvs } = {}) {
    const { server, close } = await relay.behind(this.server, via, relay.header(address, tlvs));
    const mark = this.server.log.mark();
    try {
      const connection = await doors.open(server, via, who);
      let got = await connection.register();
      for (let polls = 0; got.json.status === 'assigning' && polls < 20; polls += 1) got = await connection.poll(got.json.operationId);
      connection.close();
      assert.strictEqual(got.json.status, 'assigned', JSON.stringify(got.json));
      const found = await until(5000, `a line about ${who.id}`, () => this.server.log.since(mark)
        .find(({ entry }) => entry && ['registration.assigned', 'device.moved'].includes(entry.event) && entry.registrationId === who.id));
      return { region: REGION_OF[got.json.registrationState.assignedHub], line: found.entry, who };
    } finally {
      close();
    }
  }

  /** Has the files read again; the line that says what came of it. */
  async reload() {
    const mark = this.server.log.mark();
    this.server.child.kill('SIGHUP');
    return (await this.server.log.waitFor('"event":"places.read"', { mark })).entry;
  }
}

module.exports = { Bench, HUBS, REGION_OF, writeCities, writeNetworks };
