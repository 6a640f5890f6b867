// The same with tpm2-tools, which share no code with us but the TPM: each step is a program of theirs, with files between.
'use strict';

const crypto = require('crypto');
const fs = require('fs');
const path = require('path');
const children = require('../lib/children');
const { scratch } = require('../lib/usherd');

const HEADER = Buffer.from('badcc0de00000001', 'hex'); // of tpm2-tools' credential files
const SRK_ATTRIBUTES = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt';
const SRK_HANDLE = '0x81000001';

/** Sizes and contents of the TPM2Bs one after the other. */
function membersOf(text) {
  const bytes = Buffer.from(text, 'base64');
  const members = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 2 + bytes.readUInt16BE(at);
    members.push(Buffer.from(bytes.subarray(at + 2, end)));
    at = end;
  }
  return members;
}

function sized(bytes) {
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
}

const joined = (members) => Buffer.concat(members.map(sized)).toString('base64');

function decipher(key, bytes) {
  const cipher = crypto.createDecipheriv('aes-128-cfb', key, Buffer.alloc(16));
  return Buffer.concat([cipher.update(bytes), cipher.final()]);
}

/** Runs one tool in `dir`; nothing stays loaded afterwards, for there is no resource manager. */
async function tool(tpm, dir, name, ...args) {
  const env = { ...process.env, TPM2TOOLS_TCTI: tpm.tcti, TSS2_LOG: 'all+NONE' };
  const { code, stderr } = await children.run(`tpm2_${name}`, args, { cwd: dir, env });
  if (code !== 0) throw new Error(`tpm2_${name} ${args.join(' ')}: ${stderr}`);
  await children.run('tpm2_flushcontext', ['-t'], { cwd: dir, env });
}

/** Contexts of both keys, and their public parts as a device sends them. */
async function makeKeys(tpm) {
  const dir = scratch();
  await tool(tpm, dir, 'createek', '-c', 'ek.ctx', '-G', 'rsa', '-u', 'ek.pub');
  await tool(tpm, dir, 'createprimary', '-C', 'o', '-c', 'srk.ctx', '-g', 'sha256', '-G', 'rsa2048:aes128cfb', '-a', SRK_ATTRIBUTES);
  await tool(tpm, dir, 'readpublic', '-c', 'ek.ctx', '-f', 'tss', '-o', 'ek.pub', '-n', 'ek.name');
  await tool(tpm, dir, 'readpublic', '-c', 'srk.ctx', '-f', 'tss', '-o', 'srk.pub', '-n', 'srk.name');
  const read = (name) => fs.readFileSync(path.join(dir, name));
  return { dir, ek: read('ek.pub').toString('base64'), srk: read('srk.pub').toString('base64') };
}

/** Another storage root key than the TPM had, where devices look for it. */
async function replaceStorageRoot(tpm) {
  const dir = scratch();
  // the size in the machine's own order, as that tool wants it
  fs.writeFileSync(path.join(dir, 'unique'), Buffer.concat([Buffer.from([0, 1]), crypto.randomBytes(256)]));
  await tool(tpm, dir, 'createprimary', '-C', 'o', '-c', 'srk.ctx', '-g', 'sha256', '-G', 'rsa2048:aes128cfb', '-a', SRK_ATTRIBUTES,
    '-u', 'unique');
  await tool(tpm, dir, 'evictcontrol', '-C', 'o', '-c', 'srk.ctx', SRK_HANDLE);
}

/** The inner key, by the endorsement key's policy. */
async function activate(tpm, { dir }, members) {
  fs.writeFileSync(path.join(dir, 'credential'), Buffer.concat([HEADER, sized(members[0]), sized(members[1])]));
  await tool(tpm, dir, 'startauthsession', '--policy-session', '-S', 'session');
  await tool(tpm, dir, 'policysecret', '-S', 'session', '-c', 'e');
  await tool(tpm, dir, 'activatecredential', '-c', 'srk.ctx', '-C', 'ek.ctx', '-i', 'credential', '-o', 'inner', '-P', 'session:session');
  await tool(tpm, dir, 'flushcontext', 'session');
  return fs.readFileSync(path.join(dir, 'inner'));
}

/** Imports the planted key with the inner key, loads it and signs: base64. */
async function importAndSign(tpm, { dir }, members, inner, text) {
  const write = (name, bytes) => fs.writeFileSync(path.join(dir, name), bytes);
  write('inner', inner);
  write('dup', sized(members[2]));
  write('seed', sized(members[3]));
  write('id.pub', sized(members[4]));
  write('text', text);
  await tool(tpm, dir, 'import', '-C', 'srk.ctx', '-k', 'inner', '-i', 'dup', '-s', 'seed', '-u', 'id.pub', '-r', 'id.priv');
  await tool(tpm, dir, 'load', '-C', 'srk.ctx', '-u', 'id.pub', '-r', 'id.priv', '-c', 'id.ctx');
  await tool(tpm, dir, 'hmac', '-c', 'id.ctx', '-o', 'hmac', 'text');
  return fs.readFileSync(path.join(dir, 'hmac')).toString('base64');
}

/** Members 1 and 2 as tpm2-tools make them, without a TPM. */
async function makeCredential(tpm, { dir }, secret) {
  fs.writeFileSync(path.join(dir, 'secret'), secret);
  const name = fs.readFileSync(path.join(dir, 'srk.name')).toString('hex');
  const { code, stderr } = await children.run('tpm2_makecredential',
    ['--tcti', 'none', '-u', 'ek.pub', '-s', 'secret', '-n', name, '-o', 'made'], { cwd: dir });
  if (code !== 0) throw new Error(`tpm2_makecredential: ${stderr}`);
  return membersOf(fs.readFileSync(path.join(dir, 'made')).subarray(HEADER.length).toString('base64'));
}

module.exports = { membersOf, joined, decipher, makeKeys, replaceStorageRoot, activate, importAndSign, makeCredential };
