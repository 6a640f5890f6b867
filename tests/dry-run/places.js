// Where devices are: the addresses that they come from, as a load balancer says it (PROXY protocol v2), and the table of networks.
'use strict';

const fs = require('fs');
const net = require('net');
const path = require('path');
const { openTls } = require('../lib/peer');
const { HttpPeer } = require('../lib/http1');
const { within } = require('../lib/wait');

const SIGNATURE = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);
const [PROXY_TCP4, TCP_OVER_IPV4] = [0x21, 0x11];

/** The header of a connection from `address` (IPv4). */
function proxyHeader(address, port) {
  const addresses = Buffer.from([...address.split('.').map(Number), 127, 0, 0, 1]);
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(40000, 0);
  ports.writeUInt16BE(port, 2);
  const length = Buffer.from([0, addresses.length + ports.length]);
  return Buffer.concat([SIGNATURE, Buffer.from([PROXY_TCP4, TCP_OVER_IPV4]), length, addresses, ports]);
}

/** An HTTPS connection that comes from `address`. */
async function openFrom(address, { httpsPort, ca }) {
  const socket = net.connect({ host: '127.0.0.1', port: httpsPort });
  await within(5000, 'to connect', new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject)));
  socket.write(proxyHeader(address, httpsPort));
  return openTls({ ca, name: `from ${address}`, Class: HttpPeer, options: { socket, host: undefined } });
}

/** The operator's table. */
function writeNetworks(dir, networks) {
  const file = path.join(dir, 'networks');
  fs.writeFileSync(file, networks.map(({ network, zone, place }) => [network, zone, place].filter(Boolean).join(',')).join('\n') + '\n');
  return file;
}

module.exports = { openFrom, writeNetworks };
