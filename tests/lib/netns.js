// A network of one's own for programs that cannot be told another port than 443: a Linux network namespace, in which only
// the loopback device is and every port is free. As root, or where the kernel lets everybody make user namespaces.
'use strict';

const children = require('./children');

const LOOPBACK_UP = 'ip link set lo up && exec "$@"';
const WAYS = [['--net'], ['--user', '--map-root-user', '--net']];

let found;

/** The words to put before a command, so that it runs in a namespace of its own. Rejects when that cannot be. */
function prefix() {
  found = found || find();
  return found;
}

async function find() {
  const reasons = [];
  for (const way of WAYS) {
    const words = ['unshare', ...way, '--', 'sh', '-c', LOOPBACK_UP, 'sh'];
    const { code, stderr } = await children.run(words[0], [...words.slice(1), 'true']).catch((error) => ({ code: -1, stderr: error.message }));
    if (code === 0) return words;
    reasons.push(`unshare ${way.join(' ')}: ${stderr.trim()}`);
  }
  throw new Error(`a network namespace is needed, and can be made neither as root nor without (${reasons.join('; ')}): run the tests as root, `
    + 'or allow user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone)');
}

module.exports = { prefix };
