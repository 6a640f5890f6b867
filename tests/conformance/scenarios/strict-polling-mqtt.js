// Claims: with --strict-polling, azure-iot-provisioning-device-mqtt is first told `assigning`, polls, and is assigned.
'use strict';

module.exports = {
  name: 'strict polling, mqtt',
  args: ['--strict-polling'],
  run: (report, bench) => require('../polling').run(report, bench, 'mqtt'),
};
