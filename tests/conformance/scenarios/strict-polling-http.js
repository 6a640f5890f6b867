// Claims: with --strict-polling, azure-iot-provisioning-device-http is first told `assigning`, polls, and is assigned.
'use strict';

module.exports = {
  name: 'strict polling, http',
  args: ['--strict-polling'],
  run: (report, bench) => require('../polling').run(report, bench, 'http'),
};
