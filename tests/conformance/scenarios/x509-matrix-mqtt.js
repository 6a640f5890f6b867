// Claims: devices with certificates, of every kind of enrollment, with EC and with RSA keys, showing the whole chain or their
// own certificate only, provision by azure-iot-provisioning-device-mqtt, enrolled with azure-iot-provisioning-service,
// and connect with the same certificate by azure-iot-device-mqtt to the hub they are told.
'use strict';

module.exports = {
  name: 'certificates, mqtt',
  run: (report, bench) => require('../matrix').run(report, bench, 'mqtt'),
};
