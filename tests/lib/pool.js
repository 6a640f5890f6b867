// Work side by side: what mostly waits (for deadlines, polling intervals, other processes) need not wait in a queue.
'use strict';

/** Calls `work` for each item, at most `limit` at once, in order of the items; rejects with the first error. */
async function inParallel(limit, items, work) {
  const left = [...items];
  const lane = async () => {
    while (left.length > 0) await work(left.shift());
  };
  await Promise.all(Array.from({ length: Math.min(limit, left.length) }, lane));
}

module.exports = { inParallel };
