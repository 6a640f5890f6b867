// Claims: devices with certificates, of every kind of enrollment, with EC and with RSA keys, showing the whole chain or their
// own certificate only, provision by azure-iot-provisioning-device-http, enrolled with `usher`,
// and connect with the same certificate by azure-iot-device-mqtt to the hub they are told.
'use strict';

module.exports = {
  name: 'certificates, http',
  run: (report, bench) => require('../matrix').run(report, bench, 'http'),
};
