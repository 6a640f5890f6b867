// HTTP/1.1 as bytes: requests put together by hand, header line by header line, and a strict reader of responses.
'use strict';

const { Peer, openTls } = require('./peer');

/** A request: `headers` is a list of whole lines, in this order and with this case. Nothing is added but what is given. */
function request(line, headers = [], body = '') {
  const head = Buffer.from(`${[line, ...headers].join('\r\n')}\r\n\r\n`, 'latin1');
  return Buffer.concat([head, Buffer.isBuffer(body) ? body : Buffer.from(body, 'utf8')]);
}

/** {value: response, used} once `bytes` holds a whole response, else null. `noBody` for an answer to HEAD. */
function decode(bytes, noBody = false) {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return null;
  const lines = bytes.toString('latin1', 0, headEnd).split('\r\n');
  const first = /^HTTP\/1\.1 (\d{3}) ?(.*)$/.exec(lines[0]);
  if (!first) throw new Error(`not a status line: ${JSON.stringify(lines[0].slice(0, 80))}`);
  const headers = {};
  const names = [];
  for (const line of lines.slice(1)) {
    const field = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line);
    if (!field) throw new Error(`not a header line: ${JSON.stringify(line)}`);
    const name = field[1].toLowerCase();
    if (name in headers && name === 'content-length') throw new Error('two content-lengths');
    names.push(field[1]);
    headers[name] = field[2];
  }
  const made = { status: Number(first[1]), reason: first[2], headers, names };
  const start = headEnd + 4;
  if (noBody || made.status === 204 || made.status === 304 || made.status < 200) {
    return { value: { ...made, body: Buffer.alloc(0) }, used: start };
  }
  if (/chunked/i.test(headers['transfer-encoding'] || '')) {
    if ('content-length' in headers) throw new Error('both content-length and transfer-encoding');
    return chunked(bytes, start, made);
  }
  if (!/^\d+$/.test(headers['content-length'] || '')) throw new Error(`response ${made.status} without a length`);
  const end = start + Number(headers['content-length']);
  return bytes.length < end ? null : { value: { ...made, body: Buffer.from(bytes.subarray(start, end)) }, used: end };
}

function chunked(bytes, start, made) {
  const parts = [];
  let at = start;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return null;
    const size = parseInt(bytes.toString('latin1', at, lineEnd), 16);
    if (!Number.isInteger(size)) throw new Error('a bad chunk size');
    if (bytes.length < lineEnd + 2 + size + 2) return null;
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
    if (size === 0) return { value: { ...made, body: Buffer.concat(parts) }, used: at };
  }
}

class HttpPeer extends Peer {
  /** The next response, its JSON parsed when it is JSON. */
  async response(ms = 5000, noBody = false) {
    const got = await this.take(ms, 'a response', (bytes) => decode(bytes, noBody));
    if (/application\/json/.test(got.headers['content-type'] || '') && got.body.length > 0) {
      got.json = JSON.parse(got.body.toString('utf8'));
    }
    return got;
  }
}

function openHttp(options) {
  return openTls({ name: 'https', ...options, Class: HttpPeer });
}

module.exports = { request, decode, HttpPeer, openHttp };
