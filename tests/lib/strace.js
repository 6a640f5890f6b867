// usherd under strace: which system calls it makes while devices register, at which of them it is going to be killed, and how.
'use strict';

const fs = require('fs');

// How many points each call gets, the last ones of a round spread over what is left; calls that this build does not make
// (libraries differ) get none, and their share goes to the others.
const SHARES = {
  pwrite64: 50, fdatasync: 30, write: 30, read: 20, futex: 12, pread64: 10, accept4: 10, epoll_ctl: 10, close: 10,
  epoll_wait: 8, epoll_pwait: 8, shutdown: 6, fcntl: 6, writev: 10, sendmsg: 10, sendto: 10, recvfrom: 10, fsync: 10,
  ftruncate: 4, mmap: 3, munmap: 3, madvise: 2, getpid: 2, getrandom: 2, clock_gettime: 2,
};

/**
 * Reads what `strace -f` wrote: per system call, the most times that one thread made it before `ready` was printed, and
 * the most times after. strace counts its calls per thread, so that is the count that it goes by.
 */
function countCalls(file) {
  const before = new Map(); // call -> thread -> count
  const after = new Map();
  let counts = before;
  for (const line of fs.readFileSync(file, 'latin1').split('\n')) {
    const found = /^(\d+) +([a-z0-9_]+)\(/.exec(line);
    if (!found) continue;
    const [, thread, call] = found;
    if (!counts.has(call)) counts.set(call, new Map());
    const threads = counts.get(call);
    threads.set(thread, (threads.get(thread) || 0) + 1);
    if (call === 'write' && /^\d+ +write\(1, .*ready\\n"/.test(line)) counts = after;
  }
  if (counts === before) throw new Error(`${file} does not show usherd printing ready`);
  const most = (threads) => (threads ? Math.max(...threads.values()) : 0);
  return Object.fromEntries([...after.keys()].map((call) => [call, { before: most(before.get(call)), during: most(after.get(call)) }]));
}

/** `count` points {call, nth}: the nth call of that name after start-up, all different, in a mixed order. */
function choose(calls, count) {
  const points = [];
  const names = Object.keys(SHARES).filter((name) => calls[name]);
  for (const call of names) for (let nth = 1; nth <= Math.min(SHARES[call], calls[call].during); nth += 1) points.push({ call, nth });
  // What is still missing: later calls of the kinds that there are most of.
  for (let further = 1; points.length < count; further += 1) {
    const more = names.filter((call) => SHARES[call] + further <= calls[call].during).map((call) => ({ call, nth: SHARES[call] + further }));
    if (more.length === 0) throw new Error(`only ${points.length} different system calls were seen`);
    points.push(...more);
  }
  return points.sort((a, b) => a.nth - b.nth || (a.call < b.call ? -1 : 1));
}

// strace and LeakSanitizer both want to be the one tracer of a process.
const NO_LEAK_CHECK = { ASAN_OPTIONS: `${process.env.ASAN_OPTIONS || ''}:detect_leaks=0` };

/** The command before usherd's: something is done to it at the nth `call` of any thread. */
function injecting(call, nth, what = 'signal=SIGKILL') {
  return ['strace', '-f', '-qq', '-o', '/dev/null', '-e', `trace=${call}`, '-e', `inject=${call}:${what}:when=${nth}`];
}

/** The command that writes all calls to a file, for countCalls. */
function recording(file) {
  return ['strace', '-f', '-qq', '-s', '4096', '-o', file];
}

module.exports = { NO_LEAK_CHECK, countCalls, choose, injecting, recording };
