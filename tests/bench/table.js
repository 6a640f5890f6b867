// The figures for people: a table of the cases, and one of the targets with what was reached.
'use strict';

const { median } = require('./measure');

const KIB = 1024;
const WORDS = { symmetric: 'symmetric key', x509: 'X.509' };

/** [target, what it is compared with, limit as text, figure of the results, is it reached] for what was measured. */
const TARGETS = [
  ratio('MQTT, symmetric key: CPU per registration against nginx_tls', 'mqtt_symmetric', 'nginx_tls', 1.3),
  ratio('HTTPS, symmetric key: CPU per registration against nginx_tls', 'https_symmetric', 'nginx_tls', 1.3),
  ratio('MQTT, X.509: CPU per registration against nginx_mtls', 'mqtt_x509', 'nginx_mtls', 0.65),
  ratio('MQTT, X.509: CPU per registration against the floor of unavoidable cryptography', 'mqtt_x509', 'openssl_x509_floor'),
  ...['mqtt_ws', 'amqp', 'amqp_ws'].flatMap((transport) => ['symmetric', 'x509'].map((by) => ratio(
    `${transport.toUpperCase().replace('_', ' over ').replace('WS', 'WebSocket')}, ${WORDS[by]}: CPU per registration against MQTT`,
    `${transport}_${by}`, `mqtt_${by}`, 1.25))),
  ratio('as many round trips as AMQP, nothing else, symmetric key: CPU per registration against MQTT', 'mqtt_symmetric_as_many_round_trips', 'mqtt_symmetric'),
  ratio('as many round trips as AMQP over WebSocket, nothing else, symmetric key: CPU per registration against MQTT', 'mqtt_ws_symmetric_as_many_round_trips', 'mqtt_symmetric'),
  ratio('AMQP over WebSocket, symmetric key: CPU per registration against MQTT over WebSocket', 'amqp_ws_symmetric', 'mqtt_ws_symmetric'),
  ...['symmetric', 'x509'].flatMap((by) => [
    ratio(`AMQP, all flights of the SDK for Node, ${WORDS[by]}: CPU per registration against MQTT`, `amqp_${by}_node`, `mqtt_${by}`, 1.25),
    ratio(`AMQP, pipelined, ${WORDS[by]}: CPU per registration against MQTT`, `amqp_${by}_pipelined`, `mqtt_${by}`),
  ]),
  times('TPM over HTTPS: registrations in the CPU time of one of a registrar that forks tpm2_makecredential', 'https_tpm', 'registrar_fork', 'cpu_us_per_op', 20),
  times('the same, the registrar forking for the challenge alone', 'https_tpm', 'registrar_fork_challenge', 'cpu_us_per_op'),
  times('the same, against the forked tpm2_makecredential alone', 'https_tpm', 'tpm2_makecredential', 'cpu_us_per_op'),
  times('the same, registrations per second, the load generator on the same processors', 'https_tpm', 'registrar_fork', 'per_second'),
  below('MQTT, one device at a time: p50 to `assigned`', 'mqtt_symmetric_one_at_a_time', 'p50_ms', 10, 'ms'),
  below('HTTPS, one device at a time: p50 to `assigned`', 'https_symmetric_one_at_a_time', 'p50_ms', 10, 'ms'),
  below('resident memory after start', 'usherd_started', 'rss_kib', 20 * KIB, 'KiB'),
  flat('resident memory, 200,000 registrations against 10,000', 'mqtt_symmetric_200k_registrations', 'mqtt_symmetric_10k_registrations', 0.1),
  below('memory of an idle X.509 MQTT connection', 'idle_mqtt_x509', 'rss_kib', 20, 'KiB'),
  ...['idle_mqtt_ws_symmetric', 'idle_amqp_symmetric', 'idle_amqp_x509', 'idle_amqp_ws_symmetric'].map((name) => shown(
    `memory of an idle connection: ${name}`, name, 'rss_kib', 'KiB')),
  ratio('CPU per X.509 registration, 10,000 groups and 1,000 CA certificates against one', 'mqtt_x509_10k_groups', 'mqtt_x509_1_group', 1.1),
  slower('MQTT: p99 beside 2,000 slow peers against alone', 'mqtt_beside_slow', 'mqtt_alone', 2),
  slower('AMQP: p99 beside 2,000 slow peers against alone', 'amqp_beside_slow', 'amqp_alone', 2),
  slower('HTTPS: p99 beside 2,000 slow peers against alone', 'https_beside_slow', 'https_alone', 2),
  slower('MQTT: p99 beside 300 devices that wait for their webhook, against beside nobody', 'mqtt_beside_webhooks', 'mqtt_beside_nobody', 2),
  ratio('CPU per registration, 1,000,000 enrollments against 1,000', 'mqtt_symmetric_1m_enrollments', 'mqtt_symmetric_1k_enrollments', 1.1),
];

/** CPU time of one against another, and the middle half of what the repetitions say: of two that were measured in turns, each
    repetition against its neighbour, because a shared machine's speed wanders from minute to minute. */
function against(one, base) {
  if (!one.each || !base.each || one.each.length !== base.each.length) return { factor: one.cpu_us_per_op / base.cpu_us_per_op, spread: '' };
  const factors = one.each.map((cpu, i) => cpu / base.each[i]).sort((a, b) => a - b);
  const [low, high] = [0.25, 0.75].map((part) => factors[Math.round(part * (factors.length - 1))].toFixed(2));
  return { factor: median(factors), spread: ` (${low} to ${high})` };
}

/** Without a limit the ratio is for information. */
function ratio(target, name, base, limit) {
  return {
    target, limit: limit ? `≤ ${limit.toFixed(2)} ×` : '', needs: [name, base],
    reach: (of) => {
      const { factor, spread } = against(of[name], of[base]);
      return { text: `${factor.toFixed(2)} ×${spread}`, good: limit ? factor <= limit : undefined };
    },
  };
}

/** How many times better than `base`: in operations per second, or in CPU time. */
function times(target, name, base, figure, limit) {
  const factor = (of) => (figure === 'per_second' ? of[name][figure] / of[base][figure] : of[base][figure] / of[name][figure]);
  return {
    target, limit: limit ? `≥ ${limit} ×` : '', needs: [name, base],
    reach: (of) => ({ text: `${factor(of).toFixed(1)} ×`, good: limit ? factor(of) >= limit : undefined }),
  };
}

function below(target, name, figure, limit, unit) {
  return {
    target, limit: `< ${limit} ${unit}`, needs: [name],
    reach: (of) => ({ text: `${of[name][figure]} ${unit}`, good: of[name][figure] < limit }),
  };
}

function slower(target, name, base, limit) {
  return {
    target, limit: `≤ ${limit} ×`, needs: [name, base],
    reach: (of) => ({ text: `${(of[name].p99_ms / of[base].p99_ms).toFixed(2)} ×`, good: of[name].p99_ms <= limit * of[base].p99_ms }),
  };
}

/** For information. */
function shown(target, name, figure, unit) {
  return { target, limit: '', needs: [name], reach: (of) => ({ text: `${of[name][figure].toFixed(1)} ${unit}` }) };
}

function flat(target, name, base, within) {
  return {
    target, limit: `± ${within * 100} %`, needs: [name, base],
    reach: (of) => {
      const change = of[name].rss_kib / of[base].rss_kib - 1;
      return { text: `${change >= 0 ? '+' : ''}${(change * 100).toFixed(1)} %`, good: Math.abs(change) <= within };
    },
  };
}

function markdown(head, rows, right) {
  const width = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i].length)));
  const line = (row) => `| ${row.map((cell, i) => (right.has(i) ? cell.padStart(width[i]) : cell.padEnd(width[i]))).join(' | ')} |`;
  const rule = `|${width.map((w, i) => (right.has(i) ? `${'-'.repeat(w + 1)}:` : '-'.repeat(w + 2))).join('|')}|`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}

function figure(value, digits) {
  return value === undefined || Number.isNaN(value) ? '' : value.toFixed(digits);
}

function cases(results) {
  const rows = results.map((r) => [r.case, figure(r.cpu_us_per_op, 0), figure(r.per_second, 0), figure(r.p50_ms, 2), figure(r.p99_ms, 2),
    figure(r.rss_kib / KIB, r.rss_kib < KIB ? 3 : 1), r.what]);
  return markdown(['case', 'CPU µs/op', 'op/s', 'p50 ms', 'p99 ms', 'RSS MiB', 'what'], rows, new Set([1, 2, 3, 4, 5]));
}

function targets(results) {
  const of = Object.fromEntries(results.map((result) => [result.case, result]));
  const rows = TARGETS.filter(({ needs }) => needs.every((name) => of[name])).map(({ target, limit, reach }) => {
    const { text, good } = reach(of);
    return [target, limit, text, good === undefined ? '' : good ? 'yes' : 'NO'];
  });
  return rows.length > 0 ? markdown(['target', 'limit', 'measured', 'reached'], rows, new Set([1, 2])) : '';
}

module.exports = { cases, targets };
