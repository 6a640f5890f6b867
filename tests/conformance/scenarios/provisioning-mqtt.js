// Claims: azure-iot-provisioning-device-mqtt registers devices with symmetric keys, of individual enrollments (primary,
// secondary, chosen and generated keys) and of groups (derived keys), and is told hub and device ID in the first answer.
'use strict';

module.exports = {
  name: 'provisioning-device-mqtt',
  run: (report, bench) => require('../provisioning').run(report, bench, 'mqtt'),
};
