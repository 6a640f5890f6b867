// What the function may do. A row: `does` (bytes, or what happens on the socket), and what must come of it: `hub`, to which the
// device is assigned, or `refused`, a part of the reason in the log. `status`: the reason is Azure's words for that status. `unasked`:
// no question reaches it. `again`: it may come twice, when a connection that was kept is closed under it (RFC 9112 9.3.1).
'use strict';

const zlib = require('zlib');
const { answer } = require('./functions');

const [ONE, TWO, OUTSIDE] = ['one.example', 'two.example', 'outside.example'];
const CAP = 64 * 1024;
const JSON_TYPE = { 'Content-Type': 'application/json; charset=utf-8' };
const TEXT_TYPE = { 'Content-Type': 'text/plain; charset=utf-8' };
const TWIN = { tags: { deviceType: 'toaster' }, properties: { desired: { state: 'ready', level: 7 } } };
const PAYLOAD = { greeting: 'h\u00e9llo', list: [1, 2.5, { a: null }] };

const json = (value, headers = JSON_TYPE, status = 200) => answer(status, JSON.stringify(value), headers);
const right = json({ iotHubHostName: TWO });
const padded = (size) => answer(200, JSON.stringify({ iotHubHostName: TWO }).padEnd(size, ' '), JSON_TYPE);
const after = (ms, bytes) => (socket) => { setTimeout(() => socket.destroyed || socket.write(bytes), ms); };

/** Writes `head`, then a byte of `unit` each 50 ms for as long as anybody listens. */
const drip = (head, unit) => (socket) => {
  socket.write(head);
  const timer = setInterval(() => socket.write(unit), 50);
  socket.on('close', () => clearInterval(timer));
};

const endWith = (bytes) => (socket) => { socket.end(bytes); };

/** As much as the peer takes, for ever. */
const endless = (head) => (socket) => {
  const block = Buffer.alloc(16384, 0x20);
  const more = () => { while (!socket.destroyed && socket.write(block)); };
  socket.write(head);
  socket.on('drain', more);
  more();
};

const chunked = (body) => {
  const parts = body.match(/[^]{1,7}/g).map((part) => `${part.length.toString(16)}\r\n${part}\r\n`);
  return Buffer.from(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${parts.join('')}0\r\n\r\n`);
};

const redirect = (status) => (socket, request, functions) => answer(status, 'moved', { Location: functions.url('target') });

/** Rows that end with the device assigned. */
const good = {
  'the right answer': { does: right, hub: TWO },
  'the other hub': { does: json({ iotHubHostName: ONE }), hub: ONE },
  'text/plain, indented, as Microsoft\'s functions say it': { does: answer(200, JSON.stringify({ iotHubHostName: TWO }, null, 2), TEXT_TYPE), hub: TWO },
  'an object in a JSON string': { does: json(JSON.stringify({ iotHubHostName: TWO }, null, 2)), hub: TWO },
  'a byte order mark before it': { does: answer(200, Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(JSON.stringify({ iotHubHostName: TWO }))]), JSON_TYPE), hub: TWO },
  'no Content-Type': { does: json({ iotHubHostName: TWO }, {}), hub: TWO },
  'members in another case': { does: json({ IotHubHostname: TWO, InitialTwin: TWIN, PAYLOAD }), hub: TWO, twin: TWIN, payload: PAYLOAD },
  'the hub in another case': { does: json({ iotHubHostName: TWO.toUpperCase() }), hub: TWO },
  'members that nobody knows': { does: json({ version: 3, iotHubHostName: TWO, more: { iotHubHostName: ONE } }), hub: TWO },
  'payload null': { does: json({ iotHubHostName: TWO, payload: null }), hub: TWO },
  'twin null': { does: json({ iotHubHostName: TWO, initialTwin: null }), hub: TWO },
  'an empty twin': { does: json({ iotHubHostName: TWO, initialTwin: { tags: {}, properties: { desired: {} } }, payload: {} }), hub: TWO, twin: { tags: {}, properties: { desired: {} } }, payload: {} },
  'twin and payload': { does: json({ iotHubHostName: TWO, initialTwin: TWIN, payload: PAYLOAD }), hub: TWO, twin: TWIN, payload: PAYLOAD },
  'slow, within the deadline': { does: after(1200, right), hub: TWO },
  'exactly 64 KiB': { does: padded(CAP), hub: TWO },
  'chunked': { does: chunked(JSON.stringify({ iotHubHostName: TWO })), hub: TWO },
  'HTTP/1.0, ended by the end of the connection': { does: endWith(Buffer.from(`HTTP/1.0 200 OK\r\n\r\n${JSON.stringify({ iotHubHostName: TWO })}`)), hub: TWO },
  'status 201': { does: json({ iotHubHostName: TWO }, JSON_TYPE, 201), hub: TWO },
  '100 Continue first': { does: Buffer.concat([Buffer.from('HTTP/1.1 100 Continue\r\n\r\n'), right]), hub: TWO },
  'closes after the answer without saying so': { does: endWith(right), hub: TWO },
  'one byte at a time, within the deadline': {
    does: (socket) => {
      let at = 0;
      const timer = setInterval(() => { if (at < right.length) socket.write(right.subarray(at, at += 1)); else clearInterval(timer); }, 3);
    },
    hub: TWO,
  },
  'more than its Content-Length': { does: (socket) => { socket.end(Buffer.concat([right, Buffer.from('HTTP/1.1 200 OK\r\n\r\n')])); }, hub: TWO },
};

/** Rows that end with the registration failed: the reason in words. */
const bad = {
  'slow, over the deadline': { does: after(4000, right), refused: 'did not answer within 2000 ms' },
  'drips its header': { does: drip('HTTP/1.1 200 OK\r\nX: ', 'x'), refused: 'did not answer within 2000 ms' },
  'drips its body': { does: drip('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n', ' '), refused: 'did not answer within 2000 ms' },
  'drips chunks': { does: drip('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', '1\r\n \r\n'), refused: 'did not answer within 2000 ms' },
  'never answers': { does: () => {}, refused: 'did not answer within 2000 ms' },
  'closes instead of answering': { does: (socket) => { socket.destroy(); }, again: true, refused: 'could not be asked' },
  'closes the connection at once': { server: 'closing', unasked: true, refused: 'could not be asked' },
  'says nothing in the TLS handshake': { server: 'mute', unasked: true, refused: 'did not answer within 2000 ms' },
  'speaks no TLS': { server: 'plain', unasked: true, refused: 'could not be asked' },
  'is not there': { server: 'nobody', unasked: true, refused: 'could not be asked' },
  'has a name that nobody knows': { url: ({ ports }) => `https://nobody.invalid:${ports.good}/api?code=SECRET-of-the-function`, unasked: true, refused: 'could not be asked' },
  'garbage': { does: endWith(Buffer.from('\x00\x01\x02garbage\r\n\r\n')), refused: 'could not be asked' },
  'HTML': { does: answer(200, '<html><body>It works!</body></html>', { 'Content-Type': 'text/html' }), refused: 'is not JSON' },
  'an empty 200': { does: answer(200), refused: 'is empty' },
  'JSON that breaks off': { does: answer(200, '{"iotHubHostName":"two.exam', JSON_TYPE), refused: 'is not JSON' },
  'a connection that breaks off': { does: endWith(answer(200, '{"iotHubHostName":"two.example"}', { 'Content-Length': 100 })), refused: 'could not be asked' },
  'chunks that break off': { does: endWith(Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{"iotHubHostName":"two.example"}\r\n')), refused: 'could not be asked' },
  'a header that breaks off': { does: endWith(Buffer.from('HTTP/1.1 200 OK\r\nContent-Le')), refused: 'is empty' },
  'bytes that are no UTF-8': { does: answer(200, Buffer.from('{"iotHubHostName":"two.example","payload":{"a":"\xff\xfe"}}', 'latin1'), JSON_TYPE), refused: 'is not JSON' },
  'an array': { does: json([{ iotHubHostName: TWO }]), refused: 'is no JSON object' },
  'a thousand brackets': { does: answer(200, '['.repeat(30000), JSON_TYPE), refused: 'is not JSON' },
  'no hub': { does: json({ initialTwin: null }), refused: 'has no iotHubHostName' },
  'hub null': { does: json({ iotHubHostName: null }), refused: 'has no iotHubHostName' },
  'a hub that is no string': { does: json({ iotHubHostName: { name: TWO } }), refused: 'no host name' },
  'a hub that is empty': { does: json({ iotHubHostName: '' }), refused: 'no host name' },
  'a hub that nobody knows': { does: json({ iotHubHostName: 'nowhere.example' }), refused: 'nowhere.example' },
  'a hub of another service': { does: json({ iotHubHostName: 'theirs.example' }), refused: 'theirs.example' },
  'a hub that was unlinked': { does: json({ iotHubHostName: 'unlinked.example' }), refused: 'unlinked.example' },
  'a hub that the enrollment does not list': { does: json({ iotHubHostName: OUTSIDE }), refused: OUTSIDE },
  'a twin that is none': { does: json({ iotHubHostName: TWO, initialTwin: 5 }), refused: 'an initialTwin that is no object' },
  '65,537 bytes': { does: padded(CAP + 1), refused: 'answered with more than 65536 bytes' },
  '10 MB': { does: padded(10 * 1000 * 1000), refused: 'answered with more than 65536 bytes' },
  'a body without end': { does: endless('HTTP/1.1 200 OK\r\n\r\n'), refused: 'answered with more than 65536 bytes' },
  'headers without end': { does: endless('HTTP/1.1 200 OK\r\nX: '), refused: 'could not be asked' },
  'gzip, which was not asked for': { does: answer(200, zlib.gzipSync(JSON.stringify({ iotHubHostName: TWO })), { ...JSON_TYPE, 'Content-Encoding': 'gzip' }), refused: 'is not JSON' },
  'a certificate that it signed itself': { server: 'selfSigned', unasked: true, refused: 'is not accepted, nothing was sent' },
  'a certificate that has expired': { server: 'expired', unasked: true, refused: 'is not accepted, nothing was sent' },
  'a certificate for another name': { server: 'wrongName', unasked: true, refused: 'is not accepted, nothing was sent' },
  'TLS 1.0 and nothing newer': { server: 'oldTls', unasked: true, refused: 'could not be asked' },
};
for (const status of [301, 302, 303, 307, 308]) bad[`${status} to a good one`] = { does: redirect(status), status };
for (const status of [304, 400, 401, 403, 404, 409, 418, 429, 500, 501, 502, 503]) bad[`status ${status}`] = { does: answer(status, status === 304 ? '' : 'no'), status };
bad['status 204'] = { does: answer(204, '', { 'Content-Length': undefined }), refused: 'is empty' };
bad['a right answer with status 500'] = { does: json({ iotHubHostName: TWO }, JSON_TYPE, 500), status: 500 };

const named = (rows) => Object.entries(rows).map(([name, row], i) => ({ name, ...row, i }));
const rows = [...named(good), ...named(bad)].map((row, i) => ({ ...row, id: `row-${String(i).padStart(3, '0')}` }));

module.exports = { rows, right, ONE, TWO, OUTSIDE, PAYLOAD, TWIN };
