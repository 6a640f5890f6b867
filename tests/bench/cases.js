// The cases: what is measured against what, in the groups that share servers and are measured in turns.
'use strict';

const crypto = require('crypto');
const fs = require('fs');
const path = require('path');
const children = require('../lib/children');
const servers = require('./servers');
const usherd = require('../lib/usherd');
const { repetition, summary } = require('./measure');

const IN_FLIGHT = 64;
const OPS = 2000;
const ONE_BY_ONE = 200;
const WARM_UP = 100;
const FEW = 1000;
const MANY = 1000000;
const STRIDE = 997; // prime, so that the devices of a run lie all over the million

const NGINX = 'nginx, one tiny GET on a new TLS 1.3 connection';
const CASES = {
  nginx_tls: { what: NGINX, server: 'nginx', kind: 'get' },
  nginx_mtls: { what: `${NGINX} with a client certificate`, server: 'nginxMtls', kind: 'get', certificate: true },
  mosquitto_tls: { what: 'mosquitto: connect, subscribe, publish, echo', server: 'mosquitto', kind: 'echo' },
  mqtt_symmetric: { what: 'a device of an enrollment group registers over MQTT', server: 'usherd', kind: 'mqtt', group: true },
  https_symmetric: { what: 'a device of an enrollment group registers over HTTPS', server: 'usherd', kind: 'https', group: true },
  mqtt_symmetric_individual: { what: 'a device with an enrollment of its own, over MQTT', server: 'usherd', kind: 'mqtt' },
  https_symmetric_individual: { what: 'a device with an enrollment of its own, over HTTPS', server: 'usherd', kind: 'https' },
  nginx_tls_one_at_a_time: { what: NGINX, server: 'nginx', kind: 'get', alone: true },
  mqtt_symmetric_one_at_a_time: { what: 'as mqtt_symmetric, one device at a time', server: 'usherd', kind: 'mqtt', group: true, alone: true },
  https_symmetric_one_at_a_time: { what: 'as https_symmetric, one device at a time', server: 'usherd', kind: 'https', group: true, alone: true },
};
const TOTALS = [10000, 50000, 100000, 200000];
const MEMORY = ['usherd_started', ...TOTALS.map((total) => `mqtt_symmetric_${total / 1000}k_registrations`)];
const SCALE = ['mqtt_symmetric_1k_enrollments', 'mqtt_symmetric_1m_enrollments'];
const NAMES = [...Object.keys(CASES), ...MEMORY, ...SCALE];

/** Makes a folder with certificates, keys and a service, and `count` enrollments with one key. {dir, scope, key, groupKey} */
async function prepare(count) {
  const dir = usherd.scratch();
  const server = await usherd.start({ dir });
  const { scope } = server;
  const group = await server.control.group('fleet', { initialTwin: { properties: { desired: { interval: 30 } } } });
  await server.stop();
  const key = crypto.randomBytes(32).toString('base64');
  const made = await children.run(usherd.program('usher-fill'), [dir, scope, key, 'own-', String(count)], { timeout: 600000 });
  if (made.code !== 0) throw new Error(`usher-fill: ${made.stderr}`);
  return { dir, scope, key, groupKey: group.attestation.symmetricKey.primaryKey };
}

/** A CA and a client certificate from it, for nginx. */
async function clientCertificate(dir) {
  const at = (name) => path.join(dir, name);
  const openssl = async (...args) => {
    const { code, stderr } = await children.run('openssl', args);
    if (code !== 0) throw new Error(`openssl ${args[0]}: ${stderr}`);
  };
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30'];
  await openssl('req', '-x509', ...curve, '-subj', '/CN=bench client CA', '-keyout', at('client-ca.key'), '-out', at('client-ca.pem'));
  await openssl('req', '-x509', ...curve, '-subj', '/CN=bench client', '-CA', at('client-ca.pem'), '-CAkey', at('client-ca.key'),
    '-keyout', at('client.key'), '-out', at('client.pem')).catch(async () => {
    // OpenSSL 3.0 has no -CA for req
    await openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=bench client',
      '-keyout', at('client.key'), '-out', at('client.csr'));
    await openssl('x509', '-req', '-in', at('client.csr'), '-CA', at('client-ca.pem'), '-CAkey', at('client-ca.key'), '-CAcreateserial',
      '-days', '30', '-out', at('client.pem'));
  });
  return { certificate: at('client.pem'), 'certificate-key': at('client.key'), ca: at('client-ca.pem') };
}

/** Starts what the named cases need. */
async function startAll(names, repetitions) {
  const wanted = new Set(names.map((name) => CASES[name].server));
  const made = await prepare(2 * (repetitions + 1) * OPS);
  const client = await clientCertificate(usherd.scratch());
  const inDir = (name) => path.join(made.dir, name);
  const certificates = { ca: inDir('ca.pem'), certificate: inDir('server.pem'), key: inDir('server.key'), clientCa: client.ca };
  const running = { made, client };
  if (wanted.has('nginx') || wanted.has('nginxMtls')) {
    running.nginx = await servers.startNginx(certificates);
    running.nginxMtls = running.nginx;
  }
  if (wanted.has('mosquitto')) running.mosquitto = await servers.startMosquitto(certificates);
  if (wanted.has('usherd')) running.usherd = await servers.startUsherd(made.dir);
  return running;
}

function portOf(running, { server, kind }) {
  if (server === 'usherd') return kind === 'mqtt' ? running.usherd.bench.mqttPort : running.usherd.bench.httpsPort;
  return server === 'nginxMtls' ? running.nginx.mtlsPort : running[server].port;
}

/** The cases of the table above, in turns; each repetition of a device case is of devices that never registered before. */
async function direct(names, repetitions, say) {
  const running = await startAll(names, repetitions);
  const results = new Map(names.map((name) => [name, []]));
  let device = 0; // of the group
  let own = 0;
  for (let i = 0; i <= repetitions; i += 1) {
    for (const name of names) {
      const one = CASES[name];
      const count = i === 0 ? WARM_UP : one.alone ? ONE_BY_ONE : OPS;
      const load = { kind: one.kind, count, concurrency: one.alone ? 1 : IN_FLIGHT };
      if (one.certificate) Object.assign(load, { certificate: running.client.certificate, 'certificate-key': running.client['certificate-key'] });
      if (one.server === 'usherd' && one.group) Object.assign(load, { scope: running.made.scope, 'group-key': running.made.groupKey, prefix: 'device-', first: device });
      if (one.server === 'usherd' && !one.group) Object.assign(load, { scope: running.made.scope, key: running.made.key, prefix: 'own-', first: own });
      if (one.server === 'usherd' && one.group) device += count;
      if (one.server === 'usherd' && !one.group) own += count;
      const got = await repetition(running[one.server], portOf(running, one), load);
      if (i > 0) results.get(name).push(got);
    }
    say(i === 0 ? 'warmed up' : `repetition ${i} of ${repetitions}`);
  }
  for (const server of new Set([running.nginx, running.mosquitto, running.usherd].filter(Boolean))) await server.stop();
  return names.map((name) => summary(name, CASES[name].what, results.get(name)));
}

/** Resident memory after start, and after many registrations: one server, one run. */
async function memory(names, say) {
  const made = await prepare(0);
  const server = await servers.startUsherd(made.dir);
  const results = [{ case: MEMORY[0], what: 'usherd --dev that has just started', ops: 0, rss_kib: server.rss() }];
  let done = 0;
  for (const [i, total] of TOTALS.entries()) {
    const name = MEMORY[i + 1];
    if (!names.includes(name)) continue;
    const load = { kind: 'mqtt', scope: made.scope, 'group-key': made.groupKey, prefix: 'device-', first: done, count: total - done, concurrency: IN_FLIGHT };
    const got = await repetition(server, server.bench.mqttPort, load);
    results.push({ case: name, what: `the same usherd after ${total} registrations over MQTT, all of them so far`, ...got });
    done = total;
    say(`${total} registrations`);
  }
  await server.stop();
  return results.filter((result) => names.includes(result.case));
}

/** A thousand enrollments against a million: a fresh copy of the small store each time, other devices of the large one. */
async function scale(names, repetitions, say) {
  const stores = {};
  for (const [name, count] of [[SCALE[0], FEW], [SCALE[1], MANY]]) {
    if (names.includes(name)) stores[name] = { made: await prepare(count), count, results: [] };
    say(`${count} enrollments made`);
  }
  const ops = FEW - WARM_UP;
  for (let i = 1; i <= repetitions; i += 1) {
    for (const store of Object.values(stores)) {
      let { dir } = store.made;
      if (store.count === FEW) {
        dir = usherd.scratch();
        for (const file of fs.readdirSync(store.made.dir)) fs.copyFileSync(path.join(store.made.dir, file), path.join(dir, file));
      }
      const stride = store.count === FEW ? 1 : STRIDE;
      const first = store.count === FEW ? 0 : i; // never the same devices: i and i + k * 997 differ for small i
      const load = { kind: 'mqtt', scope: store.made.scope, key: store.made.key, prefix: 'own-', stride, concurrency: IN_FLIGHT };
      const server = await servers.startUsherd(dir);
      await repetition(server, server.bench.mqttPort, { ...load, first, count: WARM_UP });
      store.results.push(await repetition(server, server.bench.mqttPort, { ...load, first: first + WARM_UP * stride, count: ops }));
      await server.stop();
    }
    say(`repetition ${i} of ${repetitions}`);
  }
  return Object.entries(stores).map(([name, { count, results }]) => summary(name,
    `a device with an enrollment of its own over MQTT, ${count} enrollments in the store`, results));
}

/** Runs the named cases; their results, in the order of NAMES. */
async function run(names, repetitions, say) {
  const results = [];
  const pick = (all) => all.filter((name) => names.includes(name));
  if (pick(Object.keys(CASES)).length > 0) results.push(...await direct(pick(Object.keys(CASES)), repetitions, say));
  if (pick(MEMORY).length > 0) results.push(...await memory(pick(MEMORY), say));
  if (pick(SCALE).length > 0) results.push(...await scale(pick(SCALE), repetitions, say));
  return results;
}

module.exports = { NAMES, IN_FLIGHT, run };
