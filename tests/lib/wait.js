// Deadlines. Every wait in the suites goes through here, so that nothing can hang without saying on what.
'use strict';

class Timeout extends Error {}

/** Rejects with a Timeout that names `what` unless `promise` settles within `ms` milliseconds. */
function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Timeout(`${what}: nothing after ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Asks `probe` again and again until it answers something truthy, and returns that. */
async function until(ms, what, probe) {
  const end = Date.now() + ms;
  for (;;) {
    const answer = await probe();
    if (answer) return answer;
    if (Date.now() >= end) throw new Timeout(`${what}: not so after ${ms} ms`);
    await pause(10);
  }
}

/** Lets time pass: for peers that are slow on purpose and for the probes above, never instead of a wait for something. */
function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

module.exports = { Timeout, within, until, pause };
