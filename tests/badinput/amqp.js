// AMQP 1.0 as nobody should speak it (threats A6, A12, B1): rows of what is sent, at which stage, the answer that it must
// get, and what the log must say of it. Then the same rows over and over.
'use strict';

const assert = require('assert');
const amqp = require('../lib/amqp');
const sas = require('../lib/sas');
const websocket = require('../lib/websocket');
const { openDevice, plain } = require('../lib/amqp-device');
const { oneLogLine, roomFor } = require('./judge');

const { HEADER, amqpFrame, saslFrame, saslInit, saslPlain, frame } = amqp;
const REPEAT = 5;
const e = amqp.encoder();
const raw = (hex, type = 0) => frame(Buffer.from(hex.replace(/ /g, ''), 'hex'), { type });
const u32 = (value) => { const made = Buffer.alloc(4); made.writeUInt32BE(value); return made; };
/** The head of a frame that says it has `size` bytes. */
const head = (size, { offset = 2, type = 0, channel = 0 } = {}) => Buffer.concat([u32(size), Buffer.from([offset, type, 0, channel])]);
const on = (channel, name, fields) => frame(e.composite(name, fields), { channel });

/** The answers: our protocol header, a SASL outcome, a close or a detach with an error, a rejected message, or not a byte. */
const NOTHING = 'nothing';
const HEADER_AMQP = 'the AMQP header'; // and the end (AMQP 1.0, 2.2)
const DENIED = 'outcome 1';
const close = (condition) => `close ${condition}`;
const detach = (condition) => `detach ${condition}`;
const rejected = (number) => `rejected ${number}`;
const DECODE = close('amqp:decode-error');
const NOT_ALLOWED = close('amqp:not-allowed');
const FRAMING = close('amqp:connection:framing-error');
const RESOURCES = close('amqp:resource-limit-exceeded');

/** Protocol headers: [name, bytes, answer, log]. */
const FIRST = [
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n'), HEADER_AMQP, /not AMQP/],
  ['MQTT', Buffer.from('101000044d5154540402003c00046162636400', 'hex'), HEADER_AMQP, /not AMQP/],
  ['AMQP 0.9.1', Buffer.from('AMQP\x00\x00\x09\x01', 'latin1'), HEADER_AMQP, /AMQP protocol 0, version 0.9.1/],
  ['AMQP 1.1', Buffer.from('AMQP\x00\x01\x01\x00', 'latin1'), HEADER_AMQP, /AMQP protocol 0, version 1.1.0/],
  ['TLS within TLS', Buffer.from('AMQP\x02\x01\x00\x00', 'latin1'), HEADER_AMQP, /AMQP protocol 2/],
  ['zeros', Buffer.alloc(64), HEADER_AMQP, /not AMQP/],
  ['an open without a header', amqp.open(), HEADER_AMQP, /not AMQP/],
];

/** What is no frame of SASL. */
const SASL_FRAMES = [
  ['an open instead of SASL', amqp.open(), NOTHING, /a frame of type 0 during SASL/],
  ['the header a second time', HEADER.sasl, NOTHING, /a frame of 1095586128 bytes/],
  ['a frame of 4 GB', head(0xffffffff, { type: 1 }), NOTHING, /a frame of 4294967295 bytes/],
  ['a frame of 9 KB', head(9216, { type: 1 }), NOTHING, /the most is 8192 until SASL is over/],
  ['a frame of 7 bytes', head(7, { type: 1 }), NOTHING, /a frame of 7 bytes/],
  ['a frame whose body begins in its head', head(16, { offset: 1, type: 1 }), NOTHING, /its body at word 1/],
  ['a frame whose body begins behind its end', head(16, { offset: 255, type: 1 }), NOTHING, /its body at word 255/],
  ['a frame of type 7', head(16, { type: 7 }), NOTHING, /type 7 during SASL/],
  ['a frame without a body', frame(Buffer.alloc(0), { type: 1 }), NOTHING, /malformed/],
  ['an init that is cut off', raw('00 53 41 c0 20 03 a3 05', 1), NOTHING, /malformed/],
  ['an init that is a map', raw('00 53 41 c1 01 00', 1), NOTHING, /malformed/],
  ['an init that is not described', raw('45', 1), NOTHING, /malformed/],
  ['an init that is described by itself', raw('00 00 00 00 00 00', 1), NOTHING, /malformed/],
  ['an init with more behind it', frame(Buffer.concat([e.composite('init', [e.symbol('PLAIN'), e.binary('')]), Buffer.from([0x40])]), { type: 1 }), NOTHING, /more behind its performative/],
  ['a list of 2^32 - 1 fields', raw('00 53 41 d0 00 00 00 05 ff ff ff ff 40', 1), NOTHING, /malformed/],
  ['an array of 2^32 - 1 nulls', raw('00 53 41 c0 0d 01 f0 00 00 00 05 ff ff ff ff 40', 1), NOTHING, /malformed/],
  ['a mechanism in lists in lists', frame(Buffer.concat([Buffer.from('005341', 'hex'), nested(40)]), { type: 1 }), NOTHING, /malformed/],
  ['mechanisms of ours', saslFrame('mechanisms', [e.symbol('PLAIN')]), NOTHING, /0x40 instead of sasl-init/],
  ['an outcome of ours', saslFrame('outcome', [e.ubyte(0)]), NOTHING, /0x44 instead of sasl-init/],
  ['a response before init', amqp.saslResponse('x'), NOTHING, /0x43 instead of sasl-init/],
  ['an init without a mechanism', saslFrame('init', []), NOTHING, /sasl-init without a mechanism/],
  ['an empty mechanism', saslInit('', ''), NOTHING, /sasl-init without a mechanism/],
  ['a mechanism that is a string', saslFrame('init', [e.string('PLAIN'), e.binary('')]), NOTHING, /sasl-init without a mechanism/],
  ['a response that is a string', saslFrame('init', [e.symbol('PLAIN'), e.string('')]), NOTHING, /a response that is not binary/],
];

function nested(depth) {
  let made = e.nil();
  for (let i = 0; i < depth; i += 1) made = e.list([made]);
  return made;
}

/** Mechanisms with wrong contents. */
function saslContents({ scope, id, token, otherToken }) {
  const user = `${scope}/registrations/${id}`;
  const plainOf = (bytes) => saslInit('PLAIN', bytes);
  return [
    ['a mechanism that is not offered', saslInit('CRAM-MD5', 'x'), DENIED, /"CRAM-MD5" is not offered/],
    ['a mechanism in small letters', saslInit('plain', `\0${user}\0${token}`), DENIED, /"plain" is not offered/],
    ['a mechanism with a line break', saslInit('PLAIN\r\n', 'x'), DENIED, /is not offered/],
    ['EXTERNAL without a certificate', saslInit('EXTERNAL', ''), DENIED, /show a certificate/],
    ['ANONYMOUS without a certificate', saslInit('ANONYMOUS', 'guest'), DENIED, /show a certificate/],
    ['PLAIN without a response', saslFrame('init', [e.symbol('PLAIN')]), DENIED, /not three parts/],
    ['PLAIN with an empty response', plainOf(''), DENIED, /not three parts/],
    ['PLAIN with one part', plainOf(user), DENIED, /not three parts/],
    ['PLAIN with two parts', plainOf(`${user}\0${token}`), DENIED, /not three parts/],
    ['PLAIN with four parts', plainOf(`\0${user}\0${token}\0`), DENIED, /not three parts/],
    ['PLAIN of NULs', plainOf(Buffer.alloc(4096)), DENIED, /not three parts/],
    ['a user who is no registration', saslPlain('somebody', token), DENIED, /the user of PLAIN is \\?"somebody/],
    ['a user without an ID', saslPlain(`${scope}/registrations/`, token), DENIED, /the user of PLAIN/],
    ['a user without a scope', saslPlain(`/registrations/${id}`, token), DENIED, /the user of PLAIN/],
    ['a user with a host in front', saslPlain(`localhost/${user}`, token), DENIED, /the user of PLAIN/],
    ['a user who is no UTF-8', plainOf(Buffer.concat([Buffer.from(`\0${scope}/registrations/`), Buffer.from([0xff, 0xfe]), Buffer.from(`\0${token}`)])), DENIED, /./],
    ['a user with a line break', saslPlain(`${scope}/registrations/a\r\nb`, token), DENIED, /./],
    ['a user of another scope', saslPlain(`0neFFFFFFFF/registrations/${id}`, token), DENIED, /scope/],
    ['acting as another device', plainOf(`${scope}/registrations/other\0${user}\0${token}`), DENIED, /PLAIN asks to act as/],
    ['an empty token', saslPlain(user, ''), DENIED, /./],
    ['a token that is none', saslPlain(user, 'secret'), DENIED, /./],
    ['a token for another device', saslPlain(user, otherToken), DENIED, /sr|resource/],
  ];
}

/** After SASL let the device in, in place of the AMQP header. */
const AFTER_SASL = [
  ['the SASL header again', HEADER.sasl, HEADER_AMQP, /AMQP protocol 3, version 1.0.0 after SASL/],
  ['an open without a header', amqp.open(), HEADER_AMQP, /framing-error/],
];

/** After the AMQP header, in place of open. */
const BEFORE_OPEN = [
  ['begin before open', amqp.begin(), NOT_ALLOWED, /0x11 instead of open/],
  ['close before open', amqpFrame('close', []), NOT_ALLOWED, /0x18 instead of open/],
  ['a SASL frame', saslInit('PLAIN', ''), FRAMING, /type 1 outside of SASL/],
  ['an open that is cut off', raw('00 53 10 c0 20 02 a1 05'), DECODE, /malformed/],
  ['an open of 5 KB of nulls', frame(Buffer.concat([Buffer.from('005310d0', 'hex'), u32(5004), u32(5000), Buffer.alloc(5000, 0x40)])), DECODE, /too many values/],
  ['an idle time of 1 ms', amqpFrame('open', [e.string('c'), e.string('localhost'), undefined, undefined, e.uint(1)]), NOT_ALLOWED, /idle-time-out of 1 ms/],
  ['a frame of 9 KB', head(9216), RESOURCES, /the most is 8192 until a link is accepted/],
];

/** After open and begin, without a link. */
function withoutLink({ scope, id }) {
  const address = `${scope}/registrations/${id}`;
  const attach = (to, name = 'l', handle = 0) => amqp.attach(name, handle, to, true);
  const INVALID = detach('amqp:invalid-field');
  const MISMATCH = detach('amqp:unauthorized-access');
  return [
    ['a second open', amqp.open(), NOT_ALLOWED, /a second open/],
    ['begin on a channel that has a session', amqp.begin(), NOT_ALLOWED, /which has a session/],
    ['begin as an answer', on(1, 'begin', [e.ushort(0), e.uint(0), e.uint(1), e.uint(1)]), NOT_ALLOWED, /as an answer to none of ours/],
    ['begin on channel 65535', on(65535, 'begin', [undefined, e.uint(0), e.uint(1), e.uint(1)]), FRAMING, /channel 65535; the highest is 3/],
    ['attach on a channel without a session', frame(amqp.attach('l', 0, address, true).subarray(8), { channel: 2 }), NOT_ALLOWED, /channel 2, which has no session/],
    ['end of a session that is none', on(3, 'end', []), NOT_ALLOWED, /channel 3, which has no session/],
    ['flow before there is a link', amqpFrame('flow', [e.uint(0), e.uint(1), e.uint(0), e.uint(1), e.uint(5)]), close('amqp:session:unattached-handle'), /no link has handle 5/],
    ['transfer before there is a link', amqp.transfer(0, 0, ''), close('amqp:session:unattached-handle'), /no link has handle 0/],
    ['detach of a link that is none', amqpFrame('detach', [e.uint(9), e.bool(true)]), close('amqp:session:unattached-handle'), /no link has handle 9/],
    ['attach without a name', amqpFrame('attach', [undefined, e.uint(0), e.bool(true)]), DECODE, /attach with an unusable name/],
    ['attach with a name with a NUL', attach(address, 'a\0b'), DECODE, /unusable name/],
    ['attach with a name of 300 bytes', attach(address, 'n'.repeat(300)), DECODE, /unusable name/],
    ['attach without a handle', amqpFrame('attach', [e.string('l')]), DECODE, /without a handle and role/],
    ['attach with a role that is a number', amqpFrame('attach', [e.string('l'), e.uint(0), e.uint(1)]), DECODE, /without a handle and role/],
    ['a performative that is none', raw('00 53 77 45'), NOT_ALLOWED, /unknown performative 0x77/],
    ['a performative with a symbol for its descriptor', raw('00 a3 01 78 45'), DECODE, /malformed|unknown performative/],
    ['an address of 9 KB', attach(`${scope}/registrations/${'x'.repeat(9216)}`), RESOURCES, /the most is 8192 until a link is accepted/],
    ['nine links', Buffer.concat(Array.from({ length: 9 }, (_, i) => amqp.attach(`l${i}`, i, address, false))), RESOURCES, /more than 8 links/],
    ['no address', amqpFrame('attach', [e.string('l'), e.uint(0), e.bool(true), undefined, undefined, e.composite('source', []), e.composite('target', [])]), INVALID, /the link.s address is/],
    ['an address that is a number', amqpFrame('attach', [e.string('l'), e.uint(0), e.bool(true), undefined, undefined, e.composite('source', [e.uint(7)]), e.composite('target', [])]), INVALID, /the link.s address is/],
    ['an empty address', attach(''), INVALID, /the link.s address is/],
    ['the address of the hub', attach(`/devices/${id}/messages/events`), INVALID, /the link.s address is/],
    ['an address without an ID', attach(`${scope}/registrations/`), INVALID, /the link.s address is/],
    ['an address with more behind the ID', attach(`${address}/register`), MISMATCH, /but the connection is that of/],
    ['the address of another device', attach(`${scope}/registrations/other`), MISMATCH, /but the connection is that of/],
    ['the address of another scope', attach(`0neFFFFFFFF/registrations/${id}`), MISMATCH, /but the connection is that of/],
    ['an address with a line break', attach(`${address}\r\n`), MISMATCH, /but the connection is that of/],
    ['an address that is no UTF-8', amqpFrame('attach', [e.string('l'), e.uint(0), e.bool(true), undefined, undefined, e.composite('source', [Buffer.concat([Buffer.from([0xa1, address.length + 1]), Buffer.from(address), Buffer.from([0xff])])]), e.composite('target', [])]), MISMATCH, /but the connection is that of/],
  ];
}

/** With both links. */
function withLinks({ scope, id }) {
  const address = `${scope}/registrations/${id}`;
  const register = [e.string('iotdps-operation-type'), e.string('iotdps-register')];
  const properties = (...pairs) => e.described('applicationProperties', e.map(pairs));
  const data = (text) => e.described('data', e.binary(Buffer.from(text)));
  const message = (...sections) => amqp.transfer(1, 0, Buffer.concat(sections));
  const type = (value) => message(properties([e.string('iotdps-operation-type'), value]), data('{}'));
  const body = (section) => message(properties(register), section);
  const BAD = rejected(400004);
  const UNKNOWN = rejected(404202);
  const poll = (...more) => message(properties([e.string('iotdps-operation-type'), e.string('iotdps-get-operationstatus')], ...more));
  return [
    ['a transfer without a handle', amqpFrame('transfer', []), DECODE, /no handle/],
    ['a transfer without a delivery-id', frame(e.composite('transfer', [e.uint(1), undefined, e.binary('t')])), DECODE, /without a delivery-id/],
    ['a transfer on the link of answers', amqp.transfer(0, 0, ''), NOT_ALLOWED, /on which the peer receives/],
    ['a delivery tag of 33 bytes', amqpFrame('transfer', [e.uint(1), e.uint(0), e.binary(Buffer.alloc(33))]), DECODE, /delivery-tag of more than 32 bytes/],
    ['a disposition of 2^31 deliveries', amqpFrame('disposition', [e.bool(true), e.uint(0), e.uint(0x7fffffff)]), NOT_ALLOWED, /disposition of deliveries/],
    ['a disposition of nothing', amqpFrame('disposition', []), DECODE, /disposition without/],
    ['attach with a handle that is in use', amqp.attach('other', 0, 'x', true), NOT_ALLOWED, /handle that is in use/],
    ['attach with a name that is in use', amqp.attach('receiver', 7, 'x', true), NOT_ALLOWED, /name that is in use/],
    ['a second link for answers', amqp.attach('other', 7, address, true), detach('amqp:invalid-field'), /link to receive answers already/],
    ['more links than its own handle-max', Buffer.concat(Array.from({ length: 7 }, (_, i) => amqp.attach(`l${i}`, 10 + i, address, false))), NOT_ALLOWED, /above its own handle-max/],
    ['five sessions', Buffer.concat([1, 2, 3, 4].map((channel) => on(channel, 'begin', [undefined, e.uint(0), e.uint(1), e.uint(1)]))), FRAMING, /channel 4; the highest is 3/],
    ['a frame of 16 KB and one byte', head(16385), FRAMING, /the most is 16384/],
    ['a message of 200 KB', Buffer.concat(Array.from({ length: 13 }, (_, i) => amqp.transfer(1, 0, Buffer.alloc(16000), i < 12))), rejected(413001), /a message of more than 102400 bytes/],
    ['bytes that are no section', message(Buffer.from('{}')), DECODE, /sections are malformed/],
    ['a section that is cut off', message(properties(register), Buffer.from('005375a0', 'hex')), DECODE, /sections are malformed/],
    ['sections in the wrong order', message(data('{}'), properties(register)), DECODE, /sections are malformed/],
    ['application properties twice', message(properties(register), properties(register), data('{}')), DECODE, /sections are malformed/],
    ['application properties that are a list', message(e.described('applicationProperties', e.list([e.string('a'), e.string('b')])), data('{}')), DECODE, /sections are malformed/],
    ['application properties of an odd number', message(e.described('applicationProperties', Buffer.from('c10401a10161', 'hex')), data('{}')), DECODE, /sections are malformed/],
    ['an application property with a number for its name', message(properties([e.uint(1), e.string('iotdps-register')]), data('{}')), DECODE, /sections are malformed/],
    ['data that is a string', body(e.described('data', e.string('{}'))), DECODE, /sections are malformed/],
    ['data and a value', body(Buffer.concat([data('{}'), e.described('value', e.string('{}'))])), DECODE, /sections are malformed/],
    ['no application properties', message(data('{}')), BAD, /iotdps-operation-type is/],
    ['no message at all', message(), BAD, /iotdps-operation-type is/],
    ['an operation type that is null', type(e.nil()), BAD, /iotdps-operation-type is/],
    ['an operation type that is a number', type(e.uint(1)), BAD, /iotdps-operation-type is/],
    ['an operation type that is a list', type(e.list([e.string('iotdps-register')])), BAD, /iotdps-operation-type is/],
    ['an operation type that is binary', type(e.binary('iotdps-register')), BAD, /iotdps-operation-type is/],
    ['an operation type that is empty', type(e.string('')), BAD, /iotdps-operation-type is/],
    ['an operation type in other letters', type(e.string('IOTDPS-Register')), BAD, /iotdps-operation-type is/],
    ['an operation that is none', type(e.string('iotdps-unregister')), BAD, /iotdps-unregister/],
    ['a name of a property in other letters', message(properties([e.string('Iotdps-Operation-Type'), e.string('iotdps-register')])), BAD, /iotdps-operation-type is/],
    ['a poll without an operation ID', poll(), UNKNOWN, /operation/],
    ['a poll with an operation ID that is a list', poll([e.string('iotdps-operation-id'), e.list([])]), UNKNOWN, /operation/],
    ['a poll with an operation ID that is none', poll([e.string('iotdps-operation-id'), e.string('../../x')]), UNKNOWN, /operation/],
    ['a body that is no JSON', body(data('{"registrationId":')), BAD, /./],
    ['a body that is an array', body(data('[]')), BAD, /the body/],
    ['a body that is no UTF-8', body(data(Buffer.from([0x22, 0xff, 0x22]))), BAD, /./],
    ['a body in two halves that are no JSON together', body(Buffer.concat([data('{"registrationId":'), data('}')])), BAD, /./],
    ['a body of another device', body(data('{"registrationId":"other"}')), BAD, /registrationId in the body is/],
    ['a registration ID that is a number', body(data('{"registrationId":7}')), BAD, /registrationId/],
    ['a value that is no JSON', body(e.described('value', e.string('nonsense'))), BAD, /./],
    ['a payload that is too deep', body(data(`{"registrationId":"${id}","payload":${'['.repeat(100)}${']'.repeat(100)}}`)), BAD, /./],
  ];
}

/** Everything the peer says, up to the end or, for what does not end it, the answer itself. */
async function lastWords(peer, wanted) {
  if (wanted === HEADER_AMQP) {
    await peer.header('amqp');
    assert.strictEqual(peer.buffer.length, 0, 'more than the header');
    return HEADER_AMQP;
  }
  const stays = /^(detach|rejected)/.test(wanted);
  let last = NOTHING;
  for (;;) {
    const got = await peer.next('an answer', 4000).catch((error) => { if (peer.over) return null; throw error; });
    if (got === null) return last;
    const said = inWords(got);
    if (said) last = said;
    if (stays && said) return last;
  }
}

function inWords({ name, fields }) {
  const conditionOf = (error) => (error ? error.value[0].symbol : 'without an error');
  if (name === 'outcome') return `outcome ${fields[0]}`;
  if (name === 'close') return `close ${conditionOf(fields[0])}`;
  if (name === 'detach') return `detach ${conditionOf(fields[2])}`;
  if (name === 'disposition' && fields[4].described === 'rejected') return `rejected ${JSON.parse(fields[4].value[0].value[1]).errorCode}`;
  return name === 'disposition' ? fields[4].described : undefined;
}

/** A connection at a stage, `open` giving its peer. */
function stages(server, { id, key }) {
  const token = sas.deviceToken({ scope: server.scope, id, key });
  const user = `${server.scope}/registrations/${id}`;
  const fresh = async (open) => open();
  const sasl = async (open) => {
    const peer = await open();
    await peer.write(HEADER.sasl);
    await peer.header('sasl');
    await peer.expect('mechanisms');
    return peer;
  };
  const letIn = async (open) => {
    const peer = await sasl(open);
    await peer.write(saslPlain(user, token));
    await peer.expect('outcome');
    return peer;
  };
  const atOpen = async (open) => {
    const peer = await letIn(open);
    await peer.write(HEADER.amqp);
    await peer.header('amqp');
    return peer;
  };
  const begun = async (open) => {
    const peer = await atOpen(open);
    await peer.write(amqp.open(), amqp.begin());
    await peer.expect('open');
    await peer.expect('begin');
    return peer;
  };
  const linked = async (open) => {
    const one = await openDevice(server, {}, { id, open: () => open() });
    await one.authenticate('PLAIN', plain({ scope: server.scope, id, token }));
    await one.connect();
    return one.peer;
  };
  return { fresh, sasl, letIn, atOpen, begun, linked };
}

/** [stage, its name, row] of all rows. */
function table(server, good) {
  const { id, key } = good;
  const who = {
    scope: server.scope, id, token: sas.deviceToken({ scope: server.scope, id, key }), otherToken: sas.deviceToken({ scope: server.scope, id: 'other', key }),
  };
  const at = stages(server, good);
  return [
    [at.fresh, 'first', FIRST], [at.sasl, 'SASL', SASL_FRAMES], [at.sasl, 'SASL', saslContents(who)], [at.letIn, 'after SASL', AFTER_SASL],
    [at.atOpen, 'before open', BEFORE_OPEN], [at.begun, 'without a link', withoutLink(who)], [at.linked, 'linked', withLinks(who)],
  ].flatMap(([stage, name, rows]) => rows.map((row) => ({ stage, where: name, row })));
}

async function send({ stage, row: [name, bytes, wanted] }, open, judged = (work) => work()) {
  const peer = await stage(open);
  try {
    await judged(async () => {
      await peer.write(bytes);
      const got = await lastWords(peer, wanted);
      assert.strictEqual(got, wanted, name);
      if (!/^(detach|rejected)/.test(wanted)) await peer.closedBy(4000, 'after the answer');
    });
  } finally {
    peer.destroy();
  }
}

async function run(report, server, good) {
  const overTls = () => amqp.openAmqp({ port: server.amqpPort, ca: server.ca });
  const framed = () => websocket.openAmqp(server);
  const rows = table(server, good);
  for (const one of rows) {
    const [name, , wanted, said] = one.row;
    await report.check(`AMQP, ${one.where}: ${name}: ${wanted}, one log line`, () => send(one, overTls, (work) => oneLogLine(server, work, said)));
  }
  for (const one of rows.filter((_, i) => i % 5 === 0)) {
    const [name, , wanted, said] = one.row;
    await report.check(`AMQP in WebSocket, ${one.where}: ${name}: ${wanted}, one log line`, () => send(one, framed, (work) => oneLogLine(server, work, said)));
  }
  await report.check(`memory: all malformed AMQP, ${REPEAT} times over, leaves resident memory where it was`, async () => {
    const once = async () => { for (const one of rows) await send(one, overTls).catch(() => {}); };
    await once();
    const before = server.rss();
    for (let i = 0; i < REPEAT; i += 1) await once();
    const grown = server.rss() - before;
    assert.ok(grown < roomFor(server), `grew by ${grown} KiB from ${before} KiB`);
  }, 180000);
}

module.exports = { run };
