// Claims: a device that was provisioned connects with azure-iot-device-mqtt to the hub it was assigned, and there: its
// twin holds the enrollment's initial desired properties; what it reports the service side sees; what the service side
// desires it receives; a direct method goes there and back, and says so when the device is away; telemetry is counted.
'use strict';

const assert = require('assert');
const { Message } = require('azure-iot-device');
const sas = require('../../lib/sas');
const { bodyOf, called, nextEvent, refused } = require('../bench');
const { until, within } = require('../../lib/wait');

const INITIAL = { tags: { floor: 3 }, properties: { desired: { interval: 30, mode: { fan: 'auto', levels: [1, 2] } } } };

/** Enrolls and provisions a device, and returns a device client for where it was sent. */
async function provisioned(bench, id, { group = false } = {}) {
  let key;
  if (group) {
    const made = await bench.control.group(`${id}-group`, { initialTwin: INITIAL });
    key = sas.deriveKey(made.attestation.symmetricKey.primaryKey, id);
  } else {
    key = (await bench.control.enroll(id, { initialTwin: INITIAL })).attestation.symmetricKey.primaryKey;
  }
  const state = await bench.provision('mqtt', { id, key });
  return { key, state, client: bench.deviceClient(state.deviceId, key, { hub: state.assignedHub }) };
}

async function twinCases(report, bench, id, client) {
  const registry = bench.registry();
  const twin = await report.check('the twin holds the initial desired properties', async () => {
    const got = await client.getTwin();
    const { $version: version, ...desired } = got.properties.desired;
    assert.deepStrictEqual(desired, INITIAL.properties.desired);
    assert.ok(Number.isInteger(version), `desired.$version ${version}`);
    assert.ok(!('tags' in got) || Object.keys(got.tags || {}).length === 0, 'a device must not see tags');
    return got;
  });
  if (!twin) return;

  await report.check('the service side sees what the device reports, and removal with null', async () => {
    await called((done) => twin.properties.reported.update({ firmware: '1.2.3', battery: { level: 80, old: 1 } }, done));
    let seen = bodyOf(await registry.getTwin(id));
    assert.strictEqual(seen.properties.reported.firmware, '1.2.3');
    assert.deepStrictEqual(seen.properties.reported.battery, { level: 80, old: 1 });
    const version = seen.properties.reported.$version;
    await called((done) => twin.properties.reported.update({ battery: { level: 79, old: null } }, done));
    seen = bodyOf(await registry.getTwin(id));
    assert.deepStrictEqual(seen.properties.reported.battery, { level: 79 });
    assert.strictEqual(seen.properties.reported.$version, version + 1);
    assert.deepStrictEqual(seen.tags, INITIAL.tags);
  });

  await report.check('the device receives what the service side desires, and removal with null', async () => {
    // The first listener asks the hub for pushes. The SDK says nothing when that is done, so the first push is tried until
    // it comes; and it tells each new listener what it holds already, so an event counts only with the value looked for.
    const target = bodyOf(await registry.getTwin(id));
    let round = 0;
    await until(15000, 'a desired property pushed to the device', async () => {
      round += 1;
      const wanted = `speed-${round}`;
      const pushed = nextEvent(twin, 'properties.desired.mode.fan', (fan) => fan === wanted);
      await registry.updateTwin(id, { properties: { desired: { mode: { fan: wanted } } } }, '*');
      return within(1000, 'the push', pushed).then(() => true, () => false);
    });
    assert.strictEqual(twin.properties.desired.mode.fan, `speed-${round}`);
    assert.strictEqual(twin.properties.desired.interval, 30, 'what the patch does not name stays');
    assert.ok(twin.properties.desired.$version > target.properties.desired.$version, 'the version grows');
    const removed = nextEvent(twin, 'properties.desired', (delta) => delta.interval === null);
    const { $version: version } = bodyOf(await registry.updateTwin(id, { properties: { desired: { interval: null } } }, '*')).properties.desired;
    const [delta] = await within(5000, 'the push of a removal', removed);
    assert.deepStrictEqual(delta, { interval: null, $version: version }, 'the patch as it was pushed');
    assert.ok(!('interval' in twin.properties.desired), 'it is gone from the device\'s twin');
  });
}

async function methodCases(report, bench, id, client) {
  const hub = bench.hubClient();
  await report.check('a direct method goes to the device and its answer comes back', async () => {
    await new Promise((resolve) => {
      client.onDeviceMethod('reboot', (request, response) => {
        response.send(202, { echoed: request.payload, method: request.methodName }, () => {});
      });
      resolve();
    });
    // Subscribing is not acknowledged to the caller, so the first calls may find nobody at home.
    const answer = await until(15000, 'an answer of the device', () => hub.invokeDeviceMethod(id, {
      methodName: 'reboot', payload: { delay: 5, why: ['a', null] }, responseTimeoutInSeconds: 10,
    }).catch((error) => { if (error.response && error.response.statusCode === 404) return null; throw error; }));
    assert.deepStrictEqual(bodyOf(answer), { status: 202, payload: { echoed: { delay: 5, why: ['a', null] }, method: 'reboot' } });
  });

  await report.check('a method that the device has no handler for fails with a time-out: the Node SDK answers nothing', async () => {
    const call = hub.invokeDeviceMethod(id, { methodName: 'unheard-of', payload: null, responseTimeoutInSeconds: 5 });
    await refused(call, { name: 'GatewayTimeoutError', status: 504 });
  });

  await report.check('a method that the device does not answer in time fails with a time-out', async () => {
    client.onDeviceMethod('sulk', () => {});
    const call = hub.invokeDeviceMethod(id, { methodName: 'sulk', payload: {}, responseTimeoutInSeconds: 5, connectTimeoutInSeconds: 5 });
    await refused(call, { name: 'GatewayTimeoutError', status: 504 });
  });
}

async function telemetryCases(report, bench, client, hubName) {
  await report.check('telemetry is accepted, with and without properties, and counted by the hub', async () => {
    const before = (await bench.control.hub(hubName)).telemetryMessageCount;
    assert.ok(Number.isInteger(before), `telemetryMessageCount is ${before}`);
    for (let i = 0; i < 5; i += 1) {
      const message = new Message(JSON.stringify({ temperature: 20 + i }));
      if (i % 2 === 0) {
        message.contentType = 'application/json';
        message.contentEncoding = 'utf-8';
        message.messageId = `message ${i}`;
        message.properties.add('alarm', i > 2 ? 'yes & no' : 'no');
      }
      await client.sendEvent(message);
    }
    await client.sendEvent(new Message(Buffer.alloc(0)));
    const after = (await bench.control.hub(hubName)).telemetryMessageCount;
    assert.strictEqual(after - before, 6, 'messages counted');
  });
}

async function run(report, bench) {
  const id = 'hub-device';
  const device = await report.check('a provisioned device connects to the hub it was assigned', async () => {
    const made = await provisioned(bench, id);
    await made.client.open();
    return made;
  });
  if (!device) return;
  const { client, key, state } = device;

  await report.check('the hub shows the device as connected', async () => {
    assert.strictEqual(bodyOf(await bench.registry().get(id)).connectionState, 'Connected');
    assert.strictEqual((await bench.control.hub(state.assignedHub)).connectedDeviceCount, 1);
  });
  await twinCases(report, bench, id, client);
  await methodCases(report, bench, id, client);
  await telemetryCases(report, bench, client, state.assignedHub);

  await report.check('a second connection of the same device takes the place of the first', async () => {
    const gone = nextEvent(client, 'disconnect');
    const second = bench.deviceClient(id, key, { hub: state.assignedHub });
    await second.open();
    await within(10000, 'the first connection to be closed', gone);
    await second.sendEvent(new Message('from the second'));
    await second.close();
  });

  await report.check('once the device is gone it shows as disconnected, and a method fails with DeviceNotOnline', async () => {
    await client.close();
    const registry = bench.registry();
    await until(5000, 'the hub to notice', async () => bodyOf(await registry.get(id)).connectionState === 'Disconnected');
    const error = await refused(bench.hubClient().invokeDeviceMethod(id, { methodName: 'reboot', payload: {}, responseTimeoutInSeconds: 5 }),
      { name: 'Error', status: 404 });
    assert.match(error.responseBody, /DeviceNotOnline/);
  });

  await report.check('a device of a group connects with its derived key and finds the initial twin', async () => {
    const made = await provisioned(bench, 'hub-member', { group: true });
    await made.client.open();
    const twin = await made.client.getTwin();
    assert.strictEqual(twin.properties.desired.interval, 30);
    await made.client.close();
  });

  await report.check('what a device reported while connected is there when it connects again', async () => {
    const again = bench.deviceClient(id, key, { hub: state.assignedHub });
    await again.open();
    assert.strictEqual((await again.getTwin()).properties.reported.firmware, '1.2.3');
    await again.close();
  });
}

module.exports = { name: 'device-mqtt on the hub', run };
