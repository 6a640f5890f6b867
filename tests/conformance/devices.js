// What the scenarios ask of a device however it proves itself: the state that the SDK hands its user, and a visit to the hub.
'use strict';

const assert = require('assert');
const { Message } = require('azure-iot-device');
const { hubTransports } = require('./transports');

/** What the SDK hands its user of an assigned device. */
function checkState(bench, state, { id, deviceId = id }) {
  assert.strictEqual(state.status, 'assigned');
  assert.strictEqual(state.substatus, 'initialAssignment');
  assert.strictEqual(state.registrationId, id);
  assert.strictEqual(state.deviceId, deviceId);
  assert.strictEqual(state.assignedHub, bench.hub);
  return state;
}

/** A visit to the hub with a new azure-iot-device client: the initial twin is read, and two messages are counted. */
async function visit(bench, client, desired) {
  await client.open();
  const { $version: version, ...found } = (await client.getTwin()).properties.desired;
  assert.deepStrictEqual(found, desired, `desired properties, version ${version}`);
  const before = (await bench.control.hub(bench.hub)).telemetryMessageCount;
  for (let i = 0; i < 2; i += 1) await client.sendEvent(new Message(`message ${i}`));
  assert.strictEqual((await bench.control.hub(bench.hub)).telemetryMessageCount - before, 2, 'messages counted');
  await client.close();
}

/** One visit by each way to the hub that there is where the device registers by `transport`; `make(over)` gives the client. */
async function visitsBy(bench, transport, make, desired) {
  for (const over of hubTransports(transport)) await visit(bench, await make(over), desired);
}

module.exports = { checkState, visitsBy };
