// The servers that are measured: usherd, and nginx and mosquitto on free ports with the same certificate. Each in a
// scratch folder, each ended by its PID.
'use strict';

const fs = require('fs');
const net = require('net');
const path = require('path');
const children = require('../lib/children');
const usherd = require('../lib/usherd');
const { within, until } = require('../lib/wait');

const TICKS_PER_SECOND = 100; // of proc(5)

/** A port of loopback that was free a moment ago. */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function listening(port) {
  return new Promise((resolve) => {
    const socket = net.connect({ host: '127.0.0.1', port });
    socket.once('connect', () => { socket.destroy(); resolve(true); });
    socket.once('error', () => resolve(false));
  });
}

function childrenOf(pid) {
  return fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
}

/** A started server: its processes, the port that is measured, the CA that its certificate is from. */
class Server {
  constructor(child, ca) {
    this.child = child;
    this.ca = ca;
  }

  pids() {
    return [this.child.pid, ...childrenOf(this.child.pid)];
  }

  /** CPU time of all threads so far, user and system, in microseconds; of a server that forks, with what it forked. */
  cpu() {
    let ns = this.forks ? this.forked() * 1000 : 0;
    for (const pid of this.pids()) {
      for (const task of fs.readdirSync(`/proc/${pid}/task`)) {
        ns += Number(fs.readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
      }
    }
    return ns / 1000;
  }

  /** CPU time of the processes that it forked and that have ended, in microseconds (proc(5): cutime, cstime). */
  forked() {
    const fields = fs.readFileSync(`/proc/${this.child.pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
    return (Number(fields[13]) + Number(fields[14])) * (1e6 / TICKS_PER_SECOND);
  }

  rss() {
    return this.pids().reduce((sum, pid) => sum + Number(/^VmRSS:\s+(\d+) kB/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]), 0);
  }

  stop() {
    return children.stop(this.child, 40000);
  }
}

async function startForeign(program, args, dir, port, ca) {
  const log = fs.openSync(path.join(dir, 'log'), 'a');
  const child = children.start(program, args, { cwd: dir, stdio: ['ignore', log, log] });
  fs.closeSync(log);
  const failed = child.done.then(({ error }) => {
    throw new Error(`${program} ended: ${error ? error.message : fs.readFileSync(path.join(dir, 'log'), 'utf8').slice(-500)}`);
  });
  await within(10000, `${program} to listen`, Promise.race([failed, until(10000, `${program} to listen`, () => listening(port))]));
  failed.catch(() => {});
  return new Server(child, ca);
}

/** nginx that answers one tiny GET; with `mtls` on a second port it asks for a client certificate. */
async function startNginx(certificates) {
  const dir = usherd.scratch();
  const [port, mtlsPort] = [await freePort(), await freePort()];
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${dir}/${name};`).join(' ');
  const server = (number, more) => `server { listen 127.0.0.1:${number} ssl; server_name localhost;
    ssl_certificate ${certificates.certificate}; ssl_certificate_key ${certificates.key}; ssl_protocols TLSv1.2 TLSv1.3; ${more}
    location / { default_type application/json; return 200 '{"status":"assigned"}'; } }`;
  fs.writeFileSync(path.join(dir, 'nginx.conf'), `daemon off; pid ${dir}/pid; error_log ${dir}/error.log; worker_processes auto;
events { worker_connections 4096; }
http { access_log off; ${temporary}
  ${server(port, '')}
  ${server(mtlsPort, `ssl_verify_client on; ssl_verify_depth 2; ssl_client_certificate ${certificates.clientCa};`)}
}
`);
  const nginx = await startForeign('nginx', ['-p', dir, '-c', path.join(dir, 'nginx.conf'), '-e', path.join(dir, 'error.log')], dir, port, certificates.ca);
  return Object.assign(nginx, { port, mtlsPort });
}

async function startMosquitto(certificates) {
  const dir = usherd.scratch();
  const port = await freePort();
  fs.chmodSync(dir, 0o755); // as root it gives up its rights before it reads its files
  for (const name of ['certificate', 'key', 'ca']) {
    fs.copyFileSync(certificates[name], path.join(dir, name));
    fs.chmodSync(path.join(dir, name), 0o644);
  }
  fs.writeFileSync(path.join(dir, 'mosquitto.conf'), `listener ${port} 127.0.0.1
cafile ${dir}/ca
certfile ${dir}/certificate
keyfile ${dir}/key
allow_anonymous true
persistence false
set_tcp_nodelay true
max_connections -1
log_dest none
`);
  const mosquitto = await startForeign('mosquitto', ['-c', path.join(dir, 'mosquitto.conf')], dir, port, certificates.ca);
  return Object.assign(mosquitto, { port });
}

/** A registrar of TPM devices made the usual way: registrar.js, with the forks of a registration. */
async function startRegistrar(certificates, forks) {
  const dir = usherd.scratch();
  const port = await freePort();
  const args = [path.join(__dirname, 'registrar.js'), String(port), certificates.certificate, certificates.key, dir, String(forks)];
  const registrar = await startForeign(process.execPath, args, dir, port, certificates.ca);
  return Object.assign(registrar, { port, forks: true });
}

/** usherd --dev in `dir`, its log written to a file there. */
async function startUsherd(dir, args = []) {
  const bench = await usherd.start({ dir, args, logFile: path.join(dir, 'log') });
  return Object.assign(new Server(bench.child, bench.caFile), { bench });
}

module.exports = { startNginx, startMosquitto, startRegistrar, startUsherd };
