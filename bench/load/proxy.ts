/**
 * The data-plane table: the gateway beside nginx, HAProxy and the Node proxies, each pinned to CPU 0 with upstreams
 * and load on CPU 1, in one run. Needs nginx, haproxy, wrk and taskset (Debian's packages); says so when they are missing.
 *
 *   node bench/load/proxy.ts [--rounds 3] [--seconds 3] [--connections 32]
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { option, progress, type Row, report } from './support/report.ts';
import { startServer } from './support/server-process.ts';

const rounds = option('rounds', 3);
const seconds = option('seconds', 3);
const connections = option('connections', 32);
const upstreamPorts = [19_001, 19_002];

for (const tool of ['nginx', 'haproxy', 'wrk', 'taskset']) {
  try {
    execFileSync('which', [tool], { stdio: 'ignore' });
  } catch {
    console.error(`proxy bench: needs ${tool} (apt-get install nginx haproxy wrk util-linux)`);
    process.exit(3);
  }
}

const folder = await mkdtemp(join(tmpdir(), 'portolan-proxy-bench-'));
// nginx's workers are another user and have to read what they serve.
await chmod(folder, 0o755);
const children: ChildProcess[] = [];
const run = (cpu: number, command: string, args: readonly string[]): void => {
  children.push(spawn('taskset', ['-c', String(cpu), command, ...args], { stdio: 'ignore' }));
};

const common =
  'access_log off; keepalive_requests 1000000000; sendfile on; client_max_body_size 0;';
const upstreamServer = (port: number): string =>
  `server { listen 127.0.0.1:${port} reuseport; root ${folder}; location = / { default_type text/plain; return 200 '${'x'.repeat(64)}'; } location / { default_type application/octet-stream; } }`;
await writeFile(join(folder, '64k'), 'b'.repeat(65_536));
await writeFile(join(folder, '1m'), 'c'.repeat(1_048_576));
await writeFile(
  join(folder, 'up.conf'),
  `worker_processes 1; daemon off; pid ${folder}/up.pid; error_log ${folder}/up.err; events { worker_connections 8192; } http { ${common} ${upstreamPorts.map(upstreamServer).join(' ')} }`,
);
await writeFile(
  join(folder, 'proxy.conf'),
  `worker_processes 1; daemon off; pid ${folder}/px.pid; error_log ${folder}/px.err; events { worker_connections 8192; }
http { ${common} upstream b { server 127.0.0.1:19001; server 127.0.0.1:19002; keepalive 256; keepalive_requests 1000000000; }
 server { listen 127.0.0.1:18001; location / { proxy_pass http://b; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr; } } }`,
);
await writeFile(
  join(folder, 'haproxy.cfg'),
  `global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  option forwardfor
  http-reuse always
frontend f
  bind 127.0.0.1:18002
  default_backend b
backend b
  balance roundrobin
  server a 127.0.0.1:19001
  server b 127.0.0.1:19002
`,
);
run(1, 'nginx', ['-c', join(folder, 'up.conf')]);
run(0, 'nginx', ['-c', join(folder, 'proxy.conf')]);
run(0, 'haproxy', ['-f', join(folder, 'haproxy.cfg')]);
const peer = fileURLToPath(new URL('./support/node-proxy-peer.ts', import.meta.url));
const peers = ['http-proxy', '@fastify/http-proxy', 'fast-proxy'];
for (const [at, name] of peers.entries()) {
  run(0, process.execPath, [peer, name, String(18_010 + at), ...upstreamPorts.map(String)]);
}

const server = await startServer();
for (const port of upstreamPorts) {
  const answer = await fetch(`${server.control}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ service: 'bench', address: '127.0.0.1', port, lease: 'none' }),
  });
  if (!answer.ok) throw new Error(await answer.text());
}
const put = async (path: string, body: unknown): Promise<void> => {
  const answer = await fetch(server.control + path, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(await answer.text());
};
await put('/api/v1/routes/bench', { to: [{ service: 'bench' }] });

interface Sample {
  readonly perSecond: number;
  readonly p99Ms: number;
  readonly errors: number;
}

function wrk(origin: string, path: string, forSeconds: number, lanes = connections): Sample {
  const text = execFileSync(
    'taskset',
    ['-c', '1', 'wrk', '-t1', `-c${lanes}`, `-d${forSeconds}s`, '--latency', origin + path],
    { encoding: 'utf8' },
  );
  const p99 = /99%\s+([\d.]+)(us|ms|s)/.exec(text);
  const scale = { us: 0.001, ms: 1, s: 1000 }[p99?.[2] ?? 'ms'] ?? 1;
  const socketErrors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(
    text,
  );
  return {
    perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1] ?? 0),
    p99Ms: Number(p99?.[1] ?? Number.NaN) * scale,
    errors:
      Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0) +
      (socketErrors?.slice(1).reduce((sum, n) => sum + Number(n), 0) ?? 0),
  };
}

const median = (values: number[]): number =>
  values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** Takes turns, so that the machine's drift hits all alike. */
function compare(
  targets: Record<string, string>,
  path: string,
  lanes = connections,
): Record<string, Sample> {
  const samples = new Map<string, Sample[]>();
  for (const origin of Object.values(targets)) wrk(origin, path, 1, lanes);
  for (let round = 0; round < rounds; round++) {
    for (const [name, origin] of Object.entries(targets)) {
      progress(`${path} ${name} ${round + 1}/${rounds}`);
      samples.set(name, [...(samples.get(name) ?? []), wrk(origin, path, seconds, lanes)]);
    }
  }
  return Object.fromEntries(
    [...samples].map(([name, all]) => [
      name,
      {
        perSecond: median(all.map((sample) => sample.perSecond)),
        p99Ms: median(all.map((sample) => sample.p99Ms)),
        errors: all.reduce((sum, sample) => sum + sample.errors, 0),
      },
    ]),
  );
}

const rows: Row[] = [];
const natives = { nginx: 'http://127.0.0.1:18001', haproxy: 'http://127.0.0.1:18002' };
const say = (name: string, sample: Sample | undefined): string =>
  `${name} ${Math.round(sample?.perSecond ?? 0).toLocaleString('en')}/s (p99 ${sample?.p99Ms.toFixed(2)} ms${sample?.errors ? `, ${sample.errors} ERRORS` : ''})`;

try {
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  wrk(server.gateway, '/', 3);
  for (const [path, lanes, what, p99] of [
    ['/', connections, `64 B answers, ${connections} keep-alive connections`, true],
    ['/', 512, '64 B answers, 512 connections', false],
    ['/64k', connections, '64 KiB answers', false],
    ['/1m', 8, '1 MiB answers', false],
  ] as const) {
    const all = compare({ ...natives, gateway: server.gateway }, path, lanes);
    const gateway = all.gateway as Sample;
    const toNginx = gateway.perSecond / (all.nginx?.perSecond ?? Number.NaN);
    const toHaproxy = gateway.perSecond / (all.haproxy?.perSecond ?? Number.NaN);
    rows.push({
      work: what,
      figure: `${toNginx.toFixed(2)} × nginx, ${toHaproxy.toFixed(2)} × HAProxy; ${Object.entries(
        all,
      )
        .map(([name, sample]) => say(name, sample))
        .join(', ')}`,
      target: `≥ 0.8 × ${path === '/' ? 'both' : 'nginx'}${p99 ? ', p99 ≤ 1.2 × theirs' : ''}`,
      met:
        toNginx >= 0.8 &&
        (path !== '/' || toHaproxy >= 0.8) &&
        gateway.errors === 0 &&
        (!p99 || gateway.p99Ms <= 1.2 * Math.max(all.nginx?.p99Ms ?? 0, all.haproxy?.p99Ms ?? 0)),
    });
  }
  const nodes = Object.fromEntries(
    peers.map((name, at) => [name, `http://127.0.0.1:${18_010 + at}`]),
  );
  const all = compare({ ...nodes, gateway: server.gateway }, '/');
  const best = Math.max(...peers.map((name) => all[name]?.perSecond ?? 0));
  rows.push({
    work: '64 B answers, against Node proxies on the same core',
    figure: `${((all.gateway as Sample).perSecond / best).toFixed(2)} × the best; ${Object.entries(
      all,
    )
      .map(([name, sample]) => say(name, sample))
      .join(', ')}`,
    target: '≥ 3 × the best of them',
    met: (all.gateway as Sample).perSecond >= 3 * best,
  });

  for (let at = 0; at < 20; at++) {
    await put(`/api/v1/routes/table-${at}`, {
      hosts: [`host-${at}.example.com`],
      match: { path: { prefix: `/area-${at}` }, headers: { 'x-kind': 'a' } },
      to: [{ service: 'bench' }],
    });
  }
  const plain = compare({ gateway: server.gateway }, '/').gateway as Sample;
  await put('/api/v1/routes/bench', {
    to: [
      { service: 'bench', weight: 90 },
      { service: 'bench', weight: 10 },
    ],
    retries: { attempts: 2, perTryTimeout: '5s' },
  });
  const rich = compare({ gateway: server.gateway }, '/').gateway as Sample;
  rows.push({
    work: 'retries, budget, ejection, 20 routes, weighted canary on',
    figure: `${(rich.perSecond / plain.perSecond).toFixed(2)} × plain`,
    target: '≥ 0.9 × the plain case',
    met: rich.perSecond >= 0.9 * plain.perSecond && rich.errors === 0,
  });
} finally {
  for (const child of children) child.kill('SIGTERM');
  await server.dispose();
  await rm(folder, { recursive: true, force: true });
}
progress('');
await report('proxy', rows);
