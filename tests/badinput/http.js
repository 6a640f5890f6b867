// HTTP that is malformed or ambiguous. Each row is sent on a connection of its own and must be answered once, with one of
// `expect`, and the connection closed. 'close' in `expect`: closing without an answer will do as well.
'use strict';

const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n';
const CHUNK = '2\r\n{}\r\n0\r\n\r\n';

/** Lines joined to a request head; what follows is the body. */
function head(...lines) {
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** The rows. `path` is a register path that is good but for what the row does to it, `auth` a good Authorization line. */
function rows({ path, auth }) {
  const put = `PUT ${path} HTTP/1.1`;
  const host = 'Host: localhost';
  const json = 'Content-Type: application/json';
  const good = [put, host, json, auth];
  const row = (name, bytes, expect = [400]) => ({ name, bytes: Buffer.from(bytes, 'latin1'), expect });

  const lengths = [
    ['Content-Length and Transfer-Encoding', ['Content-Length: 2', 'Transfer-Encoding: chunked'], CHUNK],
    ['Transfer-Encoding and Content-Length', ['Transfer-Encoding: chunked', 'Content-Length: 2'], CHUNK],
    ['Content-Length and Transfer-Encoding with a smuggled request', ['Content-Length: 7', 'Transfer-Encoding: chunked'], `0\r\n\r\n${SMUGGLED}`],
    ['two Content-Lengths that differ', ['Content-Length: 2', 'Content-Length: 60'], `{}${SMUGGLED}`],
    ['two Content-Lengths that agree', ['Content-Length: 2', 'Content-Length: 2'], '{}'],
    ['a list of Content-Lengths', ['Content-Length: 2, 2'], '{}'],
    ['a list of different Content-Lengths', ['Content-Length: 2, 60'], `{}${SMUGGLED}`],
    ['Content-Length with a plus sign', ['Content-Length: +2'], '{}'],
    ['a negative Content-Length', ['Content-Length: -2'], '{}'],
    ['a hexadecimal Content-Length', ['Content-Length: 0x2'], '{}'],
    ['a fractional Content-Length', ['Content-Length: 2.0'], '{}'],
    ['an empty Content-Length', ['Content-Length: '], '{}'],
    ['Content-Length with a space inside', ['Content-Length: 2 2'], '{}'],
    ['Content-Length with letters after it', ['Content-Length: 2x'], '{}'],
    ['a quoted Content-Length', ['Content-Length: "2"'], '{}'],
    ['Content-Length of 2^64 + 2', ['Content-Length: 18446744073709551618'], '{}', [400, 413]],
    ['Content-Length of twenty nines', ['Content-Length: 99999999999999999999'], '{}', [400, 413]],
    ['Content-Length with a vertical tab', ['Content-Length: \x0b2'], '{}'],
    ['Content-Length with a space before its colon', ['Content-Length : 2'], '{}'],
    ['Content-Length after a leading space', [' Content-Length: 2'], '{}'],
    ['Content-Length with an underscore and without a length', ['Content_Length: 2'], `{}${SMUGGLED}`, [400, 411]],
    ['Transfer-Encoding with a space before its colon', ['Transfer-Encoding : chunked', 'Content-Length: 2'], CHUNK],
    ['Transfer-Encoding with a tab before its colon', ['Transfer-Encoding\t: chunked', 'Content-Length: 2'], CHUNK],
    ['an unknown Transfer-Encoding', ['Transfer-Encoding: xchunked'], CHUNK, [400, 501]],
    ['Transfer-Encoding identity', ['Transfer-Encoding: identity'], '{}', [400, 501]],
    ['Transfer-Encoding gzip, chunked', ['Transfer-Encoding: gzip, chunked'], CHUNK, [400, 415, 501]],
    ['Transfer-Encoding chunked, identity', ['Transfer-Encoding: chunked, identity'], CHUNK, [400, 501]],
    ['Transfer-Encoding chunked twice', ['Transfer-Encoding: chunked, chunked'], CHUNK, [400, 501]],
    ['two Transfer-Encodings', ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'], CHUNK, [400, 501]],
    ['an empty Transfer-Encoding with a Content-Length', ['Transfer-Encoding: ', 'Content-Length: 2'], '{}', [400, 501]],
    ['a quoted Transfer-Encoding', ['Transfer-Encoding: "chunked"'], CHUNK, [400, 501]],
    ['Transfer-Encoding with a vertical tab', ['Transfer-Encoding: \x0bchunked'], CHUNK, [400, 501]],
    ['Transfer-Encoding folded over two lines', ['Transfer-Encoding:', ' chunked'], CHUNK],
    ['Transfer-Encoding folded after its value', ['Transfer-Encoding: chunked', ' , identity'], CHUNK],
    ['neither length nor Transfer-Encoding', [], '', [411]],
  ].map(([name, lines, body, expect]) => row(name, head(...good, ...lines) + body, expect));

  const chunks = [
    ['a chunk size that is no number', 'xyz\r\n{}\r\n0\r\n\r\n'],
    ['an empty chunk size', '\r\n{}\r\n0\r\n\r\n'],
    ['a negative chunk size', '-2\r\n{}\r\n0\r\n\r\n'],
    ['a chunk size with a plus sign', '+2\r\n{}\r\n0\r\n\r\n'],
    ['a chunk size with 0x', '0x2\r\n{}\r\n0\r\n\r\n'],
    ['a chunk size with a space before it', ' 2\r\n{}\r\n0\r\n\r\n'],
    ['a chunk size with an underscore', '2_0\r\n{}\r\n0\r\n\r\n'],
    ['a chunk size of 2^64 + 2', '10000000000000002\r\n{}\r\n0\r\n\r\n', [400, 413]],
    ['a chunk size of sixteen Fs', 'ffffffffffffffff\r\n{}\r\n0\r\n\r\n', [400, 413]],
    ['a chunk that is longer than its size', '2\r\n{}{}\r\n0\r\n\r\n'],
    ['a chunk without an end of line', '2\r\n{}0\r\n\r\n'],
    ['a chunk size ended by a bare LF', '2\n{}\r\n0\r\n\r\n'],
    ['a chunk size ended by a bare CR', '2\r{}\r\n0\r\n\r\n'],
    ['chunk data ended by a bare LF', '2\r\n{}\n0\r\n\r\n'],
    ['the last chunk ended by bare LFs', '2\r\n{}\r\n0\n\n'],
    ['a chunk extension ended by a bare LF', `2;x=\n{}\r\n0\r\n\r\n${SMUGGLED}`],
    ['a chunk extension with a NUL', '2;x=\0\r\n{}\r\n0\r\n\r\n'],
    ['a chunk extension of 8 KB', `2;x=${'y'.repeat(8192)}\r\n{}\r\n0\r\n\r\n`, [400, 413, 431]],
    ['a trailer that is a Content-Length', '2\r\n{}\r\n0\r\nContent-Length: 60\r\n\r\n'],
    ['a trailer that is a Transfer-Encoding', '2\r\n{}\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['a trailer without a colon', '2\r\n{}\r\n0\r\nnothing\r\n\r\n'],
    ['trailers of 100 KB', `2\r\n{}\r\n0\r\n${'X-T: y\r\n'.repeat(12500)}\r\n`, [400, 413, 431]],
  ].map(([name, body, expect]) => row(name, head(...good, 'Transfer-Encoding: chunked') + body, expect));

  const withHeader = (line) => head(...good, line, 'Content-Length: 2') + '{}';
  const headers = [
    ['a bare LF in a header', withHeader('X-A: b\nX-C: d')],
    ['a bare CR in a header', withHeader('X-A: b\rX-C: d')],
    ['a NUL in a header', withHeader('X-A: b\0c')],
    ['a control character in a header', withHeader('X-A: b\x01c')],
    ['DEL in a header', withHeader('X-A: b\x7fc')],
    ['a folded header', withHeader('X-A: b\r\n c')],
    ['a header folded with a tab', withHeader('X-A: b\r\n\tc')],
    ['a header without a colon', withHeader('X-A')],
    ['a header without a name', withHeader(': b')],
    ['a header name with a space', withHeader('X A: b')],
    ['a header name with brackets', withHeader('X(A): b')],
    ['a header name with a NUL', withHeader('X\0A: b')],
    ['a header name with an 8-bit character', withHeader('X\xe9A: b')],
    ['a header name ended by a space', withHeader('X-A : b')],
    ['a header name of 20 KB', withHeader(`${'X'.repeat(20480)}: b`), [400, 413, 431]],
    ['a header value of 100 KB', withHeader(`X-A: ${'b'.repeat(102400)}`), [400, 413, 431]],
    ['a thousand headers', withHeader(Array.from({ length: 1000 }, (_, i) => `X-${i}: b`).join('\r\n')), [400, 413, 431]],
    ['two Hosts', withHeader('Host: elsewhere')],
    ['two Hosts that agree', withHeader(host)],
    ['two Authorizations', withHeader('Authorization: SharedAccessSignature sr=x&sig=y&se=1'), [400, 401]],
    ['two Content-Types', withHeader('Content-Type: text/plain'), [400, 415]],
    ['no Host', head(put, json, auth, 'Content-Length: 2') + '{}'],
    ['an empty Host with a space in it', head(put, 'Host: local host', json, auth, 'Content-Length: 2') + '{}'],
    ['a Host with a slash', head(put, 'Host: local/host', json, auth, 'Content-Length: 2') + '{}'],
    ['header lines ended by bare LFs', head(...good, 'Content-Length: 2').replace(/\r\n/g, '\n') + '{}'],
    ['header lines ended by bare CRs', head(...good, 'Content-Length: 2').replace(/\r\n/g, '\r') + '{}', [400, 'close']],
    ['a header section ended by a bare LF', `${good.join('\r\n')}\r\nContent-Length: 2\r\n\n{}`],
    ['an expectation that nobody meets', withHeader('Expect: the-unexpected'), [400, 417]],
  ].map(([name, bytes, expect]) => row(name, bytes, expect));

  const line = (first) => head(first, host, json, auth, 'Content-Length: 2') + '{}';
  const lines = [
    ['an empty method', line(` ${path} HTTP/1.1`)],
    ['a method in lower case', line(`put ${path} HTTP/1.1`), [400, 405, 501]],
    ['an unknown method', line(`BREW ${path} HTTP/1.1`), [400, 405, 501]],
    ['a method with a bracket', line(`P(T ${path} HTTP/1.1`)],
    ['a method of 10 KB', line(`${'P'.repeat(10240)} ${path} HTTP/1.1`), [400, 405, 414, 431, 501]],
    ['no path', line('PUT HTTP/1.1')],
    ['two spaces before the path', line(`PUT  ${path} HTTP/1.1`)],
    ['a tab before the path', line(`PUT\t${path} HTTP/1.1`)],
    ['a space in the path', line(`PUT ${path}&x=a b HTTP/1.1`)],
    ['a NUL in the path', line(`PUT ${path}\0 HTTP/1.1`)],
    ['a control character in the path', line(`PUT ${path}\x01 HTTP/1.1`)],
    ['an 8-bit character in the path', line(`PUT /\xe9${path} HTTP/1.1`), [400, 404]],
    ['a path that does not begin with a slash', line(`PUT ${path.slice(1)} HTTP/1.1`)],
    ['a fragment in the path', line(`PUT ${path}#x HTTP/1.1`), [400, 404]],
    ['a percent sign without digits', line(`PUT ${path.replace('/registrations/', '/registrations/%zz')} HTTP/1.1`)],
    ['a percent-encoded NUL in an ID', line(`PUT ${path.replace('/register?', '%00/register?')} HTTP/1.1`), [400, 401]],
    ['a path of 100 KB', line(`PUT ${path}&x=${'y'.repeat(102400)} HTTP/1.1`), [400, 414, 431]],
    ['no version', line(`PUT ${path}`), [400]],
    ['a version in lower case', line(`PUT ${path} http/1.1`)],
    ['version 1.2', line(`PUT ${path} HTTP/1.2`), [400, 505]],
    ['version 2.0', line(`PUT ${path} HTTP/2.0`), [400, 505]],
    ['version 0.9', line(`PUT ${path} HTTP/0.9`), [400, 505]],
    ['version 1.1 with a letter', line(`PUT ${path} HTTP/1.1x`)],
    ['version 01.1', line(`PUT ${path} HTTP/01.1`), [400, 505]],
    ['version 1.1 with a space inside', line(`PUT ${path} HTTP/ 1.1`)],
    ['another protocol\'s name', line(`PUT ${path} RTSP/1.1`), [400, 505]],
    ['HTTP/1.0 with Transfer-Encoding', head(`PUT ${path} HTTP/1.0`, host, json, auth, 'Transfer-Encoding: chunked') + CHUNK, [400, 505]],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00', [400, 505, 'close']],
    ['CONNECT', head('CONNECT localhost:443 HTTP/1.1', host), [400, 405, 501]],
    ['CONNECT with bytes for a tunnel', head('CONNECT localhost:443 HTTP/1.1', host) + SMUGGLED, [400, 405, 501]],
    ['a space before the request line', ` ${line(put)}`],
    ['nonsense', 'nonsense\r\n\r\n'],
    ['zero bytes', '\0'.repeat(64), [400, 'close']],
    ['an SMTP greeting', 'EHLO localhost\r\n', [400, 'close']],
    ['a Content-Length line in place of the request line', `Content-Length: 2\r\n${head(...good)}`],
  ].map(([name, bytes, expect]) => row(name, bytes, expect));

  const ids = [
    ['overlong UTF-8 in an ID', '%c0%ae'],
    ['a percent-encoded slash in an ID', '%2f'],
  ].map(([name, tail]) => ({ ...row(name, line(`PUT ${path.replace('/register?', `${tail}/register?`)} HTTP/1.1`), [400, 401]), next: Buffer.from(line(put)) }));

  return [...lengths, ...chunks, ...headers, ...lines, ...ids];
}

module.exports = { rows };
