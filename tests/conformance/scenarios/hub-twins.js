// Claims: azure-iothub reads, merges, replaces and queries twins of the embedded hub, and conflicts come as its own errors.
'use strict';

const assert = require('assert');
const { bodyOf, pagesOf, refused } = require('../bench');
const { overHttps } = require('../../lib/control');
const sas = require('../../lib/sas');

/** The desired or reported properties without what the hub adds. */
function plain({ $version, $metadata, ...rest }) {
  return rest;
}

/** An object with so many objects within each other below it: Azure's own example of what is valid has ten. */
function nested(depth) {
  let inner = { property: 'value' };
  for (let i = 0; i < depth; i += 1) inner = { d: inner };
  return inner;
}

async function updates(report, bench, registry) {
  await report.check('a new device has an empty twin at version 1', async () => {
    await registry.create({ deviceId: 'twin-1' });
    const twin = bodyOf(await registry.getTwin('twin-1'));
    assert.deepStrictEqual(twin.tags, {});
    for (const side of ['desired', 'reported']) {
      assert.deepStrictEqual(plain(twin.properties[side]), {});
      assert.strictEqual(twin.properties[side].$version, 1);
      assert.ok(twin.properties[side].$metadata.$lastUpdated);
    }
  });

  await report.check('update merges: null removes, what is not named stays, versions and metadata follow', async () => {
    await registry.updateTwin('twin-1', { tags: { site: 'A', floor: { n: 1, m: 2 } }, properties: { desired: { a: 1, b: { c: 'x', d: true } } } }, '*');
    const twin = bodyOf(await registry.updateTwin('twin-1', { tags: { floor: { n: null } }, properties: { desired: { b: { d: null, e: [1] } } } }, '*'));
    assert.deepStrictEqual(twin.tags, { site: 'A', floor: { m: 2 } });
    assert.deepStrictEqual(plain(twin.properties.desired), { a: 1, b: { c: 'x', e: [1] } });
    assert.strictEqual(twin.properties.desired.$version, 3);
    assert.ok(twin.properties.desired.$metadata.b.e.$lastUpdated, 'metadata of a nested property');
    assert.ok(!('d' in twin.properties.desired.$metadata.b), 'metadata of what was removed');
  });

  await report.check('update with an old etag: InvalidEtagError, and nothing is written', async () => {
    const old = bodyOf(await registry.getTwin('twin-1')).etag;
    const fresh = bodyOf(await registry.updateTwin('twin-1', { tags: { site: 'B' } }, old));
    assert.notStrictEqual(fresh.etag, old);
    await refused(registry.updateTwin('twin-1', { tags: { site: 'C' } }, old), { name: 'InvalidEtagError', status: 412 });
    assert.strictEqual(bodyOf(await registry.getTwin('twin-1')).tags.site, 'B');
  });

  await report.check('update through the twin object carries its etag', async () => {
    const twin = bodyOf(await registry.getTwin('twin-1'));
    await twin.update({ tags: { through: 'the object' } });
    assert.strictEqual(twin.tags.through, 'the object');
  });

  await report.check('replace leaves only what it names', async () => {
    // The Node SDK has no call for this; the CLI and .NET send it so.
    const { SharedAccessKeyName: policy, SharedAccessKey: key } = sas.parseConnectionString(bench.hubConnectionString);
    const answer = await overHttps(bench, 'PUT', '/twins/twin-1?api-version=2021-04-12', {
      token: sas.policyToken({ host: 'localhost', policy, key }), headers: { 'If-Match': '"*"' },
      body: { tags: { only: 1 }, properties: { desired: { left: true } } },
    });
    assert.strictEqual(answer.status, 200, answer.text);
    const twin = bodyOf(await registry.getTwin('twin-1'));
    assert.deepStrictEqual(twin.tags, { only: 1 });
    assert.deepStrictEqual(plain(twin.properties.desired), { left: true });
  });

  await report.check('the twin of an unknown device: DeviceNotFoundError', async () => {
    await refused(registry.getTwin('twin-nobody'), { name: 'DeviceNotFoundError', status: 404 });
    await refused(registry.updateTwin('twin-nobody', { tags: {} }, '*'), { name: 'DeviceNotFoundError', status: 404 });
  });

  await report.check('properties nested ten deep are taken', async () => {
    const deep = nested(10);
    const twin = bodyOf(await registry.updateTwin('twin-1', { properties: { desired: { d: null, ...deep } } }, '*'));
    assert.deepStrictEqual(plain(twin.properties.desired).d, deep.d);
    await registry.updateTwin('twin-1', { properties: { desired: { d: null } } }, '*');
  });

  const bad = {
    'a key with a dot': { properties: { desired: { 'a.b': 1 } } },
    'a key with a dollar sign': { properties: { desired: { $own: 1 } } },
    'desired properties of more than 32 KB': { properties: { desired: Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`k${i}`, 'x'.repeat(4000)])) } },
    'tags of more than 8 KB': { tags: { a: 'x'.repeat(4000), b: 'x'.repeat(4000), c: 'x'.repeat(4000) } },
    'properties nested eleven deep': { properties: { desired: nested(11) } },
  };
  for (const [what, patch] of Object.entries(bad)) {
    await report.check(`refused with ArgumentError: ${what}`, async () => {
      const before = bodyOf(await registry.getTwin('twin-1'));
      await refused(registry.updateTwin('twin-1', patch, '*'), { name: 'ArgumentError', status: 400 });
      assert.strictEqual(bodyOf(await registry.getTwin('twin-1')).etag, before.etag);
    });
  }
}

async function queries(report, registry) {
  const ids = Array.from({ length: 11 }, (_, i) => `twin-q-${String(i).padStart(2, '0')}`);

  await report.check('a query in pages gives each twin once', async () => {
    await registry.addDevices(ids.map((deviceId) => ({ deviceId })));
    await registry.updateTwin('twin-q-03', { tags: { ring: 'canary' }, properties: { desired: { n: 3 } } }, '*');
    const pages = await pagesOf(registry.createQuery("SELECT * FROM devices WHERE deviceId IN ['twin-q-00','twin-q-01','twin-q-02','twin-q-03','twin-q-04']", 2));
    assert.deepStrictEqual(pages.flat().map((twin) => twin.deviceId).sort(), ids.slice(0, 5));
    for (const page of pages.slice(0, -1)) assert.strictEqual(page.length, 2);
    const all = (await pagesOf(registry.createQuery('SELECT * FROM devices', 4))).flat().map((twin) => twin.deviceId);
    assert.strictEqual(new Set(all).size, all.length);
    assert.ok(ids.every((id) => all.includes(id)));
  });

  await report.check('a condition on tags and on properties selects twins', async () => {
    for (const condition of ["tags.ring = 'canary'", 'properties.desired.n = 3', "deviceId = 'twin-q-03'"]) {
      const found = (await pagesOf(registry.createQuery(`SELECT * FROM devices WHERE ${condition}`, 10))).flat();
      assert.deepStrictEqual(found.map((twin) => twin.deviceId), ['twin-q-03'], condition);
    }
  });

  await report.check('nextAsTwin gives twins that can be updated', async () => {
    const query = registry.createQuery("SELECT * FROM devices WHERE deviceId = 'twin-q-05'", 10);
    const { result } = await query.nextAsTwin();
    await result[0].update({ tags: { by: 'query' } });
    assert.strictEqual(bodyOf(await registry.getTwin('twin-q-05')).tags.by, 'query');
  });

  await report.check('a query that cannot be read: ArgumentError', async () => {
    await refused(registry.createQuery('SELECT * FROM devices WHERE', 10).next(), { name: 'ArgumentError', status: 400 });
  });
}

async function run(report, bench) {
  const registry = bench.registry();
  await updates(report, bench, registry);
  await queries(report, registry);
}

module.exports = { name: 'iothub twins', run };
