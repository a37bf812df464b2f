import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type PortolanProcess, runPortolan, startPortolan } from '../support/portolan-process.ts';
import { call } from '../support/registry-api.ts';
import { startUpstream, type UpstreamService } from '../support/upstream-service.ts';
import { clientPortsOf } from './client-ports.ts';
import { startLanes } from './keep-alive-lanes.ts';

let folder: string;
let upstream: UpstreamService;
let portolan: PortolanProcess | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portolan-workers-'));
  upstream = await startUpstream('one');
});

afterEach(async () => {
  await portolan?.dispose();
  portolan = undefined;
  await upstream.stop('SIGKILL');
  await rm(folder, { recursive: true });
});

async function start(workers: number, more: readonly string[] = []): Promise<PortolanProcess> {
  await configure(more);
  portolan = await startPortolan({
    dataDir: join(folder, 'data'),
    cwd: folder,
    args: ['--workers', String(workers)],
  });
  return portolan;
}

const configure = (more: readonly string[]): Promise<void> =>
  writeFile(
    join(folder, 'portolan.yaml'),
    `${[`services: [{service: web, address: 127.0.0.1, port: ${upstream.port}}]`, ...more].join('\n')}\n`,
  );

interface Worker {
  readonly worker: number;
  readonly pid: number | null;
  readonly state: string;
  readonly restarts: number;
}

async function workersOf({ control }: PortolanProcess): Promise<readonly Worker[]> {
  return (await call(control, 'GET', '/api/v1/status')).body.workers;
}

/** Asks over as many new connections as needed to meet every worker almost surely. */
async function askOften(url: string, init: RequestInit = {}): Promise<readonly string[]> {
  const headers = { ...init.headers, connection: 'close' };
  return await Promise.all(
    Array.from({ length: 24 }, async () => await (await fetch(url, { ...init, headers })).text()),
  );
}

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

async function requestsCounted({ control }: PortolanProcess): Promise<number> {
  const text = await (await fetch(`${control}/metrics`)).text();
  const lines = text.matchAll(/^portolan_gateway_requests_total\{[^}]*\} (\d+)$/gm);
  return [...lines].reduce((sum, [, count]) => sum + Number(count), 0);
}

test('a killed worker is replaced, and connections of the others do not notice', async () => {
  const running = await start(3);
  const load = startLanes(`${running.gateway}/web/`, 30);
  await eventually(() => load.lanes.every(({ answered }) => answered > 20) || undefined);
  const before = await workersOf(running);
  expect(before.map(({ state }) => state)).toEqual(['serving', 'serving', 'serving']);
  const victim = before[1]?.pid ?? 0;
  const lost = await clientPortsOf(victim);
  expect(lost.size).toBeGreaterThan(0);
  expect(lost.size).toBeLessThan(30);
  process.kill(victim, 'SIGKILL');
  await eventually(async () => {
    const now = await workersOf(running);
    return now[1]?.restarts === 1 && now[1].state === 'serving' ? true : undefined;
  });
  const at = load.lanes.map(({ answered }) => answered);
  await eventually(
    () => load.lanes.every(({ answered }, lane) => answered > (at[lane] ?? 0) + 20) || undefined,
  );
  const lanes = await load.stop();
  const failures = lanes.flatMap((lane) => lane.failures);
  expect(failures.filter(({ port }) => !lost.has(port))).toEqual([]);
  expect(failures.length).toBeLessThanOrEqual(lost.size);
  expect(running.stderr()).toContain('a gateway worker ended and is replaced');
});

test('every worker follows what is registered and routed', async () => {
  const running = await start(3);
  const route = (name: string, status: number) =>
    call(running.control, 'PUT', `/api/v1/routes/${name}`, {
      match: { path: '/answer' },
      answer: { status, body: `${status}` },
    });
  for (const status of [201, 202, 203]) {
    expect((await route('answer', status)).status).toBeLessThan(300);
    await eventually(async () => {
      const answers = await askOften(`${running.gateway}/answer`);
      return answers.every((text) => text === String(status)) ? true : undefined;
    });
  }
  const told = await call(running.control, 'GET', '/api/v1/routes/explain?url=http://x/answer');
  expect(told.body.route.name).toBe('default/answer');
});

test('their requests are counted together, also those of one that is gone', async () => {
  const running = await start(2);
  await askOften(`${running.gateway}/web/`);
  expect(await requestsCounted(running)).toBe(24);
  const [first] = await workersOf(running);
  process.kill(first?.pid ?? 0, 'SIGKILL');
  await eventually(async () => {
    const [now] = await workersOf(running);
    return now?.restarts === 1 && now.state === 'serving' ? true : undefined;
  });
  expect(await requestsCounted(running)).toBe(24);
  await askOften(`${running.gateway}/web/`);
  expect(await requestsCounted(running)).toBe(48);
  const metrics = await (await fetch(`${running.control}/metrics`)).text();
  expect(metrics).toMatch(/^portolan_gateway_workers_serving 2$/m);
  expect(metrics.match(/^# TYPE portolan_gateway_requests_total /gm)).toHaveLength(1);
});

test('a reload reaches all of them', async () => {
  const running = await start(3);
  const seen = async (): Promise<readonly string[]> => {
    const texts = await askOften(`${running.gateway}/web/headers`, {
      headers: { 'x-forwarded-for': '192.0.2.9' },
    });
    return texts.map((text) => {
      const { raw } = JSON.parse(text) as { raw: string[] };
      return raw[raw.findIndex((name) => name.toLowerCase() === 'x-forwarded-for') + 1] ?? '';
    });
  };
  expect(new Set(await seen())).toEqual(new Set(['127.0.0.1']));
  await configure(['gateway: {trustedProxies: [127.0.0.1]}']);
  running.child.kill('SIGHUP');
  await eventually(() => running.stderr().includes('configuration reloaded') || undefined);
  expect(new Set(await seen())).toEqual(new Set(['192.0.2.9, 127.0.0.1']));
});

test('told to stop they finish what is under way, and are gone', async () => {
  const running = await start(2);
  const pids = (await workersOf(running)).map(({ pid }) => pid ?? 0);
  const slow = Array.from({ length: 8 }, () => fetch(`${running.gateway}/web/?delayMs=1500`));
  await eventually(async () => {
    const metrics = await (await fetch(`${running.control}/metrics`)).text();
    return metrics.includes('portolan_gateway_active_requests 8\n') ? true : undefined;
  });
  const stopped = running.stop('SIGTERM');
  for (const answer of await Promise.all(slow)) expect(answer.status).toBe(200);
  expect(await stopped).toEqual({ code: 0, signal: null });
  expect(pids.filter(isRunning)).toEqual([]);
});

test('none outlives a server that is killed', async () => {
  const running = await start(2);
  const pids = (await workersOf(running)).map(({ pid }) => pid ?? 0);
  await running.stop('SIGKILL');
  await eventually(() => (pids.some(isRunning) ? undefined : true));
});

test('HTTPS and TCP listeners are shared as well, on whatever port the first found', async () => {
  const running = await start(2, [
    'gateway:',
    '  listeners: [{name: raw, protocol: tcp, listen: "127.0.0.1:0", service: web}]',
  ]);
  const { body } = await call(running.control, 'GET', '/api/v1/status');
  const { port } = new URL(body.listeners.more.raw);
  const answers = await askOften(`http://127.0.0.1:${port}/x`);
  expect(new Set(answers)).toEqual(new Set(['one /x\n']));
});

test('an address in use is said before a worker starts', async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const address = taken.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  const args = ['serve', '--workers', '2', '--data-dir', join(folder, 'other')];
  const ports = ['--control', '127.0.0.1:0', '--gateway', `127.0.0.1:${port}`];
  const { code, stderr } = await runPortolan([...args, ...ports], { cwd: folder });
  taken.close();
  expect(code).not.toBe(0);
  expect(stderr).toContain(`127.0.0.1:${port} (gateway) is in use by another process`);
});
