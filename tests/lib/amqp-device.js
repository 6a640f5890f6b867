// A device over AMQP as its bytes: SASL, open, begin, two links, one message a request, its outcome and its answer
// (device-protocol.md 4). What differs between clients is said by `form`, an entry like those of vectors/amqp-clients.js.
'use strict';

const assert = require('assert');
const { Closed } = require('./peer');
const { HEADER, encoder, frame, describe, openAmqp, sections } = require('./amqp');

const OFFERED = ['PLAIN', 'TPM', 'EXTERNAL', 'ANONYMOUS'];
const SASL_FRAME_MAX = 512; // MIN-MAX-FRAME-SIZE: no SASL frame may be larger (part 5, 5.3.3)
const HANDLE = { receiver: 0, sender: 1 };
const WINDOW = 2048;

/** What a client does when its entry does not say otherwise. */
const PLAIN_FORM = {
  container: 'device', names: { receiver: 'receiver', sender: 'sender' }, address: '{scope}/registrations/{id}', credit: 10,
  order: ['receiver', 'sender'], apiVersion: '2019-03-31', together: [], other: {},
};

/** What a device says one after the other; `together` lists those that go out with the one before, without waiting. */
const STEPS = ['header', 'open', 'begin', 'first link', 'second link'];

class AmqpDevice {
  constructor(peer, form, who) {
    Object.assign(this, { peer, form: { ...PLAIN_FORM, ...form }, who, handles: {}, credit: 0, next: 0, taken: 0 });
    this.e = encoder({ wide: form.wide });
  }

  fill(text) {
    return text.replace(/\{(scope|id|host)\}/g, (_, name) => this.who[name]);
  }

  amqp(name, fields, payload = Buffer.alloc(0)) {
    return frame(Buffer.concat([this.e.composite(name, fields), payload]));
  }

  sasl(name, fields) {
    return frame(this.e.composite(name, fields), { type: 1 });
  }

  /** The SASL layer up to its outcome: {code, …}. `answer(challenge)`, which may take its time, is for mechanisms that go on after the first response. */
  async authenticate(mechanism, response, answer) {
    const { e, form } = this;
    const host = form.saslHost === undefined ? undefined : e.string(this.fill(form.saslHost));
    const init = this.sasl('init', [e.symbol(mechanism), response === undefined ? undefined : e.binary(response), host]);
    if (form.eager) {
      await this.peer.write(HEADER.sasl, init, ...['header', 'open', 'begin', ...form.order].map((step) => this.bytesOf(step)));
      this.said = true;
    } else {
      await this.peer.write(HEADER.sasl);
    }
    await this.peer.header('sasl');
    const [offered] = await this.peer.expect('mechanisms');
    assert.deepStrictEqual([offered].flat().map((one) => one.symbol), OFFERED, 'mechanisms offered');
    if (!form.eager) await this.peer.write(init);
    for (;;) {
      const got = await this.peer.next('challenge or outcome', 10000);
      assert.ok(got.size <= SASL_FRAME_MAX, `a SASL frame of ${got.size} bytes`);
      if (got.name === 'outcome') return { code: got.fields[0] };
      assert.strictEqual(got.name, 'challenge', describe(got));
      await this.peer.write(this.sasl('response', [e.binary(await answer(got.fields[0]))]));
    }
  }

  bytesOf(step) {
    const { e, form } = this;
    const { container, host, maxFrame, channelMax, idle } = form;
    switch (step) {
      case 'header': return HEADER.amqp;
      case 'open': return this.amqp('open', [e.string(container), host === undefined ? undefined : e.string(this.fill(host)),
        maxFrame && e.uint(maxFrame), channelMax && e.ushort(channelMax), idle && e.uint(idle)]);
      case 'begin': return this.amqp('begin', [undefined, e.uint(0), e.uint(WINDOW), e.uint(WINDOW), e.uint(7)]);
      default: return Buffer.concat([this.attach(step), step === 'receiver' ? this.flow() : Buffer.alloc(0)]);
    }
  }

  attach(role) {
    const { e, form } = this;
    const receives = role === 'receiver';
    const ours = this.fill(form.address);
    const at = (name, address) => e.composite(name, address === undefined ? [] : [e.string(address)]);
    const properties = [[e.symbol('com.microsoft:api-version'), e.string(form.apiVersion)]];
    if (form.clientVersion) properties.push([e.symbol('com.microsoft:client-version'), e.string(form.clientVersion)]);
    const largest = form.maxMessage && form.maxMessage[role];
    return this.amqp('attach', [
      e.string(form.names[role]), e.uint(HANDLE[role]), e.bool(receives), undefined, form.settleFirst && e.ubyte(0),
      at('source', receives ? ours : form.other.source), at('target', receives ? form.other.target : ours), undefined, undefined,
      receives ? undefined : e.uint(0), largest && e.ulong(largest), undefined, undefined, e.map(properties),
    ]);
  }

  /** Credit for answers; who grants one at a time does so again after each. */
  flow() {
    const { e } = this;
    return this.amqp('flow', [e.uint(0), e.uint(WINDOW), e.uint(0), e.uint(WINDOW), e.uint(HANDLE.receiver), e.uint(this.taken), e.uint(this.form.credit)]);
  }

  /** Everything between SASL and the first message; the frames that answer are checked. */
  async connect() {
    const steps = ['header', 'open', 'begin', ...this.form.order];
    let asked = [];
    for (const [i, step] of steps.entries()) {
      asked.push(step);
      if (this.form.together.includes(STEPS[i + 1])) continue;
      if (!this.said) await this.peer.write(...asked.map((one) => this.bytesOf(one)));
      for (const one of asked) await this.answered(one);
      asked = [];
    }
    while (this.credit === 0) await this.take('flow');
    return this;
  }

  async answered(step) {
    if (step === 'header') await this.peer.header('amqp');
    else if (step === 'open') this.opened(await this.peer.expect('open'));
    else if (step === 'begin') assert.strictEqual((await this.peer.expect('begin'))[0], 0, 'remote-channel');
    else while (this.handles[step] === undefined) await this.take('attach');
  }

  opened([container, , frameMax]) {
    assert.ok(container.length > 0, 'container-id');
    assert.ok(frameMax >= SASL_FRAME_MAX, `max-frame-size ${frameMax}`);
    this.frameMax = frameMax;
  }

  /** The next frame, of one of these names; of a flow or an attach it takes note, and a flow may come at any time. */
  async take(...names) {
    for (;;) {
      const got = await this.peer.next(names.join(' or '), 10000);
      const { name, fields } = got;
      if (name === 'flow') this.flowed(fields);
      else if (name === 'attach') this.attached(fields);
      if (names.includes(name)) return got;
      if (name === 'close') throw new Closed(`${this.peer.name}: expected ${names.join(' or ')}, got ${describe(got)}`);
      if (name !== 'flow') throw new Error(`expected ${names.join(' or ')}, got ${describe(got)}`);
    }
  }

  flowed([, , , , handle, , credit]) {
    if (handle !== undefined && handle !== null && handle === this.handles.sender) this.credit = credit;
  }

  attached([name, handle, theyReceive, , , source, target]) {
    const role = theyReceive ? 'sender' : 'receiver';
    assert.strictEqual(name, this.form.names[role], 'name of the link, of our role');
    const ours = role === 'receiver' ? source : target;
    assert.ok(ours, `${name}: the link was refused`);
    assert.strictEqual(ours.value[0], this.fill(this.form.address), 'address of the link, mirrored');
    this.handles[role] = handle;
  }

  message({ operation, operationId, correlation, force, body }) {
    const { e } = this;
    const properties = [[e.string('iotdps-operation-type'), e.string(operation)]];
    if (operationId !== undefined) properties.push([e.string('iotdps-operation-id'), e.string(operationId)]);
    if (force !== undefined) properties.push([e.string('iotdps-forceRegistration'), e.bool(force)]);
    const parts = [];
    if (correlation) parts.push(e.composite('properties', correlation.none ? [] : [undefined, undefined, undefined, undefined, undefined, e[correlation.type](correlation.value)]));
    parts.push(e.described('applicationProperties', e.map(properties)));
    if (body && body.data !== undefined) parts.push(e.described('data', e.binary(Buffer.from(body.data))));
    if (body && body.value !== undefined) parts.push(e.described('value', e.string(body.value)));
    return Buffer.concat(parts);
  }

  /** The frames of a message, as large as the service takes them. */
  transfers(id, message) {
    const { e } = this;
    const room = this.frameMax - 100; // for what is around a part
    const parts = Array.from({ length: Math.ceil(message.length / room) }, (_, i) => message.subarray(i * room, (i + 1) * room));
    return parts.map((part, i) => this.amqp('transfer', [
      e.uint(HANDLE.sender), e.uint(id), e.binary(`t${id}`), e.uint(0), e.bool(false), e.bool(i < parts.length - 1)], part));
  }

  /** One request: {rejected} or, after `accepted`, the answer: {json, text, correlation, properties, took}. */
  async ask(request) {
    const sentAt = process.hrtime.bigint();
    await this.send(request);
    const got = await this.reply();
    return got.rejected ? got : { ...got, took: Number(process.hrtime.bigint() - sentAt) / 1e6 };
  }

  async send(request) {
    const id = this.next;
    this.next += 1;
    await this.peer.write(...this.transfers(id, this.message(request)));
  }

  /** What came of the request that was sent last. */
  async reply() {
    const id = this.next - 1;
    const { fields: [role, first, last, settled, state] } = await this.take('disposition');
    assert.deepStrictEqual([role, first, last === null || last === undefined ? id : last, settled], [true, id, id, true], 'disposition of the request');
    if (state.described === 'rejected') return { rejected: refusal(state) };
    assert.strictEqual(state.described, 'accepted');
    return this.answer();
  }

  async answer() {
    const { e } = this;
    const parts = [];
    let delivery;
    for (let more = true; more;) {
      const { fields, payload } = await this.take('transfer');
      assert.strictEqual(fields[0], this.handles.receiver, 'handle of the answer');
      if (delivery === undefined) [, delivery] = fields;
      parts.push(payload);
      more = fields[5] === true;
    }
    const settled = this.amqp('disposition', [e.bool(true), e.uint(delivery), undefined, e.bool(true), e.composite('accepted', [])]);
    this.taken += 1;
    await this.peer.write(settled, this.form.credit === 1 ? this.flow() : Buffer.alloc(0));
    return understand(sections(Buffer.concat(parts)));
  }

  /** Detach, end, close, each answered; then the service closes the connection. */
  async leave() {
    const { e } = this;
    const closed = (role) => this.amqp('detach', [e.uint(HANDLE[role]), e.bool(true)]);
    await this.peer.write(closed('receiver'), closed('sender'), this.amqp('end', []), this.amqp('close', []));
    for (const name of ['detach', 'detach', 'end', 'close']) {
      const { fields } = await this.take(name);
      const error = fields[{ detach: 2, end: 0, close: 0 }[name]];
      assert.ok(error === undefined || error === null, `${name} with an error: ${JSON.stringify(error)}`);
    }
    await this.peer.closedBy(5000, 'after close');
  }
}

/** {condition, json, text, info} of a rejected outcome. */
function refusal({ value: [error] }) {
  const [condition, description, info] = error.value;
  return { condition: condition.symbol, text: description, json: JSON.parse(description), info: info || {} };
}

function understand({ properties: [properties = []] = [], applicationProperties: [own = {}] = [], data = [], ...rest }) {
  assert.ok(data.length > 0, `an answer without a data section: ${Object.keys(rest)}`);
  assert.ok(!rest.value, 'a value section beside data');
  const text = Buffer.concat(data).toString('utf8');
  for (const key of own.keys || []) assert.strictEqual(typeof key, 'string', 'type of the key of an application property');
  return { text, json: JSON.parse(text), correlation: properties[5] === null ? undefined : properties[5], properties: own };
}

/** A device {scope, id} on a connection to the AMQP door of a server, or on any other: `open(server, {name, options, path})`. */
async function openDevice(server, form, { id, tls, open = openByTls, scope = server.scope }) {
  const peer = await open(server, { name: form.client || id, options: tls, path: form.path });
  return new AmqpDevice(peer, form, { scope, id, host: 'localhost' });
}

function openByTls(server, { name, options }) {
  return openAmqp({ port: server.amqpPort, ca: server.ca, name, options });
}

/** The initial response of PLAIN (RFC 4616). */
function plain({ scope, id, token }) {
  return Buffer.from(`\0${scope}/registrations/${id}\0${token}`);
}

module.exports = { AmqpDevice, openDevice, plain, OFFERED };
