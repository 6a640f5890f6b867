// URLs that are never called (threats D1): by a daemon that may call 127.0.0.0/8 and nothing else that is internal; and, in a world
// of its own (world.js), by one that is as it comes.
'use strict';

const assert = require('assert');
const path = require('path');
const children = require('../lib/children');
const netns = require('../lib/netns');

const NOT_CALLED = 'which is not called unless webhook.allowAddresses has it';

/** URL -> part of the reason. */
function urls(functions) {
  const { good, plain } = functions.ports;
  return {
    [`https://user:SECRET@localhost:${good}/api/right`]: 'names a user',
    [`https://localhost:${good}@127.0.0.1:${good}/api/right`]: 'names a user',
    [`https://169.254.169.254:${good}/api/right`]: NOT_CALLED,
    [`https://0xa9fea9fe:${good}/api/right`]: NOT_CALLED,
    [`https://10.0.0.1:${good}/api/right`]: NOT_CALLED,
    [`https://0.0.0.0:${good}/api/right`]: NOT_CALLED,
    [`https://[::1]:${good}/api/right`]: NOT_CALLED,
    [`https://[64:ff9b::7f00:1]:${good}/api/right`]: NOT_CALLED,
    [`http://localhost:${plain}/api/right`]: 'only https is taken',
    'https://localhost:22/api/right': 'not among webhook.ports',
  };
}

async function inUrls(report, bench, functions) {
  let i = 0;
  for (const [url, reason] of Object.entries(urls(functions))) {
    const id = `url-${i += 1}`;
    await report.check(`a webhook at ${url.replace(/\d{4,5}(?=[/@])/g, 'PORT')} is not asked: 400207, and the log says why`, async () => {
      const before = functions.requests.length;
      const mark = bench.server.log.mark();
      const { json } = await bench.provision({ id, key: await bench.enroll(id, url) });
      assert.deepStrictEqual([json.status, json.registrationState.errorCode], ['failed', 400207], JSON.stringify(json));
      const said = await bench.reason(id, mark);
      assert.ok(said.includes(reason), `the log says "${said}"`);
      assert.strictEqual(functions.requests.length, before);
    });
  }
}

/** Runs world.js where there is no other network, and counts what it prints. */
async function inWorld(report) {
  const words = await netns.prefix();
  const child = children.start(words[0], [...words.slice(1), 'unshare', '--mount', process.execPath, path.join(__dirname, 'world.js')],
    { stdio: ['ignore', 'pipe', 'inherit'] });
  let rest = '';
  let printed = 0;
  child.stdout.on('data', (data) => {
    const lines = (rest + data).split('\n');
    rest = lines.pop();
    for (const line of lines) if (report.relay(line)) printed += 1;
  });
  const { code } = await child.done;
  if (code !== 0 || printed === 0) report.fail('a world with names of its own', `it ended with code ${code} after ${printed} results`);
}

module.exports = { inUrls, inWorld, NOT_CALLED };
