// npm run demo: a service dies and a new version takes over under steady traffic, and no request fails.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { styleText } from 'node:util';
import { createClient, type PortolanClient } from '@portolan/client';
import { Processes } from './processes.ts';
import { startTraffic, type Traffic } from './traffic.ts';

const PER_SECOND = 500;
const VICTIM = 'v1-b';

const processes = new Processes();
process.on('exit', () => processes.dispose());
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.on(signal, () => process.exit(code));
}

const colours = process.stdout.isTTY === true && !process.env.NO_COLOR;
const paint = (style: Parameters<typeof styleText>[0], text: string): string =>
  colours ? styleText(style, text) : text;
const say = (text: string): void => void process.stdout.write(`${text}\n`);
const head = (text: string): void => say(`\n${paint('bold', text)}`);
const row = (name: string, value: string): void => say(`  ${name.padEnd(34)}${value}`);
const ms = (value: number): string => `${Math.max(0, value).toFixed(0)} ms`;

const { gateway, control } = await processes.startServer();
const client = createClient({ url: control });
head('1  Three instances of "shop" register themselves');
row('gateway', gateway);
row('registry', `${control}/api/v1`);
processes.startService('v1-a', 'v1', control);
const victim = processes.startService(VICTIM, 'v1', control);
processes.startService('v2-a', 'v2', control);
await until(async () => (await countRoutable(client)) === 3, 'three routable instances');
row('routable', '3 (v1, v1, v2), each with a fast lease and an http check');

const traffic = startTraffic(`${gateway}/shop`, PER_SECOND);
head(`2  Steady traffic, ${PER_SECOND} requests a second`);
await sleep(3_000);
showShares(traffic, 'by instance', 'byInstance');

head(`3  kill -9 ${VICTIM}`);
await killOne();

head('4  Canary: traffic moves from v1 to v2');
await client.routes.put('shop', {
  match: [{ path: { prefix: '/shop' } }],
  to: [
    { service: 'shop', labels: { version: 'v1' }, weight: 100 },
    { service: 'shop', labels: { version: 'v2' }, weight: 0 },
  ],
});
for (const share of [0, 10, 50, 100]) {
  await client.routes.setWeights('shop', { v1: 100 - share, v2: share });
  // What was under way at the change is not counted to the new shares.
  await sleep(100);
  traffic.take();
  await sleep(3_000);
  showShares(traffic, `v2 at ${share} %`, 'byVersion');
}

await traffic.stop();
head('Result');
row('requests', String(traffic.sent));
const failed = traffic.failures.length;
row('failed', paint(failed === 0 ? 'green' : 'red', String(failed)));
for (const failure of new Set(traffic.failures)) row('', failure);
process.exit(failed === 0 ? 0 : 1);

/** Kills an instance under traffic and says how its absence was noticed. */
async function killOne(): Promise<void> {
  traffic.take();
  const failuresBefore = traffic.failures.length;
  const exited = once(victim, 'exit');
  const killedMs = performance.now();
  victim.kill('SIGKILL');
  await exited;
  const leftMs = until(async () => {
    const { gateway: stats } = (await client.status()) as { gateway?: { ejected?: number } };
    return (stats?.ejected ?? 0) > 0;
  }, 'the gateway to notice').then(() => performance.now() - killedMs);
  const criticalMs = until(async () => {
    const instance = await client.instances.get(VICTIM);
    return instance.status === 'critical';
  }, 'the registry to notice').then(() => performance.now() - killedMs);
  row('gateway took it out of rotation', `after ${ms(await leftMs)}`);
  row('registry called it critical', `after ${ms(await criticalMs)}`);
  await sleep(2_000);
  const { slowestMs, answered } = traffic.take();
  row(
    'its last answer',
    `${ms((traffic.lastAnswerMs.get(VICTIM) ?? 0) - killedMs)} after the kill`,
  );
  row('slowest answer meanwhile', `${ms(slowestMs)}, of ${answered}`);
  row('failed requests', String(traffic.failures.length - failuresBefore));
}

function showShares(source: Traffic, name: string, by: 'byVersion' | 'byInstance'): void {
  const counters = source.take();
  const shares = [...counters[by]]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, count]) => `${key} ${((100 * count) / counters.answered).toFixed(1)} %`);
  row(name, `${shares.join('   ')}   (${counters.answered} answers)`);
}

async function countRoutable(from: PortolanClient): Promise<number> {
  const services = await from.services.list();
  return services.find(({ service }) => service === 'shop')?.routable ?? 0;
}

async function until(holds: () => Promise<boolean>, what: string): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (performance.now() < endMs) {
    if (await holds()) return;
    await sleep(10);
  }
  throw new Error(`waited 10 s for ${what}`);
}
