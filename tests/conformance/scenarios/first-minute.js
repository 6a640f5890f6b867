// Claims: what `usherd --dev` prints is what a user needs to point an SDK at it, and `ready` comes last.
'use strict';

const assert = require('assert');

async function run(report, bench) {
  const text = bench.stdout.join('\n');
  await report.check('the ID scope, the CA file, both ports and both connection strings are printed', () => {
    assert.ok(text.includes(bench.scope), 'the ID scope');
    assert.match(bench.scope, /^0ne[0-9A-F]{8}$/);
    assert.ok(text.includes(bench.caFile), 'the CA file');
    for (const port of [bench.httpsPort, bench.mqttPort]) assert.ok(text.includes(`localhost:${port}`), `localhost:${port}`);
    for (const string of [bench.serviceConnectionString, bench.hubConnectionString]) assert.ok(text.includes(string), string.replace(/=[^=]{20,}=*$/, '=…'));
  });
  await report.check('the last line is `ready`', () => {
    assert.strictEqual(bench.stdout[bench.stdout.length - 1], 'ready');
  });
}

module.exports = { name: 'usherd --dev', run };
