// What holds for every piece of bad input: the answer it wants, the connection closed, one log line that says why.
'use strict';

const assert = require('assert');
const device = require('../lib/device');
const sas = require('../lib/sas');
const { until } = require('../lib/wait');

let canaries = 0;

/** Sends a request that is always logged: once its line is here, so are the lines of all that went before. */
async function canary(server, mark) {
  canaries += 1;
  const name = `canary-${canaries}`;
  await server.control.request('GET', `/${name}`);
  await server.log.waitFor(name, { mark });
}

/** Runs `work` and asserts that usherd wrote exactly one log line meanwhile, and that this line says why: `said`, if given. */
async function oneLogLine(server, work, said) {
  await canary(server, server.log.mark());
  const mark = server.log.mark();
  const value = await work();
  await until(3000, 'a log line', () => server.log.since(mark).length > 0);
  await canary(server, mark);
  const lines = server.log.since(mark).filter((line) => !line.text.includes('canary-'));
  assert.strictEqual(lines.length, 1, `log lines: ${lines.map((line) => line.text).join(' | ')}`);
  const { entry, text } = lines[0];
  assert.ok(entry && typeof entry === 'object', `a log line that is no JSON: ${text}`);
  assert.ok(entry.time && entry.level && entry.event, `time, level and event in ${text}`);
  assert.ok(entry.error || entry.reason, `the log line does not say why: ${text}`);
  if (said) assert.match(`${entry.error}: ${entry.reason}`, said, 'what the log says');
  return value;
}

/** A device that does everything right, over both transports. */
class GoodDevice {
  constructor(server, id, key) {
    Object.assign(this, { server, id, key });
  }

  static async make(server, id) {
    const enrollment = await server.control.enroll(id);
    return new GoodDevice(server, id, enrollment.attestation.symmetricKey.primaryKey);
  }

  async check() {
    const { server, id, key } = this;
    const overMqtt = await device.provisionMqtt(server, { id, key });
    assert.strictEqual(overMqtt.status, 200, overMqtt.text);
    const overHttp = await device.registerHttp(server, { id, key });
    assert.strictEqual(overHttp.status, 202, String(overHttp.body));
  }

  freshToken(more = {}) {
    return sas.deviceToken({ scope: this.server.scope, id: this.id, key: this.key, ...more });
  }
}

/** How far the server's resident memory may grow, in KiB: a freeing allocator that keeps what it freed needs more room. */
function roomFor(server) {
  return server.sanitized() ? 32 * 1024 : 1024;
}

/** Asserts that `work` does not make the server grow. */
async function noGrowth(server, work) {
  const before = server.rss();
  const value = await work();
  const grown = server.rss() - before;
  assert.ok(grown < roomFor(server), `resident memory grew by ${grown} KiB (from ${before} KiB)`);
  return value;
}

module.exports = { canary, oneLogLine, GoodDevice, noGrowth, roomFor };
