// A registrar of TPM devices as they are usually made, to measure ours against: HTTPS, and for each secret that it sends it forks
// `tpm2_makecredential`. registrar.js PORT CERTIFICATE KEY DIR FORKS: 2, the challenge and the key of the hub that comes with the
// answer, as these devices expect (device-protocol 6); or 1, the challenge alone. It does less than usherd all the same: no
// records, no hub, no look at the endorsement key, and a credential is half of an activation blob.
'use strict';

const { execFile } = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const https = require('https');
const path = require('path');

const [port, certificate, key, dir, forks] = process.argv.slice(2);
const TOOL = 'tpm2_makecredential';
const NAME_ALGORITHM = '000b'; // SHA-256
const challenges = new Map(); // by registration ID: the secret
let count = 0;

function answer(response, status, body) {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8', 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}

/** A new secret, and what only the TPM with this endorsement key can read it from, and only for this storage root key. */
function makeCredential(tpm, done) {
  const base = path.join(dir, String(count += 1));
  const secret = crypto.randomBytes(32);
  const name = NAME_ALGORITHM + crypto.createHash('sha256').update(Buffer.from(tpm.storageRootKey, 'base64').subarray(2)).digest('hex');
  fs.writeFileSync(`${base}.ek`, Buffer.from(tpm.endorsementKey, 'base64'));
  fs.writeFileSync(`${base}.secret`, secret);
  execFile(TOOL, ['--tcti', 'none', '-u', `${base}.ek`, '-s', `${base}.secret`, '-n', name, '-o', `${base}.out`], (error) => {
    const blob = error ? undefined : fs.readFileSync(`${base}.out`).toString('base64');
    for (const end of ['ek', 'secret', 'out']) fs.rmSync(`${base}.${end}`, { force: true });
    done(error, secret, blob);
  });
}

function challenge(response, id, { tpm }) {
  makeCredential(tpm, (error, secret, authenticationKey) => {
    if (error) {
      answer(response, 500, { message: error.message });
      return;
    }
    challenges.set(id, secret);
    answer(response, 401, { message: 'Authorization required', authenticationKey, keyName: 'registration' });
  });
}

function assign(response, id, { tpm }) {
  const body = (key) => ({ operationId: '1', status: 'assigned', registrationState: { registrationId: id, status: 'assigned', tpm: key } });
  if (Number(forks) < 2) {
    answer(response, 202, body());
    return;
  }
  makeCredential(tpm, (error, secret, authenticationKey) => {
    if (error) answer(response, 500, { message: error.message });
    else answer(response, 202, body({ authenticationKey }));
  });
}

/** Is the token signed with what was in the challenge? */
function proven(id, token) {
  const fields = Object.fromEntries(token.split(' ')[1].split('&').map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
  const want = crypto.createHmac('sha256', challenges.get(id)).update(`${fields.sr}\n${fields.se}`).digest();
  const got = Buffer.from(decodeURIComponent(fields.sig), 'base64');
  return got.length === want.length && crypto.timingSafeEqual(got, want);
}

const server = https.createServer({ cert: fs.readFileSync(certificate), key: fs.readFileSync(key) }, (request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    const body = JSON.parse(Buffer.concat(parts));
    const id = body.registrationId;
    const token = request.headers.authorization;
    if (token === undefined || !challenges.has(id)) challenge(response, id, body);
    else if (!proven(id, token)) answer(response, 401, { message: 'Unauthorized' });
    else assign(response, id, body);
    if (token !== undefined) challenges.delete(id);
  });
});
server.listen(Number(port), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
