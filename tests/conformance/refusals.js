// The form in which azure-iot-provisioning-device hands its user a refusal, by transport. `credential`: the device is not let
// in to ask (wrong key, unknown ID or scope); `request`: it asks, and usherd answers with an error body, which is returned.
'use strict';

const assert = require('assert');
const { refused } = require('./bench');
const { checkError } = require('../lib/device');

/** The body of an error, which must be 401 with 401002. */
function unauthorized(body) {
  checkError(body, 401);
  assert.strictEqual(body.errorCode, 401002);
  return body;
}

/** CONNECT is refused, and the SDK hands on what mqtt.js says. What is published is answered in res/401. */
const MQTT = {
  credential: async (promise) => { await refused(promise, { name: 'Error', code: 5, message: /^Connection refused: Not authorized$/ }); },
  request: async (promise) => unauthorized((await refused(promise, { name: 'UnauthorizedError' })).result),
};

async function http401(promise) {
  return unauthorized(JSON.parse((await refused(promise, { name: 'UnauthorizedError', status: 401 })).responseBody));
}
const HTTP = { credential: http401, request: http401 };

/**
 * A bad credential is SASL's outcome 1, after which azure-iot-amqp-base loses rhea's reason and only says that it is not
 * connected. A request is settled as rejected: the SDK hands on rhea's error, whose description is the body.
 */
const AMQP = {
  credential: async (promise) => { await refused(promise, { name: 'NotConnectedError' }); },
  request: async (promise) => {
    const { state, error } = await promise.then((value) => ({ state: value }), (caught) => ({ error: caught }));
    assert.ok(error, `accepted, with ${JSON.stringify(state)}`);
    assert.strictEqual(error.condition, 'amqp:unauthorized-access', `condition of ${error.name}: ${error.message}`);
    return unauthorized(JSON.parse(error.description));
  },
};

const REFUSALS = { mqtt: MQTT, 'mqtt-ws': MQTT, http: HTTP, amqp: AMQP, 'amqp-ws': AMQP };

module.exports = { REFUSALS };
