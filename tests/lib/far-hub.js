// A hub elsewhere: an usherd whose embedded hub other usherd link by connection string. Asks it as its operator would, over HTTPS,
// and lets a device report there.
'use strict';

const assert = require('assert');
const fs = require('fs');
const path = require('path');
const mqtt = require('./mqtt');
const sas = require('./sas');
const usherd = require('./usherd');
const { overHttps } = require('./control');

const HUB_VERSION = 'api-version=2021-04-12';
const CERTIFICATE = ['ca.pem', 'server.pem', 'server.key'];

/** A folder for an usherd that shows the certificate which lies in another one's folder. */
function folderWith(certificates) {
  const dir = usherd.scratch();
  for (const file of CERTIFICATE) fs.copyFileSync(path.join(certificates, file), path.join(dir, file));
  return dir;
}

class FarHub {
  /** Starts one; `certificates`: the folder of an usherd whose certificate it shows too. */
  static async start({ certificates, ...options } = {}) {
    const dir = certificates ? folderWith(certificates) : usherd.scratch();
    return FarHub.of(await usherd.start({ dir, ...options }));
  }

  static async of(server) {
    const hub = new FarHub();
    hub.server = server;
    hub.host = `localhost:${server.httpsPort}`;
    const keys = await server.control.must('POST', `/control/hubs/${encodeURIComponent(server.hub)}/listkeys`);
    hub.policies = Object.fromEntries(keys.value.map((policy) => [policy.keyName, policy]));
    return hub;
  }

  connectionString(policy = 'iothubowner', key = this.policies[policy].primaryKey, host = this.host) {
    return `HostName=${host};SharedAccessKeyName=${policy};SharedAccessKey=${key}`;
  }

  /** One request to its REST API. */
  ask(method, to, body, headers) {
    const token = sas.policyToken({ host: this.host, policy: 'iothubowner', key: this.policies.iothubowner.primaryKey });
    return overHttps(this.server, method, `${to}?${HUB_VERSION}`, { token, headers, ...(body ? { body: JSON.stringify(body) } : {}) });
  }

  async must(method, to, body, headers) {
    const answer = await this.ask(method, to, body, headers);
    assert.ok(answer.status >= 200 && answer.status < 300, `${method} ${to}: ${answer.status} ${answer.text}`);
    return answer.json;
  }

  /** The identity that it holds, or undefined. */
  async identity(id) {
    const answer = await this.ask('GET', `/devices/${encodeURIComponent(id)}`);
    assert.ok(answer.status === 200 || answer.status === 404, answer.text);
    return answer.status === 200 ? answer.json : undefined;
  }

  /** All its identities, up to 1000; over the control socket, which is quick. */
  identities() {
    return this.server.control.must('GET', '/devices?top=1000', undefined, { Host: this.server.hub });
  }

  /** The twin of a device, quickly. */
  twinHere(id) {
    return this.server.control.must('GET', `/twins/${encodeURIComponent(id)}`, undefined, { Host: this.server.hub });
  }

  twin(id) {
    return this.must('GET', `/twins/${encodeURIComponent(id)}`);
  }

  /** A device connects over MQTT and reports properties. */
  async report(id, key, properties) {
    const hub = this.server.hub;
    const peer = await mqtt.openMqtt({ port: this.server.mqttPort, ca: this.server.ca, name: id });
    try {
      await peer.write(mqtt.connect({
        clientId: id, username: `${hub}/${id}/?api-version=2021-04-12`, password: sas.hubDeviceToken({ hub, deviceId: id, key }),
      }));
      const connack = await peer.expect('CONNACK');
      assert.strictEqual(connack.code, 0, `${id} at its hub: CONNACK ${connack.code}`);
      await peer.write(mqtt.subscribe(1, [{ topic: '$iothub/twin/res/#', qos: 0 }]));
      await peer.expect('SUBACK');
      await peer.write(mqtt.publish({ topic: '$iothub/twin/PATCH/properties/reported/?$rid=1', payload: JSON.stringify(properties) }));
      const { topic } = await peer.expect('PUBLISH');
      assert.match(topic, /^\$iothub\/twin\/res\/204\//, `what ${id} reports`);
      await peer.write(mqtt.disconnect());
    } finally {
      peer.destroy();
    }
  }
}

/** A section of a twin without $version and $metadata. */
function bare(section) {
  return Object.fromEntries(Object.entries(section || {}).filter(([name]) => !name.startsWith('$')));
}

module.exports = { FarHub, HUB_VERSION, folderWith, bare };
