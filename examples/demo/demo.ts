/**
 * `npm run demo`: a registry with its gateway, three real services, steady traffic, a `kill -9`, and a canary from 0 to
 * 100 %. Every request is counted; any that fails makes the exit code 1.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { styleText } from 'node:util';
import { createClient } from '@portolan/client';
import { SteadyTraffic } from './steady-traffic.ts';

const PER_SECOND = 500;
const SERVER = fileURLToPath(new URL('../../packages/server/bin/portolan.js', import.meta.url));
const SERVICE = fileURLToPath(new URL('./service.ts', import.meta.url));

const children: ChildProcess[] = [];
const folder = await mkdtemp(join(tmpdir(), 'portolan-demo-'));
const color = (style: 'bold' | 'dim' | 'green' | 'red' | 'cyan', text: string): string =>
  process.stdout.isTTY ? styleText(style, text) : text;
const say = (text = ''): void => console.log(text);
const step = (title: string): void => say(`\n${color('bold', title)}`);

/** Starts a process and resolves with its output once that holds `word`. */
async function start(
  args: readonly string[],
  word: RegExp,
): Promise<{ child: ChildProcess; text: string }> {
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let text = '';
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    errors += part;
  });
  await new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`${args[0]} ended with ${code}\n${errors}`)));
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      if (word.test(text)) resolve();
    });
  });
  return { child, text };
}

async function cleanUp(): Promise<void> {
  for (const child of children.reverse()) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  await rm(folder, { recursive: true, force: true });
}

function bar(share: number): string {
  const filled = Math.round(share * 30);
  return `${color('cyan', '█'.repeat(filled))}${color('dim', '░'.repeat(30 - filled))}`;
}

async function run(): Promise<number> {
  step('1  A registry with its gateway, on an embedded store');
  const listen = ['--control', '127.0.0.1:0', '--gateway', '127.0.0.1:0'];
  const { text } = await start(
    [SERVER, 'serve', '--data-dir', join(folder, 'data'), ...listen],
    /^ready$/m,
  );
  const url = (what: string): string =>
    new RegExp(`^\\s*${what}\\b.*?(http://[^/\\s]+)`, 'im').exec(text)?.[1] ?? '';
  const control = url('api');
  const gateway = url('gateway');
  say(`   registry ${control}   gateway ${gateway}`);

  step('2  Three services register through the client: two of version 1, one of version 2');
  const client = createClient({ url: control });
  const services = new Map<string, ChildProcess>();
  for (const [name, version] of [
    ['hello-1', 'v1'],
    ['hello-2', 'v1'],
    ['hello-3', 'v2'],
  ] as const) {
    const started = await start([SERVICE, name, version, control], /registered (\d+)/);
    services.set(name, started.child);
    say(`   ${name}  ${version}  127.0.0.1:${/registered (\d+)/.exec(started.text)?.[1]}`);
  }
  for (let at = 0; at < 200; at++) {
    const { instances } = await client.services.view('hello');
    if (instances.length === 3 && instances.every((instance) => instance.routable)) break;
    await sleep(25);
  }

  step(`3  ${PER_SECOND} requests a second through the gateway, and a kill -9`);
  const traffic = new SteadyTraffic(`${gateway}/hello/`, PER_SECOND);
  await sleep(2_000);
  const before = traffic.take();
  say(
    `   before: ${before.sent} requests, ${before.failed} failed, ${[...before.byService]
      .sort()
      .map(([by, n]) => `${by} ${n}`)
      .join(', ')}`,
  );
  const victim = services.get('hello-2') as ChildProcess;
  const killedMs = performance.now();
  victim.kill('SIGKILL');
  let criticalMs = Number.NaN;
  for (let at = 0; at < 400 && Number.isNaN(criticalMs); at++) {
    const { instances } = await client.services.view('hello');
    if (!instances.find((instance) => instance.id === 'hello-2')?.routable)
      criticalMs = performance.now();
    else await sleep(10);
  }
  await sleep(1_000);
  const after = traffic.take();
  const lastMs = Math.max(0, (traffic.lastServedMs.get('hello-2') ?? killedMs) - killedMs);
  say(
    `   after:  ${after.sent} requests, ${color(after.failed === 0 ? 'green' : 'red', `${after.failed} failed`)}, ${[
      ...after.byService,
    ]
      .sort()
      .map(([by, n]) => `${by} ${n}`)
      .join(', ')}`,
  );
  say(
    `   out of rotation: last answer from it ${lastMs.toFixed(0)} ms after the kill; its check said so after ${(criticalMs - killedMs).toFixed(0)} ms`,
  );

  step('4  A canary from 0 to 100 %');
  const to = (one: number, two: number) => [
    { service: 'hello', labels: { version: 'v1' }, weight: one },
    { service: 'hello', labels: { version: 'v2' }, weight: two },
  ];
  await client.routes.put('hello', { match: { path: { prefix: '/hello' } }, to: to(100, 0) });
  for (const share of [0, 10, 50, 100]) {
    const changedMs = performance.now();
    await client.routes.setWeights('hello', { v1: 100 - share, v2: share });
    const tookMs = performance.now() - changedMs;
    traffic.take();
    await sleep(2_000);
    const tally = traffic.take();
    const v2 = tally.byVersion.get('v2') ?? 0;
    const got = v2 / Math.max(1, v2 + (tally.byVersion.get('v1') ?? 0));
    say(
      `   ${String(share).padStart(3)} %  ${bar(got)} ${(got * 100).toFixed(1).padStart(5)} % to v2   ${tally.sent} requests, ${tally.failed} failed   changed in ${tookMs.toFixed(1)} ms`,
    );
  }
  await traffic.stop();

  const { sent, failed, failures } = traffic.total;
  step(
    failed === 0
      ? color('green', `${sent} requests, none failed.`)
      : color('red', `${failed} of ${sent} requests failed: ${failures.join('; ')}`),
  );
  return failed === 0 ? 0 : 1;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void cleanUp().finally(() => process.exit(130)));
}
try {
  process.exitCode = await run();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await cleanUp();
}
