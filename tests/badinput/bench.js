// A daemon for one lane of `run`, with what its cases need, and what must hold once they are through: a good device is
// served, no descriptor is left, no secret is in the log, and it stops in order.
'use strict';

const assert = require('assert');
const device = require('../lib/device');
const httpTable = require('./http');
const mqttTable = require('./mqtt');
const sas = require('../lib/sas');
const usherd = require('../lib/usherd');
const { GoodDevice } = require('./judge');
const { mustUsher } = require('../lib/control');
const { until } = require('../lib/wait');

/**
 * For the judge of memory: AddressSanitizer gives freed memory back at once, and malloc makes no arena for another thread,
 * which takes 64 MB of address space the first time that two threads meet.
 */
function environment() {
  return { MALLOC_ARENA_MAX: '1', ASAN_OPTIONS: [process.env.ASAN_OPTIONS, 'quarantine_size_mb=1'].filter(Boolean).join(':') };
}

async function policy(server, args) {
  const { SharedAccessKeyName, SharedAccessKey } = sas.parseConnectionString(await mustUsher(server, ['connection-string', ...args]));
  return { policy: SharedAccessKeyName, key: SharedAccessKey };
}

/** Starts the daemon. It writes a line about each stranger: the limit on them is the affair of noise.js. */
async function open() {
  const server = await usherd.start({ env: environment(), args: ['--set', 'log.anonymousPerSecond=1000000', '--set', 'limits.deviceRequests=0'] });
  const owner = await policy(server, []);
  const hubOwner = await policy(server, ['--hub', server.hub]);
  const good = await GoodDevice.make(server, 'good-device');
  const path = `/${server.scope}/registrations/${good.id}/register?api-version=2019-03-31`;
  const words = { clientId: good.id, username: device.username(server.scope, good.id), password: good.freshToken() };
  const rows = {
    http: httpTable.rows({ path, auth: `Authorization: ${good.freshToken()}` }),
    first: mqttTable.first(words),
    after: mqttTable.after(words),
  };
  return { server, owner, hubOwner, good, rows, ownerToken: () => sas.policyToken({ host: 'localhost', ...owner }) };
}

/** No secret that the cases used may stand in the log (invariant I10). */
function noSecrets({ server, good, owner, hubOwner }) {
  const text = server.log.lines.map((line) => line.text).join('\n');
  const secrets = { 'the key of the device': good.key, 'the key of the policy': owner.key, 'the key of the hub': hubOwner.key };
  for (const [what, secret] of Object.entries(secrets)) {
    assert.ok(!text.includes(secret) && !text.includes(secret.slice(0, 24)), `${what} is in the log`);
  }
  assert.ok(!/SharedAccessSignature sr/.test(text), 'a token is in the log');
  assert.ok(!/sig=[A-Za-z0-9%+/]{20}/.test(text), 'a signature is in the log');
}

/** Runs one lane: `work(report, bench)`. */
async function use(report, name, work) {
  const bench = await open();
  const { server, good } = bench;
  await report.check(`${name}: a good device is served before`, () => good.check());
  const descriptors = server.descriptors();
  await work(report, bench);
  await report.check(`${name}: a good device is served afterwards`, () => good.check());
  await report.check(`${name}: no descriptor is left`, () => until(8000, 'the descriptors', () => server.descriptors() <= descriptors));
  await report.check(`${name}: no key and no token that was sent, right or wrong, is in the log`, () => noSecrets(bench));
  await usherd.checkStop(report, server, `${name}: usherd`);
}

module.exports = { environment, use };
