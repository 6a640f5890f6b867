// Registers one device with the unmodified npm SDK, in a process that trusts usherd's CA, and prints the registration state.
// Told by USHER_TEST_DEVICE: {"id", "scope", "port", "key" or "tls"}.
'use strict';

const path = require('path');
const { createRequire } = require('module');

const need = createRequire(path.join(__dirname, '..', 'conformance', 'package.json'));
const { id, scope, port, key, tls } = JSON.parse(process.env.USHER_TEST_DEVICE);
const { ProvisioningDeviceClient } = need('azure-iot-provisioning-device');
const { Mqtt } = need('azure-iot-provisioning-device-mqtt');
const { SymmetricKeySecurityClient } = need('azure-iot-security-symmetric-key');
const { X509Security } = need('azure-iot-security-x509');

const security = tls ? new X509Security(id, tls) : new SymmetricKeySecurityClient(id, key);
const client = ProvisioningDeviceClient.create(`localhost:${port}`, scope, new Mqtt(), security);
client.register().then(
  (state) => { process.stdout.write(JSON.stringify(state)); },
  (error) => { process.stderr.write(String(error.message)); process.exitCode = 1; },
);
