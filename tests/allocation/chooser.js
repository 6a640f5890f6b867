// A function of custom allocation, as an operator writes one (service-api C): an HTTPS server that looks up its answer.
'use strict';

const fs = require('fs');
const https = require('https');
const path = require('path');
const children = require('../lib/children');

const KEY = 'c2VjcmV0LWZ1bmN0aW9uLWtleQ';

class Chooser {
  static async start(certificates) {
    const chooser = new Chooser();
    chooser.answers = new Map(); // registration ID: what to answer; {status} for an error
    chooser.asked = []; // {registrationId, body, headers, url}
    const read = (file) => fs.readFileSync(path.join(certificates, file));
    chooser.server = https.createServer({ cert: read('server.pem'), key: read('server.key') }, (request, response) => chooser.serve(request, response));
    await new Promise((resolve) => chooser.server.listen(0, '127.0.0.1', resolve));
    chooser.server.unref();
    chooser.port = chooser.server.address().port;
    children.onExit(() => chooser.server.close());
    return chooser;
  }

  get definition() {
    return { webhookUrl: `https://127.0.0.1:${this.port}/api/choose?code=${KEY}`, apiVersion: '2021-10-01' };
  }

  serve(request, response) {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(parts).toString());
      const { registrationId } = body.deviceRuntimeContext;
      this.asked.push({ registrationId, body, headers: request.headers, url: request.url });
      const { status = 200, ...answer } = this.answers.get(registrationId) || { status: 404 };
      response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' }); // as Microsoft's own samples answer
      response.end(status === 200 ? JSON.stringify(answer, null, 2) : 'no');
    });
  }

  asksFor(id) {
    return this.asked.filter(({ registrationId }) => registrationId === id);
  }
}

module.exports = { Chooser, KEY };
