// The transports of the SDKs: which class of which package, and where it connects. `ownPorts`: it knows no other port than
// the usual one, so that a scenario over it runs in a network namespace of its own. `tpm`: the SDK has TPM attestation there.
'use strict';

const REGISTERING = {
  mqtt: { from: 'azure-iot-provisioning-device-mqtt', Class: 'Mqtt', host: (bench) => `localhost:${bench.mqttPort}` },
  'mqtt-ws': { from: 'azure-iot-provisioning-device-mqtt', Class: 'MqttWs', host: () => 'localhost', ownPorts: true },
  amqp: { from: 'azure-iot-provisioning-device-amqp', Class: 'Amqp', host: (bench) => `localhost:${bench.amqpPort}`, tpm: true },
  'amqp-ws': { from: 'azure-iot-provisioning-device-amqp', Class: 'AmqpWs', host: () => 'localhost', ownPorts: true, tpm: true },
  http: { from: 'azure-iot-provisioning-device-http', Class: 'Http', host: () => 'localhost', tpm: true },
};
const ALL = Object.keys(REGISTERING);
const WITH_TPM = ALL.filter((transport) => REGISTERING[transport].tpm);

/** azure-iot-provisioning-device: a transport object, as good for one device, and the host to tell the client. */
function registering(transport, bench) {
  const { from, Class, host } = REGISTERING[transport];
  const Transport = require(from)[Class];
  return { transport: new Transport(), host: host(bench) };
}

/** azure-iot-device: the class to hand to its client. */
function onHub(transport) {
  return require('azure-iot-device-mqtt')[{ mqtt: 'Mqtt', 'mqtt-ws': 'MqttWs' }[transport]];
}

function needsOwnPorts(transport) {
  return REGISTERING[transport].ownPorts === true;
}

/** How a device may connect to its hub where it registers by `transport`: MQTT, and over WebSocket where that port is free. */
function hubTransports(transport) {
  return needsOwnPorts(transport) ? ['mqtt', 'mqtt-ws'] : ['mqtt'];
}

module.exports = { ALL, WITH_TPM, registering, onHub, needsOwnPorts, hubTransports };
