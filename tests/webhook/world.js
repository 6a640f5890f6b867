// A world of its own, for `run`: a network namespace whose one interface has a public address, where the function is, and internal
// ones, where something listens that nobody may talk to; and a name server. The daemon's settings are those it comes with.
'use strict';

const assert = require('assert');
const fs = require('fs');
const path = require('path');
const children = require('../lib/children');
const usherd = require('../lib/usherd');
const { Bench } = require('./bench');
const { Certificates } = require('./certificates');
const { Functions } = require('./functions');
const { NameServer } = require('./dns');
const { NOT_CALLED } = require('./places');
const { right, TWO } = require('./behaviours');
const { suite } = require('../lib/report');

const PUBLIC = '93.184.216.34';
const DEAF = '93.184.216.35'; // public too, and nobody is there
const PUBLIC_SIX = '2606:2800:220:1::34';
const METADATA = '169.254.169.254';
const PRIVATE = '10.9.9.9';
const UNIQUE_LOCAL = 'fd00:ec2::254';
const INTERNAL = [METADATA, PRIVATE, '127.0.0.1'];

const v4 = (...addresses) => (type) => (type === 'A' ? addresses : []);
const NAMES = {
  'function.test': v4(PUBLIC),
  'six.test': (type) => (type === 'AAAA' ? [PUBLIC_SIX] : []),
  'private.test': v4(PRIVATE),
  'metadata.test': v4(METADATA),
  'loopback.test': v4('127.0.0.1'),
  'loopback-six.test': (type) => (type === 'AAAA' ? ['::1'] : []),
  'local-six.test': (type) => (type === 'AAAA' ? [UNIQUE_LOCAL] : []),
  'mapped.test': (type) => (type === 'AAAA' ? ['::ffff:7f00:1'] : []),
  'falls-back.test': v4(DEAF, '127.0.0.1'), // the second is tried when the first does not answer
  'both.test': v4(PRIVATE, PUBLIC), // one of its addresses may be called
  'rebinds.test': (type, before) => (type === 'A' ? [before === 0 ? PUBLIC : '127.0.0.1'] : []),
};

async function sh(...words) {
  const { code, stderr } = await children.run(words[0], words.slice(1));
  if (code !== 0) throw new Error(`${words.join(' ')}: ${stderr}`);
}

async function furnish() {
  const dir = usherd.scratch();
  for (const address of [PUBLIC, DEAF, METADATA, PRIVATE]) await sh('ip', 'addr', 'add', `${address}/32`, 'dev', 'lo');
  for (const address of [PUBLIC_SIX, UNIQUE_LOCAL]) await sh('ip', '-6', 'addr', 'add', `${address}/128`, 'dev', 'lo', 'nodad');
  const file = path.join(dir, 'resolv.conf');
  fs.writeFileSync(file, 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n');
  await sh('mount', '--bind', file, '/etc/resolv.conf');
  const names = new NameServer(NAMES);
  await names.start();
  return names;
}

/** The function at the public addresses; beside it, on the same port of all others, what must stay unheard. */
async function functions() {
  const made = new Functions();
  made.behaviours = { right };
  const pki = await Certificates.make();
  made.caFile = pki.caFile;
  const everywhere = [...Object.keys(NAMES).map((name) => `DNS:${name}`), ...INTERNAL.map((address) => `IP:${address}`), 'DNS:localhost', 'IP:0:0:0:0:0:0:0:1'];
  const pair = await pki.signed('everywhere', everywhere.join(','));
  await made.serve('public', pair, { host: PUBLIC, port: 443 });
  await made.serve('publicSix', pair, { host: PUBLIC_SIX, port: 443 });
  for (const host of [...INTERNAL, '::1', UNIQUE_LOCAL]) await made.serve(host, pair, { host, port: 443 });
  return made;
}

suite('webhook, a world of its own', async (report) => {
  const names = await furnish();
  const fns = await functions();
  const bench = await Bench.start({ settings: { 'webhook.caFile': fns.caFile, threads: 2 } });
  let devices = 0;
  const heard = () => [...INTERNAL, '::1', UNIQUE_LOCAL].reduce((sum, name) => sum + (fns.connections[name] || 0), 0);
  const ask = async (host) => {
    const id = `world-${devices += 1}`;
    const mark = bench.server.log.mark();
    const { json } = await bench.provision({ id, key: await bench.enroll(id, `https://${host}/api/right?code=SECRET`) });
    return { json, said: json.status === 'assigned' ? '' : await bench.reason(id, mark) };
  };
  for (const host of ['function.test', 'six.test', 'both.test']) {
    await report.check(`a function at the public address of ${host} is asked, with the settings as they come`, async () => {
      const { json, said } = await ask(host);
      assert.strictEqual(json.registrationState.assignedHub, TWO, said);
      assert.strictEqual(heard(), 0);
    });
  }
  const refused = ['private.test', 'metadata.test', 'loopback.test', 'loopback-six.test', 'local-six.test', 'mapped.test', 'localhost',
    METADATA, '2852039166', '0xa9fea9fe', '0251.0376.0251.0376', PRIVATE, '127.0.0.1', '127.1', '0', '[::1]', '[::ffff:169.254.169.254]', `[${UNIQUE_LOCAL}]`];
  for (const host of refused) {
    await report.check(`nobody is connected to for a webhook at ${host}, where a function listens that would answer`, async () => {
      const { json, said } = await ask(host);
      assert.deepStrictEqual([json.status, json.registrationState.errorCode], ['failed', 400207], JSON.stringify(json));
      assert.ok(said.includes(NOT_CALLED), said);
      assert.strictEqual(heard(), 0);
    });
  }
  await report.check('a name whose first address does not answer and whose second is loopback: the second is not tried', async () => {
    const { json } = await ask('falls-back.test');
    assert.deepStrictEqual([json.status, json.registrationState.errorCode], ['failed', 400207], JSON.stringify(json));
    assert.strictEqual(heard(), 0);
  });
  await report.check('a name that leads to the function at first and to loopback when it is asked for again is never followed there', async () => {
    const outcomes = { assigned: 0, failed: 0 };
    for (let i = 0; i < 100 && (outcomes.failed === 0 || outcomes.assigned === 0); i += 1) { // each loop looks the name up for itself
      const { json, said } = await ask('rebinds.test');
      outcomes[json.status] += 1;
      if (json.status === 'failed') assert.ok(said.includes(`a loopback address, ${NOT_CALLED}`), said);
    }
    assert.ok(names.asked['rebinds.test A'] >= 2, 'it was looked up once only');
    assert.ok(outcomes.assigned > 0 && outcomes.failed > 0, JSON.stringify(outcomes));
    assert.strictEqual(heard(), 0);
  }, 120000);
  fns.stop();
  await usherd.checkStop(report, bench.server, 'the service');
});
