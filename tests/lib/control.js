// Requests to usherd: over its control socket (no secret needed), over HTTPS, and with the `usher` program.
'use strict';

const http = require('http');
const https = require('https');
const children = require('./children');
const { within } = require('./wait');

const API = 'api-version=2021-10-01';

class Refused extends Error {
  constructor(method, path, answer) {
    super(`${method} ${path}: ${answer.status} ${answer.text.slice(0, 300)}`);
    this.status = answer.status;
    this.json = answer.json;
  }
}

/** One request over `transport` (http or https): {status, headers, text, json}. */
function ask(transport, options, body) {
  const sent = body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  const headers = { ...options.headers };
  if (sent !== undefined) {
    headers['Content-Length'] = Buffer.byteLength(sent);
    if (!('Content-Type' in headers)) headers['Content-Type'] = 'application/json; charset=utf-8';
  }
  const done = new Promise((resolve, reject) => {
    const request = transport.request({ ...options, headers, agent: false }, (response) => {
      const parts = [];
      response.on('data', (data) => parts.push(data));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(parts).toString('utf8');
        let json;
        if (/application\/json/.test(response.headers['content-type'] || '') && text) {
          try { json = JSON.parse(text); } catch (error) { reject(error); return; }
        }
        resolve({ status: response.statusCode, headers: response.headers, text, json });
      });
    });
    request.on('error', reject);
    request.end(sent);
  });
  return within(10000, `${options.method} ${options.path}`, done);
}

class Control {
  constructor(socketPath) {
    this.socketPath = socketPath;
  }

  request(method, path, body, headers = {}) {
    return ask(http, { socketPath: this.socketPath, method, path, headers: { Host: 'localhost', ...headers } }, body);
  }

  /** A request that must succeed; returns its JSON. */
  async must(method, path, body, headers) {
    const answer = await this.request(method, path, body, headers);
    if (answer.status < 200 || answer.status > 299) throw new Refused(method, path, answer);
    return answer.json;
  }

  /** Makes an individual enrollment with a symmetric key; returns it with its keys. */
  enroll(registrationId, more = {}, keys = {}) {
    return this.must('PUT', `/enrollments/${encodeURIComponent(registrationId)}?${API}`, {
      registrationId, attestation: { type: 'symmetricKey', symmetricKey: keys }, ...more,
    });
  }

  /** Makes an enrollment group with symmetric keys; returns it with its keys. */
  group(enrollmentGroupId, more = {}, keys = {}) {
    return this.must('PUT', `/enrollmentGroups/${encodeURIComponent(enrollmentGroupId)}?${API}`, {
      enrollmentGroupId, attestation: { type: 'symmetricKey', symmetricKey: keys }, ...more,
    });
  }

  registration(registrationId) {
    return this.request('GET', `/registrations/${encodeURIComponent(registrationId)}?${API}`);
  }

  hub(name) {
    return this.must('GET', `/control/hubs/${encodeURIComponent(name)}`);
  }
}

/** A request over HTTPS to a server (the object of usherd.js, or anything with httpsPort and ca). */
function overHttps(server, method, path, { body, headers = {}, token } = {}) {
  return ask(https, {
    host: '127.0.0.1', servername: 'localhost', port: server.httpsPort, ca: server.ca, method, path,
    headers: { Host: 'localhost', ...(token ? { Authorization: token } : {}), ...headers },
  }, body);
}

/** Runs the usher program against a server's control socket: {code, stdout, stderr}. */
function usher(server, args, options = {}) {
  const { program } = require('./usherd');
  return children.run(program('usher'), ['--socket', server.socket, ...args], options);
}

/** The same, for a verb that must succeed; returns what it printed. */
async function mustUsher(server, args, options) {
  const { code, stdout, stderr } = await usher(server, args, options);
  if (code !== 0) throw new Error(`usher ${args.join(' ')}: exit code ${code}: ${stderr.trim() || stdout.trim()}`);
  return stdout.trim();
}

module.exports = { API, Control, Refused, overHttps, usher, mustUsher };
