// Devices with certificates in the races: one certificate on two connections, two certificates at once, and an operator who
// takes away and gives back what lets them in while they register.
'use strict';

const assert = require('assert');
const pki = require('../lib/pki');
const { API } = require('../lib/control');
const { Closed } = require('../lib/peer');
const doors = require('../lib/doors');
const { openAll, pairOf } = require('./connections');
const { inParallel } = require('../lib/pool');
const { pause, until } = require('../lib/wait');

const DEVICES = 200;
const BREACH_DEVICES = 50; // each by two doors: all pairs of them, twice
const FLIPS = 12; // of taking away and giving back
const FLIP_MS = 20000;
const VAIN_MAX = 8; // refusals in a row after which usherd closes a connection (docs/device-api.md)
const OVERTAKEN_MAX = 3; // in all rounds of one race: it is seldom, or something is wrong
const OPERATORS = 8; // requests at once over the control socket

function names(what, count) {
  return Array.from({ length: count }, (_, i) => `${what}-${i}`);
}

/** The thumbprints that a hub holds must be one of these pairs; a mix of two is none of them. */
function oneOf(id, pairs) {
  return ({ type, x509Thumbprint }) => {
    assert.strictEqual(type, 'selfSigned', `how the hub knows ${id}`);
    const held = `${x509Thumbprint.primaryThumbprint} ${x509Thumbprint.secondaryThumbprint}`;
    assert.ok(pairs.some((pair) => pair.join(' ') === held), `the hub knows ${id} by ${held}, and it showed ${pairs.join(' or ')}`);
  };
}

/** A group below a CA, half of the devices of which show their leaf alone; the other half have enrollments of their own. */
async function withCertificates(server) {
  const ids = names('cert-racer', DEVICES);
  const [below, alone] = [ids.filter((_, i) => i % 2 === 0), ids.filter((_, i) => i % 2 === 1)];
  const made = await pki.Pki.make({ below, alone, intermediates: 1 });
  await pki.uploadCa(server.control, server.service, 'race-root', made.pem('root'));
  await pki.group(server.control, 'cert-fleet', { signing: [made.pem('intermediate1')] });
  for (const id of alone) await pki.enroll(server.control, id, [made.pem(id)]);
  return ids.map((id, i) => {
    const shown = made.thumbprint(id);
    return {
      id, by: 'x509', group: i % 2 === 0 ? 'cert-fleet' : undefined, via: pairOf(i),
      tls: [made.showing(id, { leaf: i % 4 === 0 })], checkIdentity: oneOf(id, [[shown, shown]]),
    };
  });
}

/** Each device shows one certificate on one connection and another one on the other, both good. */
async function withTwoCertificates(server) {
  const ids = names('rolled-racer', DEVICES);
  const [below, alone] = [ids.slice(0, DEVICES / 4), ids.slice(DEVICES / 4)];
  const before = await pki.Pki.make({ below, alone });
  const renewed = await before.rolled(below);
  const second = await pki.Pki.make({ alone });
  await pki.uploadCa(server.control, server.service, 'race-root', before.pem('root'));
  await pki.group(server.control, 'cert-fleet', { ca: ['race-root'] });
  for (const id of alone) await pki.enroll(server.control, id, [before.pem(id), second.pem(id)]);
  return ids.map((id, i) => {
    const member = i < below.length;
    const other = member ? renewed : second;
    const [one, two] = [before.thumbprint(id), other.thumbprint(id)];
    assert.notStrictEqual(one, two);
    const pairs = member ? [[one, one], [two, two]] : [[one, two], [two, one]];
    return {
      id, by: 'x509', group: member ? 'cert-fleet' : undefined, via: pairOf(i),
      tls: [before.showing(id), other.showing(id)], checkIdentity: oneOf(id, pairs),
    };
  });
}

/**
 * What counts at the moment. `allowed` is undefined while a change is on its way; `epoch` is another one after each change,
 * so that an answer says something only when its question was asked in the same epoch.
 */
class Gate {
  constructor() {
    this.epoch = 0;
    this.allowed = true;
    this.stopped = false;
    this.judged = new Map(); // connection number: the last epoch in which it was judged
    this.counts = { assigned: 0, refused: 0, between: 0, overtaken: 0 };
  }

  async change(to, send) {
    this.allowed = undefined;
    this.epoch += 1;
    await send();
    this.epoch += 1;
    this.allowed = to;
  }

  judge(number, id, asked, { status, json }) {
    const assigned = (status === 200 || status === 202) && json.status === 'assigned';
    const refused = status === 401 && json.errorCode === 401002 && !('status' in json);
    assert.ok(assigned || refused, `${id} was answered ${status} ${JSON.stringify(json)}`);
    if (asked.epoch !== this.epoch || this.allowed === undefined) {
      this.counts.between += 1;
      return;
    }
    assert.strictEqual(assigned, this.allowed, `${id} asked after the operator was answered, and was told ${status} ${JSON.stringify(json)}`);
    this.counts[assigned ? 'assigned' : 'refused'] += 1;
    this.judged.set(number, this.epoch);
  }

  /** Waits for another epoch than this one. */
  next(epoch) {
    return until(2 * FLIP_MS, 'the next change', () => this.stopped || this.epoch !== epoch);
  }

  /** Every connection has asked and been answered since the last change. */
  everybodyJudged(count) {
    return until(FLIP_MS, 'every connection to be answered after the change', () => this.failure
      || [...this.judged.values()].filter((epoch) => epoch === this.epoch).length === count);
  }
}

/**
 * Registers on and on over one connection that was open from the start. Whoever was refused in earnest waits for the next
 * change; and who was refused too often meanwhile finds the connection closed, and comes back.
 */
async function registerOn(gate, seat, number) {
  let vain = 0;
  while (!gate.stopped) {
    const asked = { epoch: gate.epoch };
    let got;
    try {
      await seat.connection.send();
      got = await seat.connection.answer();
      while (got.json.status === 'assigning') { // the other connection's call is under way, on a busy machine
        await pause(20);
        got = await seat.connection.poll(got.json.operationId);
      }
    } catch (error) {
      if (!(error instanceof Closed) || vain < VAIN_MAX) throw error;
      seat.connection.close();
      seat.connection = await seat.reopen();
      vain = 0;
      continue;
    }
    // Only the last two operations of a device are answered: its other connection has registered twice since. It asks anew.
    if (got.json.errorCode === 404202) {
      gate.counts.overtaken += 1;
      assert.ok(gate.counts.overtaken <= OVERTAKEN_MAX, `${seat.id}: operations are not found again and again`);
      continue;
    }
    vain = got.status === 401 ? vain + 1 : 0;
    gate.judge(number, seat.id, asked, got);
    if (gate.judged.get(number) === gate.epoch && !gate.allowed) await gate.next(asked.epoch);
  }
}

/** While all devices go on registering on open connections, `close` and `open` alternate. Ends closed. */
async function flip(seats, { close, open }) {
  const gate = new Gate();
  const loops = seats.map((seat, i) => registerOn(gate, seat, i)
    .catch((error) => { gate.failure = gate.failure || error; gate.stopped = true; }));
  try {
    for (let i = 0; i < FLIPS && !gate.failure; i += 1) {
      await gate.everybodyJudged(seats.length);
      await gate.change(i % 2 === 1, i % 2 === 1 ? open : close);
    }
    if (!gate.failure) {
      await gate.change(false, close);
      await gate.everybodyJudged(seats.length);
    }
  } finally {
    gate.stopped = true;
    await Promise.all(loops);
  }
  if (gate.failure) throw gate.failure;
  console.log(`# ${JSON.stringify(gate.counts)}`);
  assert.ok(gate.counts.assigned > 0 && gate.counts.refused > 0, JSON.stringify(gate.counts));
}

/** Ways to take devices in and out: {name: {close, open}}. */
function ways({ control, service }, made, ids) {
  const certificate = `/control/services/${service}/certificates/breach-root`;
  const any = { 'If-Match': '*' };
  const body = { ca: ['breach-root'] };
  const each = (work) => () => inParallel(OPERATORS, ids, work);
  const record = (id) => `/enrollments/${id}?${API}`;
  return {
    'the group is disabled and enabled': {
      close: () => pki.group(control, 'breach-fleet', { ...body, provisioningStatus: 'disabled' }, any),
      open: () => pki.group(control, 'breach-fleet', { ...body, provisioningStatus: 'enabled' }, any),
    },
    'the CA certificate is deleted and uploaded again': {
      close: () => control.must('DELETE', certificate, undefined, any),
      open: () => pki.uploadCa(control, service, 'breach-root', made.pem('root')),
    },
    'the CA certificate is another one and the right one again': {
      close: () => control.must('PUT', certificate, { certificate: made.other.pem('root'), isVerified: true }, any),
      open: () => control.must('PUT', certificate, { certificate: made.pem('root'), isVerified: true }, any),
    },
    'each device is blocked by a disabled enrollment of its own, and freed': {
      close: each((id) => control.must('PUT', record(id), {
        registrationId: id, attestation: pki.attestation('clientCertificates', [made.pem(id)]), provisioningStatus: 'disabled' })),
      open: each((id) => control.must('DELETE', record(id), undefined, any)),
    },
    'the group is deleted and made again': {
      close: () => control.must('DELETE', `/enrollmentGroups/breach-fleet?${API}`, undefined, any),
      open: () => pki.group(control, 'breach-fleet', body),
    },
  };
}

/** I5 under way: what an operator has closed is closed from the answer on, on connections that were open before. */
async function breach(report, server) {
  const ids = names('breached', BREACH_DEVICES);
  const made = await pki.Pki.make({ below: ids });
  made.other = await pki.Pki.make({ name: 'Somebody else' });
  await pki.uploadCa(server.control, server.service, 'breach-root', made.pem('root'));
  await pki.group(server.control, 'breach-fleet', { ca: ['breach-root'] });
  const devices = ids.map((id, i) => ({ id, via: pairOf(i), tls: [made.showing(id)] }));
  for (const [name, way] of Object.entries(ways(server, made, ids))) {
    await report.check(`while devices register, ${name}: each is assigned or told 401002, and from the operator's answer on the one that is due`, async () => {
      const open = await openAll(server, devices);
      const seats = devices.flatMap(({ id, via: pair, tls: [tls] }, i) => pair.map((via, k) => (
        { id, connection: open[i][k], reopen: () => doors.open(server, via, { id, tls }) })));
      try {
        await flip(seats, way);
      } finally {
        for (const { connection } of seats) connection.close();
        await way.open().catch(() => {}); // for the next way, which says so if it could not; after a failure it may be open already
      }
    }, 120000);
  }
}

module.exports = { withCertificates, withTwoCertificates, breach };
