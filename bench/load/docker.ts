/**
 * Many containers that start at once, and what following them costs when nothing happens.
 *
 *   node e2e/support/run-docker-engine.ts            # in another terminal; prints DOCKER_HOST
 *   DOCKER_HOST=unix:///… node bench/load/docker.ts [--containers 500] [--idle 60]
 */
import { execFile } from 'node:child_process';
import { request } from 'node:http';
import { promisify } from 'node:util';
import { option, progress, type Row, report } from './support/report.ts';
import { type ServerUnderTest, startServer } from './support/server-process.ts';

const run = promisify(execFile);
const IMAGE = 'portolan-test/busybox:1';
const host = process.env.DOCKER_HOST ?? '';
const socketPath = host.replace(/^unix:\/\//, '');
if (!host.startsWith('unix://')) {
  console.error('set DOCKER_HOST to the unix:// socket of an engine that may be filled');
  process.exit(2);
}
const containers = option('containers', 500);
const idleSeconds = option('idle', 60);
const PARALLEL = 8;

/** One call of the engine's API: much cheaper than a `docker` process for each container. */
function ask(
  method: string,
  path: string,
  body?: object,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = body === undefined ? undefined : JSON.stringify(body);
    const asked = request(
      {
        socketPath,
        method,
        path: `/v1.41${path}`,
        ...(sent === undefined
          ? {}
          : {
              headers: {
                'content-type': 'application/json',
                'content-length': Buffer.byteLength(sent),
              },
            }),
      },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
      },
    );
    asked.on('error', reject);
    asked.end(sent);
  });
}

async function inLanes(count: number, work: (at: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: PARALLEL }, lane));
}

async function instances(
  server: ServerUnderTest,
): Promise<readonly { routable: boolean; address: string }[]> {
  const answer = await fetch(`${server.control}/api/v1/instances`);
  return ((await answer.json()) as { instances: { routable: boolean; address: string }[] })
    .instances;
}

/** Share of one core that the server takes while nothing happens. */
async function idleShare(server: ServerUnderTest): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  const before = await server.cpuSeconds();
  const startedMs = performance.now();
  await new Promise((resolve) => setTimeout(resolve, idleSeconds * 1_000));
  return ((await server.cpuSeconds()) - before) / ((performance.now() - startedMs) / 1_000);
}

const rows: Row[] = [];
const ids: string[] = [];
let server = await startServer({ args: ['--docker', host], pin: false });
let lastStartMs = 0;
const events = request(
  {
    socketPath,
    path: `/v1.41/events?filters=${encodeURIComponent('{"event":["start"]}')}`,
  },
  (answer) => {
    answer.setEncoding('utf8').on('data', (text: string) => {
      for (const match of text.matchAll(/"timeNano":(\d+)/g))
        lastStartMs = Number(match[1]?.slice(0, -6));
    });
    answer.on('error', () => undefined);
  },
);
events.on('error', () => undefined);
events.end();
try {
  progress(`creating ${containers} containers`);
  await inLanes(containers, async (at) => {
    const { status, text } = await ask('POST', `/containers/create?name=bench-${at}`, {
      Image: IMAGE,
      Cmd: ['httpd', '-f', '-p', '80', '-h', '/www'],
      Labels: { 'portolan.service': `bench-${at % 25}`, 'portolan.port': '80' },
      HostConfig: { NetworkMode: 'bridge' },
    });
    if (status !== 201) throw new Error(`create: ${status} ${text}`);
    ids.push((JSON.parse(text) as { Id: string }).Id);
  });
  progress(`starting ${containers} containers`);
  const startedMs = Date.now();
  const cpuBefore = await server.cpuSeconds();
  await inLanes(ids.length, async (at) => {
    const { status, text } = await ask('POST', `/containers/${ids[at]}/start`);
    if (status !== 204) throw new Error(`start: ${status} ${text}`);
  });
  const startSeconds = (Date.now() - startedMs) / 1_000;
  progress('waiting until all are routable');
  let routableMs = 0;
  for (const endMs = Date.now() + 60_000; Date.now() < endMs; ) {
    if ((await instances(server)).filter((one) => one.routable).length === ids.length) {
      routableMs = Date.now();
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const afterMs = routableMs - lastStartMs;
  const cpu = (await server.cpuSeconds()) - cpuBefore;
  rows.push({
    work: `${ids.length} containers started (${startSeconds.toFixed(0)} s for the engine)`,
    figure:
      routableMs === 0
        ? 'not all routable within 60 s'
        : `all routable ${afterMs} ms after the last start event; ${cpu.toFixed(1)} s of CPU`,
    target: 'within 3,000 ms',
    met: routableMs > 0 && afterMs < 3_000,
  });
  progress(`${idleSeconds} s in which nothing happens`);
  const withDocker = await idleShare(server);
  const found = await instances(server);
  await server.dispose();

  // The same instances and checks without a provider: the difference is the provider's.
  server = await startServer({ pin: false });
  for (const [at, { address }] of found.entries()) {
    const answer = await fetch(`${server.control}/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        service: `bench-${at % 25}`,
        id: `bench-${at}`,
        address,
        port: 80,
        lease: 'none',
        checks: [{ tcp: `${address}:80` }],
      }),
    });
    if (!answer.ok) throw new Error(await answer.text());
  }
  progress(`${idleSeconds} s without Docker`);
  const without = await idleShare(server);
  const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
  rows.push({
    work: `${ids.length} idle containers`,
    figure: `${percent(withDocker - without)} of a core for the provider (${percent(withDocker)} with it, ${percent(without)} for the same instances and checks without)`,
    target: 'below 5 %',
    met: withDocker - without < 0.05,
  });
} finally {
  events.destroy();
  await server.dispose();
  progress('removing them');
  await run('docker', ['-H', host, 'kill', ...ids]).catch(() => undefined);
  await inLanes(ids.length, async (at) => {
    await ask('DELETE', `/containers/${ids[at]}?force=1`);
  });
}
progress('');
await report('docker', rows);
