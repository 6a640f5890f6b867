// The npm SDKs, as their users use them; they are installed for tests/conformance.
'use strict';

const path = require('path');

const from = (name) => require(path.join(__dirname, '..', 'conformance', 'node_modules', name));

/** azure-iot-provisioning-device over MQTT: the registration state. */
function register({ mqttPort, scope }, { id, key }) {
  const { Mqtt } = from('azure-iot-provisioning-device-mqtt');
  const { ProvisioningDeviceClient } = from('azure-iot-provisioning-device');
  const { SymmetricKeySecurityClient } = from('azure-iot-security-symmetric-key');
  const client = ProvisioningDeviceClient.create(`localhost:${mqttPort}`, scope, new Mqtt(), new SymmetricKeySecurityClient(id, key));
  client.setProvisioningPayload({ model: 'thermostat' });
  return client.register();
}

/** azure-iot-device: connects to its hub and reports. */
async function report({ server }, { id, key }, properties) {
  const { Client } = from('azure-iot-device');
  const { Mqtt } = from('azure-iot-device-mqtt');
  const { NoRetry } = from('azure-iot-common');
  const client = Client.fromConnectionString(`HostName=${server.hub};DeviceId=${id};SharedAccessKey=${key}`, Mqtt);
  client.setRetryPolicy(new NoRetry());
  client.on('error', () => {});
  try {
    await client.open();
    const twin = await client.getTwin();
    await new Promise((resolve, reject) => twin.properties.reported.update(properties, (error) => (error ? reject(error) : resolve())));
  } finally {
    await client.close().catch(() => {});
  }
}

module.exports = { register, report };
