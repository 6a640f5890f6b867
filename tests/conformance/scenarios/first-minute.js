// Claims: what `usherd --dev` prints is what a user needs to point an SDK at it, and `ready` comes last.
'use strict';

const assert = require('assert');
const os = require('os');
const tls = require('tls');
const { within } = require('../../lib/wait');

async function run(report, bench) {
  const text = bench.stdout.join('\n');
  await report.check('the ID scope, the CA file, both ports and both connection strings are printed', () => {
    assert.ok(text.includes(bench.scope), 'the ID scope');
    assert.match(bench.scope, /^0ne[0-9A-F]{8}$/);
    assert.ok(text.includes(bench.caFile), 'the CA file');
    for (const port of [bench.httpsPort, bench.mqttPort]) assert.ok(text.includes(`localhost:${port}`), `localhost:${port}`);
    for (const string of [bench.serviceConnectionString, bench.hubConnectionString]) assert.ok(text.includes(string), string.replace(/=[^=]{20,}=*$/, '=…'));
  });
  // What `localhost` means is the client's affair: Node.js 18 takes ::1 first where there is one.
  const addresses = Object.values(os.networkInterfaces()).flat().map((one) => one.address);
  for (const host of ['127.0.0.1', '::1'].filter((one) => addresses.includes(one))) {
    await report.check(`both doors are open on ${host}`, async () => {
      for (const port of [bench.httpsPort, bench.mqttPort]) {
        const socket = tls.connect({ host, port, servername: 'localhost', ca: bench.ca });
        await within(5000, `TLS with ${host}, port ${port}`, new Promise((resolve, reject) => {
          socket.once('secureConnect', resolve).once('error', reject);
        }));
        socket.destroy();
      }
    });
  }
  await report.check('the last line is `ready`', () => {
    assert.strictEqual(bench.stdout[bench.stdout.length - 1], 'ready');
  });
}

module.exports = { name: 'usherd --dev', run };
