// A proxy in front of one door: passes bytes on to the service behind a PROXY header (version 2) that says where the connection is
// from. It comes from 127.0.0.2, so that a service can know it from devices that come by themselves.
'use strict';

const net = require('net');

const PROXY = '127.0.0.2';
const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const PORT = { mqtt: 'mqttPort', https: 'httpsPort', amqp: 'amqpPort', 'mqtt-ws': 'httpsPort', 'amqp-ws': 'httpsPort' };

/** The 16 bytes of an IPv6 address, or the 4 of an IPv4 one. */
function bytesOf(address) {
  if (net.isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  const v4 = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address);
  if (v4) {
    const [a, b, c, d] = bytesOf(v4[2]);
    return bytesOf(`${v4[1]}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`);
  }
  const [left, right] = address.split('::').map((half) => half.split(':').filter((group) => group !== ''));
  const groups = right === undefined ? left : [...left, ...Array(8 - left.length - right.length).fill('0'), ...right];
  return Buffer.from(groups.map((group) => group.padStart(4, '0')).join(''), 'hex');
}

/** The header of a connection from `source`, port 40312; `tlvs` follow the addresses. */
function header(source, tlvs = Buffer.alloc(0)) {
  const v4 = net.isIPv4(source);
  const ports = Buffer.from([0x9d, 0x78, 0x01, 0xbb]);
  const behind = Buffer.concat([bytesOf(source), bytesOf(v4 ? '10.9.8.7' : 'fd00::1'), ports, tlvs]);
  return Buffer.concat([SIGNATURE, Buffer.from([0x21, v4 ? 0x11 : 0x21, behind.length >> 8, behind.length & 255]), behind]);
}

/** What a proxy says of its own connections. */
const LOCAL = Buffer.concat([SIGNATURE, Buffer.from([0x20, 0, 0, 0])]);

/** A TCP connection of the proxy's to a port of the service, with nothing said. */
function reach(port, from = PROXY) {
  const socket = net.connect({ host: '127.0.0.1', port, localAddress: from });
  socket.setNoDelay(true);
  return socket;
}

/** The server as devices see it that come through a proxy which says `first` in front: lib/doors.js can open it. */
async function behind(server, via, first) {
  const sockets = new Set();
  const listener = net.createServer((device) => {
    const service = reach(server[PORT[via]]);
    service.write(first);
    for (const [one, other] of [[device, service], [service, device]]) {
      sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => { sockets.delete(one); other.destroy(); });
      one.pipe(other);
    }
  });
  await new Promise((resolve) => { listener.listen(0, '127.0.0.1', resolve); });
  const close = () => {
    for (const socket of sockets) socket.destroy();
    listener.close();
  };
  return { server: Object.assign(Object.create(server), { [PORT[via]]: listener.address().port }), close };
}

module.exports = { PROXY, LOCAL, header, reach, behind };
