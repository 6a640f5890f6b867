// Runs one scenario in this process, over one transport if it is told one, and prints its result lines for `run`.
'use strict';

const { Bench } = require('./bench');
const { Report, reasonOf } = require('../lib/report');

async function main() {
  const [file, transport] = process.argv.slice(2);
  const scenario = require(file);
  const report = new Report(transport ? `${scenario.name}, ${transport}: ` : `${scenario.name}: `);
  const bench = new Bench(JSON.parse(process.env.USHER_TEST_BENCH));
  const uncaught = (error) => { if (!bench.tolerates(error)) report.fail('an error that nobody caught', reasonOf(error)); };
  process.on('unhandledRejection', uncaught);
  process.on('uncaughtException', uncaught);
  try {
    await scenario.run(report, bench, transport);
  } catch (error) {
    report.fail('the scenario could not go on', reasonOf(error));
  }
  await bench.close();
  process.exit(report.failed === 0 ? 0 : 1);
}

main();
