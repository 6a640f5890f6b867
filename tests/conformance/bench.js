// What a scenario is handed: where the running usherd is, and SDK clients made for it. Where the ports are not 443 and 8883,
// the SDKs are told in the ways that work with unmodified packages (service-api.md A.3 and H.5).
'use strict';

const assert = require('assert');
const fs = require('fs');
const https = require('https');
const { Control } = require('../lib/control');
const { onHub, registering } = require('./transports');

class Bench {
  constructor(context) {
    Object.assign(this, context);
    this.ca = fs.readFileSync(this.caFile, 'utf8');
    this.control = new Control(this.socket);
    this.closers = [];
    this.tolerated = null;
    https.globalAgent.defaultPort = this.httpsPort;
  }

  /** An agent for the clients that bring their own. */
  agent() {
    const agent = new https.Agent({ keepAlive: true });
    agent.defaultPort = this.httpsPort;
    this.closers.push(() => agent.destroy());
    return agent;
  }

  /** azure-iot-provisioning-device over a transport of transports.js; `security` in place of a key. */
  provisioningClient(transport, { id, key, scope = this.scope, security }) {
    const { ProvisioningDeviceClient } = require('azure-iot-provisioning-device');
    const { SymmetricKeySecurityClient } = require('azure-iot-security-symmetric-key');
    const made = registering(transport, this);
    return ProvisioningDeviceClient.create(made.host, scope, made.transport, security || new SymmetricKeySecurityClient(id, key));
  }

  /** Registers a device; resolves to the registration state that the SDK hands its user. */
  provision(transport, device, payload) {
    const client = this.provisioningClient(transport, device);
    if (payload !== undefined) client.setProvisioningPayload(payload);
    return client.register();
  }

  /** azure-iot-device, over MQTT unless told otherwise; does not try again, so that a test sees the first error. */
  deviceClient(deviceId, key, { hub = this.hub, over = 'mqtt' } = {}) {
    const { Client } = require('azure-iot-device');
    return this.tame(Client.fromConnectionString(`HostName=${hub};DeviceId=${deviceId};SharedAccessKey=${key}`, onHub(over)));
  }

  deviceClientWithToken(token) {
    const { Client } = require('azure-iot-device');
    return this.tame(Client.fromSharedAccessSignature(token, onHub('mqtt')));
  }

  tame(client) {
    const { NoRetry } = require('azure-iot-common');
    client.setRetryPolicy(new NoRetry());
    client.on('error', () => {});
    this.closers.push(() => client.close().catch(() => {}));
    return client;
  }

  /** azure-iot-provisioning-service. */
  serviceClient(connectionString = this.serviceConnectionString) {
    const { ProvisioningServiceClient } = require('azure-iot-provisioning-service');
    return ProvisioningServiceClient.fromConnectionString(connectionString);
  }

  serviceClientWithToken(sharedAccessSignature) {
    const { ProvisioningServiceClient } = require('azure-iot-provisioning-service');
    return new ProvisioningServiceClient({ host: 'localhost', sharedAccessSignature });
  }

  /** azure-iothub, Registry. */
  registry(connectionString = this.hubConnectionString) {
    const registry = require('azure-iothub').Registry.fromConnectionString(connectionString);
    registry._restApiClient.setOptions({ http: { agent: this.agent() } });
    return registry;
  }

  /** azure-iothub, Client: for direct methods. */
  hubClient() {
    const { Client } = require('azure-iothub');
    const client = Client.fromConnectionString(this.hubConnectionString);
    client._restApiClient.setOptions({ http: { agent: this.agent() } });
    const { NoRetry } = require('azure-iot-common');
    client.setRetryPolicy(new NoRetry());
    return client;
  }

  /**
   * Runs `work`, in which an SDK is known to throw this error where nobody can catch it. The handler of child.js asks
   * `tolerates`; anything else is a failure as ever.
   */
  async tolerating({ message, from }, work) {
    this.tolerated = (error) => error.message === message && String(error.stack).split('\n')[1].includes(`/${from}/`);
    try {
      return await work();
    } finally {
      this.tolerated = null;
    }
  }

  tolerates(error) {
    return this.tolerated !== null && error instanceof Error && this.tolerated(error);
  }

  async close() {
    await Promise.all(this.closers.map((close) => close()));
  }
}

/** The value of an SDK call, which comes bare or wrapped with the HTTP response, depending on the package. */
function bodyOf(result) {
  if (result === null || typeof result !== 'object') return result;
  if ('httpResponse' in result) return result.responseBody;
  return 'message' in result && 'result' in result ? result.result : result;
}

/** Asserts that `promise` fails with an SDK error of this class name (and code, HTTP status, message); returns the error. */
async function refused(promise, { name, code, status, message }) {
  let error;
  try {
    const value = await promise;
    assert.fail(`accepted, with ${String(JSON.stringify(bodyOf(value))).slice(0, 200)}`);
  } catch (caught) {
    if (caught.code === 'ERR_ASSERTION') throw caught;
    error = caught;
  }
  assert.strictEqual(error.name, name, `class of the error (${error.message})`);
  if (code !== undefined) assert.strictEqual(error.code, code, `code of: ${error.message}`);
  if (status !== undefined) assert.strictEqual(error.response && error.response.statusCode, status, `HTTP status of: ${error.message}`);
  if (message !== undefined) assert.match(error.message, message);
  return error;
}

/** All the items of an SDK query, page by page: [[items of page 1], …]. */
async function pagesOf(query, most = 50) {
  const pages = [];
  let token;
  do {
    const result = await query.next(token);
    const items = bodyOf(result);
    assert.ok(Array.isArray(items), `a page that is no array: ${JSON.stringify(items)}`);
    pages.push(items);
    token = query.continuationToken;
    assert.ok(pages.length <= most, 'a query that never ends');
  } while (query.hasMoreResults);
  return pages;
}

/** Resolves with the arguments of the next `event`, or the next that `fits`. */
function nextEvent(emitter, event, fits = () => true) {
  return new Promise((resolve) => {
    const listener = (...args) => {
      if (!fits(...args)) return;
      emitter.removeListener(event, listener);
      resolve(args);
    };
    emitter.on(event, listener);
  });
}

/** A promise from a function that takes a Node callback. */
function called(work) {
  return new Promise((resolve, reject) => {
    work((error, value) => (error ? reject(error) : resolve(value)));
  });
}

module.exports = { Bench, bodyOf, refused, pagesOf, nextEvent, called };
