// All of tests/allocation, in order; `run` starts it with the CA that the SDKs are to trust.
'use strict';

const usherd = require('../lib/usherd');
const custom = require('./custom');
const hubs = require('./hubs');
const { Estate } = require('./estate');
const { table, unlinked } = require('./cells');
const { suite } = require('../lib/report');

suite('allocation', async (report) => {
  const estate = await Estate.start();
  await table(report, estate);
  await custom.scenes(report, estate);
  await hubs.scenes(report, estate);
  await unlinked(report, estate);
  await hubs.named(report, estate);
  await usherd.checkStop(report, estate.service, 'the service');
  for (const [name, hub] of Object.entries(estate.hubs)) await usherd.checkStop(report, hub.server, `hub ${name.toUpperCase()}`);
});
