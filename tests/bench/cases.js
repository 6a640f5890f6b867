// The cases: what is measured against what, in the groups that share servers and are measured in turns.
'use strict';

const crypto = require('crypto');
const fs = require('fs');
const path = require('path');
const besides = require('./besides');
const children = require('../lib/children');
const hanging = require('./hanging');
const servers = require('./servers');
const usherd = require('../lib/usherd');
const { SoftTpm } = require('../lib/softtpm');
const { API } = require('../lib/control');
const { repetition, hold, summary, median } = require('./measure');

const IN_FLIGHT = 64;
const OPS = 2000;
const ONE_BY_ONE = 200;
const WARM_UP = 100;
const FEW = 1000;
const MANY = 1000000;
const STRIDE = 997; // prime, so that the devices of a run lie all over the million

const IDLE = 5000;
const TPM_OPS = 500;
const TPMS = 16; // whose keys the devices share, because making them takes longer than all else

const NGINX = 'nginx, one tiny GET on a new TLS 1.3 connection';
const AMQP = 'a device registers over AMQP, opening in the flights of the SDKs for Node and C#, closing as that for C#';
const DETACH = 'a device registers over AMQP in all the flights of the SDK for Node';
const PIPELINED = 'a device registers over AMQP in as few flights as the protocol allows';
// The answers a device waits for once TLS is up, one after another. Over AMQP, as amqp_symmetric does: those to the SASL
// header; init; header and open; begin; the link to receive; flow and the link to send; message; close. Over MQTT: those to
// CONNECT, SUBSCRIBE and PUBLISH; it waits for none to its goodbye. Over WebSocket: that to the upgrade too, and MQTT waits
// for the Close. PINGREQs before SUBSCRIBE make up the difference. That is a floor: a PINGRESP has 2 bytes and takes no thought,
// an answer over AMQP has more and does. usherd then reads and writes as often as over AMQP, but for one write more over MQTT
// without WebSocket: the end of TLS after a goodbye without an answer, which over AMQP goes with the answer to the close.
const AMQP_ROUND_TRIPS = { plain: 8, webSocket: 1 + 8 };
const MQTT_ROUND_TRIPS = { plain: 3, webSocket: 1 + 3 + 1 };
const PINGS = { plain: AMQP_ROUND_TRIPS.plain - MQTT_ROUND_TRIPS.plain, webSocket: AMQP_ROUND_TRIPS.webSocket - MQTT_ROUND_TRIPS.webSocket };
const REGISTRAR = 'a registrar on Node that keeps no records; CPU with what it forks: tpm2_makecredential';
// `by`: how a device proves itself. group: a key derived from the group's; own: the key of its enrollment; certificate:
// a leaf of its own below the intermediate of the bench's PKI, shown together with it; tpm: a TPM in software. `load`: further
// arguments of usher-load. `ops`: of a repetition.
const CASES = {
  nginx_tls: { what: NGINX, server: 'nginx', kind: 'get' },
  nginx_mtls: { what: `${NGINX} with a client certificate: leaf and intermediate, P-256`, server: 'nginxMtls', kind: 'get', by: 'client' },
  mosquitto_tls: { what: 'mosquitto: connect, subscribe, publish, echo', server: 'mosquitto', kind: 'echo' },
  mqtt_symmetric: { what: 'a device of an enrollment group registers over MQTT', server: 'usherd', kind: 'mqtt', by: 'group' },
  https_symmetric: { what: 'a device of an enrollment group registers over HTTPS', server: 'usherd', kind: 'https', by: 'group' },
  mqtt_x509: { what: 'a device of an X.509 group registers over MQTT: leaf and intermediate, P-256', server: 'usherd', kind: 'mqtt', by: 'certificate' },
  https_x509: { what: 'a device of an X.509 group registers over HTTPS: leaf and intermediate, P-256', server: 'usherd', kind: 'https', by: 'certificate' },
  mqtt_symmetric_individual: { what: 'a device with an enrollment of its own, over MQTT', server: 'usherd', kind: 'mqtt', by: 'own' },
  https_symmetric_individual: { what: 'a device with an enrollment of its own, over HTTPS', server: 'usherd', kind: 'https', by: 'own' },
  mqtt_ws_symmetric: { what: 'as mqtt_symmetric, over WebSocket', server: 'usherd', kind: 'mqtt-ws', by: 'group' },
  mqtt_ws_x509: { what: 'as mqtt_x509, over WebSocket', server: 'usherd', kind: 'mqtt-ws', by: 'certificate' },
  mqtt_symmetric_as_many_round_trips: { what: `as mqtt_symmetric, in as many round trips as amqp_symmetric, a floor: ${PINGS.plain} PINGREQ, whose answers are shorter`, server: 'usherd', kind: 'mqtt', by: 'group', load: { pings: PINGS.plain } },
  mqtt_ws_symmetric_as_many_round_trips: { what: `as mqtt_ws_symmetric, in as many round trips as amqp_ws_symmetric, a floor: ${PINGS.webSocket} PINGREQ, whose answers are shorter`, server: 'usherd', kind: 'mqtt-ws', by: 'group', load: { pings: PINGS.webSocket } },
  amqp_symmetric: { what: `${AMQP}, SASL PLAIN`, server: 'usherd', kind: 'amqp', by: 'group' },
  amqp_x509: { what: `${AMQP}, no SASL layer: leaf and intermediate, P-256`, server: 'usherd', kind: 'amqp', by: 'certificate' },
  amqp_symmetric_node: { what: `${DETACH}, SASL PLAIN`, server: 'usherd', kind: 'amqp', by: 'group', load: { detach: 1 } },
  amqp_x509_node: { what: `${DETACH}, no SASL layer`, server: 'usherd', kind: 'amqp', by: 'certificate', load: { detach: 1 } },
  amqp_symmetric_pipelined: { what: `${PIPELINED}, SASL PLAIN`, server: 'usherd', kind: 'amqp', by: 'group', load: { pipelined: 1 } },
  amqp_x509_pipelined: { what: `${PIPELINED}, no SASL layer`, server: 'usherd', kind: 'amqp', by: 'certificate', load: { pipelined: 1 } },
  amqp_ws_symmetric: { what: 'as amqp_symmetric, over WebSocket', server: 'usherd', kind: 'amqp-ws', by: 'group' },
  amqp_ws_x509: { what: 'as amqp_x509, over WebSocket', server: 'usherd', kind: 'amqp-ws', by: 'certificate' },
  https_tpm: { what: 'a device with a TPM and an enrollment of its own, over HTTPS: challenge, register; two activation blobs', server: 'usherd', kind: 'tpm', by: 'tpm', ops: TPM_OPS },
  registrar_fork: { what: `${REGISTRAR} for the challenge and for the key of the hub`, server: 'registrar', kind: 'tpm', by: 'tpm', ops: TPM_OPS },
  registrar_fork_challenge: { what: `${REGISTRAR} for the challenge alone, and gives no key`, server: 'registrarOfChallenges', kind: 'tpm', by: 'tpm', ops: TPM_OPS },
  nginx_tls_one_at_a_time: { what: NGINX, server: 'nginx', kind: 'get', alone: true },
  mqtt_symmetric_one_at_a_time: { what: 'as mqtt_symmetric, one device at a time', server: 'usherd', kind: 'mqtt', by: 'group', alone: true },
  https_symmetric_one_at_a_time: { what: 'as https_symmetric, one device at a time', server: 'usherd', kind: 'https', by: 'group', alone: true },
  mqtt_x509_one_at_a_time: { what: 'as mqtt_x509, one device at a time', server: 'usherd', kind: 'mqtt', by: 'certificate', alone: true },
};
const FLOOR = ['openssl_x509_floor'];
const TOTALS = [10000, 50000, 100000, 200000];
const MEMORY = ['usherd_started', ...TOTALS.map((total) => `mqtt_symmetric_${total / 1000}k_registrations`)];
const TOOL = 'tpm2_makecredential'; // measured together with registrar_fork_challenge
const CONNECTIONS = {
  idle_mqtt_symmetric: { kind: 'mqtt', by: 'group' },
  idle_mqtt_x509: { kind: 'mqtt', by: 'certificate' },
  idle_mqtt_ws_symmetric: { kind: 'mqtt-ws', by: 'group' },
  idle_amqp_symmetric: { kind: 'amqp', by: 'group' },
  idle_amqp_x509: { kind: 'amqp', by: 'certificate' },
  idle_amqp_ws_symmetric: { kind: 'amqp-ws', by: 'group' },
};
const SCALE = ['mqtt_symmetric_1k_enrollments', 'mqtt_symmetric_1m_enrollments'];
const CROWD = ['mqtt_x509_1_group', 'mqtt_x509_10k_groups'];
const NAMES = [...Object.keys(CASES), ...FLOOR, ...MEMORY, ...Object.keys(CONNECTIONS), ...SCALE, ...CROWD, ...besides.NAMES, ...hanging.NAMES];

async function must(program, args, timeout = 600000) {
  const { code, stdout, stderr } = await children.run(program, args, { timeout });
  if (code !== 0) throw new Error(`${path.basename(program)} ${args[0]}: ${stderr || stdout}`);
  return stdout;
}

/** A root, an intermediate below it, and one device for the plain clients: {dir, at(name)}. */
async function makePki() {
  const dir = path.join(usherd.scratch(), 'pki');
  await must(usherd.program('usher'), ['pki', 'create', dir, '--intermediates', '1', '--device', 'bench-client']);
  return { dir, at: (name) => path.join(dir, name) };
}

/** A file with the private keys of TPMS TPMs. */
function makeTpms() {
  const file = path.join(usherd.scratch(), 'tpms.pem');
  const pem = ({ privateKey }) => privateKey.export({ type: 'pkcs8', format: 'pem' });
  fs.writeFileSync(file, Array.from({ length: TPMS }, () => new SoftTpm()).map((tpm) => pem(tpm.ek) + pem(tpm.srk)).join(''));
  return file;
}

/** Makes a folder with certificates, keys and a service with an enrollment group for each kind of proof, and `count`
    enrollments with one key, and `tpmCount` of TPMs. {dir, scope, key, groupKey, pki, tpms} */
async function prepare(count, tpmCount = 0) {
  const dir = usherd.scratch();
  const pki = await makePki();
  const server = await usherd.start({ dir });
  const { scope } = server;
  const initialTwin = { properties: { desired: { interval: 30 } } };
  const group = await server.control.group('fleet', { initialTwin });
  await server.control.must('PUT', '/control/services/dev/certificates/bench-root', { certificate: fs.readFileSync(pki.at('root.pem'), 'utf8'), isVerified: true });
  await server.control.must('PUT', `/enrollmentGroups/certified?${API}`, {
    enrollmentGroupId: 'certified', attestation: { type: 'x509', x509: { caReferences: { primary: 'bench-root' } } }, initialTwin,
  });
  await server.stop();
  const key = crypto.randomBytes(32).toString('base64');
  if (count > 0) await must(usherd.program('usher-fill'), [dir, scope, key, 'own-', String(count)]);
  const tpms = tpmCount > 0 ? makeTpms() : undefined;
  if (tpmCount > 0) await must(usherd.program('usher-fill'), [dir, scope, 'tpm', tpms, 'tpm-', String(tpmCount)]);
  return { dir, scope, key, tpms, groupKey: group.attestation.symmetricKey.primaryKey, pki };
}

/** The arguments of usher-load that say how devices prove themselves. */
function proof(made, by) {
  const { scope, pki } = made;
  return {
    undefined: {},
    client: { certificate: pki.at('bench-client-chain.pem'), 'certificate-key': pki.at('bench-client.key') },
    group: { scope, 'group-key': made.groupKey, prefix: 'device-' },
    own: { scope, key: made.key, prefix: 'own-' },
    tpm: { scope, tpms: made.tpms, prefix: 'tpm-' },
    certificate: { scope, issuer: pki.at('intermediate1.pem'), 'issuer-key': pki.at('intermediate1.key'), prefix: 'unit-' },
  }[by];
}

/** Starts what the named cases need. */
async function startAll(names, repetitions) {
  const wanted = new Set(names.map((name) => CASES[name].server));
  const tpm = names.some((name) => CASES[name].by === 'tpm');
  const made = await prepare(2 * (repetitions + 1) * OPS, tpm ? 3 * (repetitions + 1) * TPM_OPS : 0);
  const inDir = (name) => path.join(made.dir, name);
  const certificates = { ca: inDir('ca.pem'), certificate: inDir('server.pem'), key: inDir('server.key'), clientCa: made.pki.at('root.pem') };
  const running = { made };
  if (wanted.has('nginx') || wanted.has('nginxMtls')) {
    running.nginx = await servers.startNginx(certificates);
    running.nginxMtls = running.nginx;
  }
  if (wanted.has('mosquitto')) running.mosquitto = await servers.startMosquitto(certificates);
  if (wanted.has('registrar')) running.registrar = await servers.startRegistrar(certificates, 2);
  if (wanted.has('registrarOfChallenges')) running.registrarOfChallenges = await servers.startRegistrar(certificates, 1);
  if (wanted.has('usherd')) running.usherd = await servers.startUsherd(made.dir);
  return running;
}

function usherPort({ bench }, kind) {
  return { mqtt: bench.mqttPort, amqp: bench.amqpPort }[kind] || bench.httpsPort;
}

function portOf(running, { server, kind }) {
  if (server === 'usherd') return usherPort(running.usherd, kind);
  return server === 'nginxMtls' ? running.nginx.mtlsPort : running[server].port;
}

/** The cases of the table above, in turns; each repetition of a device case is of devices that never registered before. */
async function direct(names, repetitions, say) {
  const running = await startAll(names, repetitions);
  const results = new Map(names.map((name) => [name, []]));
  const forked = [];
  const next = { group: 0, own: 0, certificate: 0, tpm: 0 }; // the first device that has not registered
  for (let i = 0; i <= repetitions; i += 1) {
    for (const name of [...names.slice(i % names.length), ...names.slice(0, i % names.length)]) { // nobody is always behind the same
      const one = CASES[name];
      const count = i === 0 ? WARM_UP : one.alone ? ONE_BY_ONE : one.ops || OPS;
      const load = { kind: one.kind, count, concurrency: one.alone ? 1 : IN_FLIGHT, ...one.load, ...proof(running.made, one.by) };
      if (one.by in next) {
        load.first = next[one.by];
        next[one.by] += count;
      }
      const server = running[one.server];
      const before = one.server === 'registrarOfChallenges' ? server.forked() : undefined;
      const got = await repetition(server, portOf(running, one), load);
      if (i > 0) results.get(name).push(got);
      if (i > 0 && before !== undefined) forked.push({ ...got, cpu_us_per_op: (server.forked() - before) / got.ops });
    }
    say(i === 0 ? 'warmed up' : `repetition ${i} of ${repetitions}`);
  }
  for (const server of new Set([running.nginx, running.mosquitto, running.registrar, running.registrarOfChallenges, running.usherd].filter(Boolean))) await server.stop();
  const made = names.map((name) => summary(name, CASES[name].what, results.get(name)));
  if (forked.length === 0) return made;
  const { cpu_us_per_op: cpu } = summary(TOOL, '', forked);
  return [...made, { case: TOOL, what: 'of registrar_fork_challenge, what the forked tpm2_makecredential alone took', repetitions, ops: TPM_OPS, cpu_us_per_op: cpu }];
}

/** What no server that lets a device in by its certificate can avoid, in CPU time of one core: an X25519 key and a shared
    secret, the server's own signature, and two checked ones (the handshake's and the leaf's). */
async function floor(repetitions, say) {
  const results = [];
  for (let i = 1; i <= repetitions; i += 1) {
    const text = await must('openssl', ['speed', '-mr', '-seconds', '1', 'ecdsap256', 'ecdhx25519']);
    const [sign, verify] = /^\+F4:\d+:256:([\d.]+):([\d.]+)$/m.exec(text).slice(1).map((rate) => 1 / Number(rate));
    const exchange = 1 / Number(/^\+F5:\d+:253:([\d.]+):/m.exec(text)[1]);
    results.push(1e6 * (sign + 2 * verify + 2 * exchange));
    say(`floor ${i} of ${repetitions}`);
  }
  const what = 'openssl speed: two X25519 operations, one P-256 signature made and two checked';
  return [{ case: FLOOR[0], what, repetitions, ops: 1, cpu_us_per_op: Number(median(results).toFixed(3)) }];
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

/** What one connection costs that is let in and then says nothing: resident memory, with and without IDLE of them. */
async function idle(names, say) {
  const results = [];
  for (const name of names) {
    const made = await prepare(0);
    const server = await servers.startUsherd(made.dir);
    const { kind, by } = CONNECTIONS[name];
    const port = usherPort(server, kind);
    const load = { kind, concurrency: IN_FLIGHT, ...proof(made, by) };
    await repetition(server, port, { ...load, count: WARM_UP });
    const before = server.rss();
    const held = await hold(server, port, { ...load, count: IDLE, first: WARM_UP, keep: 1 });
    results.push({
      case: name, ops: IDLE, rss_kib: (server.rss() - before) / IDLE,
      what: `resident memory for each of ${IDLE} connections (${kind}) whose devices registered and then say nothing`,
    });
    held.child.stdin.end();
    await held.child.done;
    await server.stop();
    say(`${name}: ${IDLE} connections`);
  }
  return results;
}

/** The service with one X.509 group and one CA certificate, against one with thousands beside them. */
async function crowd(names, repetitions, say) {
  const stores = {};
  for (const name of names) {
    const made = await prepare(0);
    if (name === 'mqtt_x509_10k_groups') {
      await must(usherd.program('usher-fill'), [made.dir, made.scope, 'certificates', '1000']);
      await must(usherd.program('usher-fill'), [made.dir, made.scope, 'groups', '10000']);
    }
    stores[name] = { made, server: await servers.startUsherd(made.dir), next: 0, results: [] };
    say(`${name}: the store is made`);
  }
  for (let i = 0; i <= repetitions; i += 1) {
    for (const one of Object.values(stores)) {
      const count = i === 0 ? WARM_UP : OPS;
      const load = { kind: 'mqtt', count, concurrency: IN_FLIGHT, first: one.next, ...proof(one.made, 'certificate') };
      const got = await repetition(one.server, one.server.bench.mqttPort, load);
      one.next += count;
      if (i > 0) one.results.push(got);
    }
    say(i === 0 ? 'warmed up' : `repetition ${i} of ${repetitions}`);
  }
  for (const { server } of Object.values(stores)) await server.stop();
  const what = { mqtt_x509_1_group: 'one group and one CA certificate in the service', mqtt_x509_10k_groups: '10,000 other groups and 1,000 other CA certificates beside them' };
  return names.map((name) => summary(name, `as mqtt_x509, ${what[name]}`, stores[name].results));
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
  if (pick(FLOOR).length > 0) results.push(...await floor(repetitions, say));
  if (pick(Object.keys(CONNECTIONS)).length > 0) results.push(...await idle(pick(Object.keys(CONNECTIONS)), say));
  if (pick(CROWD).length > 0) results.push(...await crowd(pick(CROWD), repetitions, say));
  if (pick(besides.NAMES).length > 0) results.push(...await besides.run(pick(besides.NAMES), repetitions, await prepare(0), say));
  if (pick(hanging.NAMES).length > 0) results.push(...await hanging.run(pick(hanging.NAMES), repetitions, await prepare(0), say));
  if (pick(SCALE).length > 0) results.push(...await scale(pick(SCALE), repetitions, say));
  return results;
}

module.exports = { NAMES, IN_FLIGHT, run };
