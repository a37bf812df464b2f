import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClient, type RegistrationHandle } from '@portolan/client';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { BIN, type PortolanProcess, startPortolan } from '../support/portolan-process.ts';

const FLOOD = fileURLToPath(new URL('flood.ts', import.meta.url));
const FLOOD_MS = 15_000;
const LEASE = { ttl: '6s', heartbeat: '2s' };

let folder: string;
let portolan: PortolanProcess;
const children: ChildProcess[] = [];
let handles: RegistrationHandle[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portolan-overload-'));
});
afterEach(async () => {
  await Promise.all(handles.map((handle) => handle.close()));
  handles = [];
  for (const child of children.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }
  await portolan?.dispose();
  await rm(folder, { recursive: true, force: true });
});

function run(args: readonly string[]): { child: ChildProcess; said(): string } {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  }
  return { child, said: () => said };
}

async function metrics(origin: string) {
  const text = await (await fetch(`${origin}/metrics`)).text();
  return (name: string) =>
    Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
}

test('under a flood of registrations and reads no living instance is lost, and reads are refused first', async () => {
  portolan = await startPortolan({
    args: [
      ...['--set', 'control.overload.requests=100', '--set', 'control.overload.lag=150ms'],
      ...['--set', 'registry.protection.enabled=false'],
    ],
  });
  const { control } = portolan;
  const file = join(folder, 'instances.json');
  const instances = Array.from({ length: 300 }, (_, at) => ({
    service: 'living',
    address: '10.8.0.1',
    port: 1_000 + at,
    lease: LEASE,
  }));
  await writeFile(file, JSON.stringify({ instances }));
  const agent = run([BIN, 'agent', '--registry', control, '--file', file]);
  const client = createClient({ url: control, stream: false });
  handles = Array.from({ length: 50 }, (_, at) =>
    client.register({
      service: 'living',
      address: '10.8.0.2',
      port: 1_000 + at,
      lease: LEASE,
    } as never),
  );
  await Promise.all(handles.map(({ ready }) => ready));
  await eventually(() => (agent.said().includes('all 300 instances') ? true : undefined), 20_000);

  const lost: string[] = [];
  const closed = new AbortController();
  const watching = (async () => {
    for await (const event of client.streamEvents({ signal: closed.signal })) {
      if (event.type === 'deregistered' && event.data.includes('"living"')) lost.push(event.data);
    }
  })().catch(() => undefined);
  const flood = run([FLOOD, control, String(FLOOD_MS)]);
  const health: number[] = [];
  while (flood.child.exitCode === null) {
    const startedMs = performance.now();
    for (const path of ['/livez', '/readyz', '/metrics']) {
      expect((await fetch(control + path)).status).toBe(200);
    }
    health.push(performance.now() - startedMs);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  const figures = JSON.parse(flood.said()) as Record<
    'reads' | 'writes',
    { answered: number; p99Ms: number; errors: Record<string, number> }
  >;
  const metric = await metrics(control);
  const shed = Object.fromEntries(
    ['read', 'write', 'heartbeat'].map((kind) => [
      kind,
      metric(`portolan_control_shed_total\\{listener="control",class="${kind}"\\}`) || 0,
    ]),
  );
  process.stdout.write(
    `${JSON.stringify({ figures, shed, slowestHealthMs: Math.round(Math.max(...health)) })}\n`,
  );
  const view = await (await fetch(`${control}/api/v1/services/living/instances`)).json();
  expect(lost.map((data) => /"address":"([^"]*)"/.exec(data)?.[1] ?? data)).toEqual([]);
  expect((view as { instances: unknown[] }).instances.length).toBe(350);
  expect(metric('portolan_removals_total\\{reason="expired"\\}') || 0).toBe(0);
  expect(lost).toEqual([]);
  expect(handles.every(({ state }) => state === 'registered')).toBe(true);
  expect(shed.read).toBeGreaterThan(0);
  expect(shed.heartbeat).toBe(0);
  // Of what was asked, more reads were refused than writes.
  const refusedShare = (kind: 'reads' | 'writes') =>
    (figures[kind].errors['status 429'] ?? 0) / figures[kind].answered;
  expect(refusedShare('reads')).toBeGreaterThan(refusedShare('writes'));
  closed.abort();
  await watching;
});
