import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { progress } from './report.ts';

/** What a round gave. */
export interface Sample {
  readonly perSecond: number;
  readonly p99Ms: number;
  readonly errors: number;
  /** CPU time, user and system, the proxy spent on a request; holds also while something else is on its core. */
  readonly cpuMicros: number;
}

export interface Target {
  readonly origin: string;
  /** Whose CPU time is counted. */
  readonly pid?: number;
}

/** Two nginx upstreams on CPU 1 and proxies on CPU 0. */
export interface ProxyRig {
  readonly upstreamPorts: readonly number[];
  /** Starts something pinned to CPU 0. */
  run(command: string, args: readonly string[]): ChildProcess;
  /** nginx and HAProxy over the upstreams. */
  startNatives(): Promise<Record<'nginx' | 'haproxy', Target>>;
  /** Takes turns, so that the machine's drift hits all alike; the median of each. */
  compare(targets: Record<string, Target>, work: Work): Promise<Record<string, Sample>>;
  dispose(): Promise<void>;
}

export interface Work {
  readonly path: string;
  readonly connections: number;
  readonly rounds: number;
  readonly seconds: number;
  /** Posted, when given. */
  readonly bodyBytes?: number;
}

/** Ends the process with 3 where a tool is missing. */
export function requireTools(tools: readonly string[]): void {
  for (const tool of tools) {
    try {
      execFileSync('which', [tool], { stdio: 'ignore' });
    } catch {
      console.error(`needs ${tool} (apt-get install nginx haproxy wrk util-linux)`);
      process.exit(3);
    }
  }
}

export async function startProxyRig(): Promise<ProxyRig> {
  const folder = await mkdtemp(join(tmpdir(), 'portolan-proxy-bench-'));
  // nginx's workers are another user and have to read what they serve.
  await chmod(folder, 0o755);
  const children: ChildProcess[] = [];
  const upstreamPorts = [19_001, 19_002];
  const common =
    'access_log off; keepalive_requests 1000000000; sendfile on; client_max_body_size 0; client_body_buffer_size 2m;';

  const start = (cpu: number, command: string, args: readonly string[]): ChildProcess => {
    const child = spawn('taskset', ['-c', String(cpu), command, ...args], { stdio: 'ignore' });
    children.push(child);
    return child;
  };
  // `/upload` answers when it has read the whole body, as most services do; `return` alone would answer before.
  const upstreamServer = (port: number): string =>
    `server { listen 127.0.0.1:${port} reuseport; root ${folder}; location = / { default_type text/plain; return 200 '${'x'.repeat(64)}'; } location / { default_type application/octet-stream; } location = /upload { proxy_pass http://answer; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Content-Length ""; proxy_pass_request_body off; } }`;
  await writeFile(join(folder, '64k'), 'b'.repeat(65_536));
  await writeFile(join(folder, '1m'), 'c'.repeat(1_048_576));
  await writeFile(
    join(folder, 'up.conf'),
    `worker_processes 1; daemon off; master_process off; pid ${folder}/up.pid; error_log ${folder}/up.err; events { worker_connections 8192; } http { ${common} upstream answer { server unix:${folder}/answer.sock; keepalive 64; keepalive_requests 1000000000; } server { listen unix:${folder}/answer.sock; location / { return 200 'read'; } } ${upstreamPorts.map(upstreamServer).join(' ')} }`,
  );
  start(1, 'nginx', ['-c', join(folder, 'up.conf')]);

  async function cpuTicks(pid: number): Promise<number> {
    const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? [];
    return Number(fields[11]) + Number(fields[12]);
  }

  async function load(target: Target, work: Work, seconds: number): Promise<Sample> {
    const script = work.bodyBytes === undefined ? [] : ['-s', await lua(work.bodyBytes)];
    const before = target.pid === undefined ? 0 : await cpuTicks(target.pid);
    const text = await output('taskset', [
      ...['-c', '1', 'wrk', '-t1', `-c${work.connections}`, `-d${seconds}s`, '--latency'],
      ...script,
      target.origin + work.path,
    ]);
    const ticks = target.pid === undefined ? Number.NaN : (await cpuTicks(target.pid)) - before;
    const p99 = /99%\s+([\d.]+)(us|ms|s)/.exec(text);
    const scale = { us: 0.001, ms: 1, s: 1000 }[p99?.[2] ?? 'ms'] ?? 1;
    const socketErrors =
      /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text);
    const requests = Number(/(\d+) requests in/.exec(text)?.[1] ?? Number.NaN);
    return {
      perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1] ?? 0),
      p99Ms: Number(p99?.[1] ?? Number.NaN) * scale,
      cpuMicros: (ticks * 10_000) / requests,
      errors:
        Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0) +
        (socketErrors?.slice(1).reduce((sum, n) => sum + Number(n), 0) ?? 0),
    };
  }

  async function lua(bytes: number): Promise<string> {
    const path = join(folder, `post-${bytes}.lua`);
    await writeFile(
      path,
      `wrk.method = "POST"\nwrk.body = string.rep("x", ${bytes})\nwrk.headers["Content-Type"] = "application/octet-stream"\n`,
    );
    return path;
  }

  return {
    upstreamPorts,
    run: (command, args) => start(0, command, args),
    async startNatives() {
      await writeFile(
        join(folder, 'proxy.conf'),
        `worker_processes 1; daemon off; master_process off; pid ${folder}/px.pid; error_log ${folder}/px.err; events { worker_connections 8192; }
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
      const nginx = start(0, 'nginx', ['-c', join(folder, 'proxy.conf')]);
      const haproxy = start(0, 'haproxy', ['-f', join(folder, 'haproxy.cfg'), '-db']);
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      // taskset becomes the command it starts, so its process id is the proxy's.
      return {
        nginx: { origin: 'http://127.0.0.1:18001', ...pidOf(nginx) },
        haproxy: { origin: 'http://127.0.0.1:18002', ...pidOf(haproxy) },
      };
    },
    async compare(targets, work) {
      const samples = new Map<string, Sample[]>();
      for (const target of Object.values(targets)) await load(target, work, 1);
      for (let round = 0; round < work.rounds; round++) {
        for (const [name, target] of Object.entries(targets)) {
          progress(`${work.path} ${name} ${round + 1}/${work.rounds}`);
          const sample = await load(target, work, work.seconds);
          samples.set(name, [...(samples.get(name) ?? []), sample]);
        }
      }
      return Object.fromEntries(
        [...samples].map(([name, all]) => [
          name,
          {
            perSecond: median(all.map((sample) => sample.perSecond)),
            p99Ms: median(all.map((sample) => sample.p99Ms)),
            cpuMicros: median(all.map((sample) => sample.cpuMicros)),
            errors: all.reduce((sum, sample) => sum + sample.errors, 0),
          },
        ]),
      );
    },
    async dispose() {
      for (const child of children) child.kill('SIGTERM');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export function pidOf(child: ChildProcess): { readonly pid?: number } {
  return child.pid === undefined ? {} : { pid: child.pid };
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function output(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    child.once('error', reject);
    child.once('close', () => resolve(text));
  });
}
