// Durable writes a second, and what a start costs: node --conditions=portolan-source bench/micro/store.ts [folder] [entries]
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { NO_LOGGER, type Op, type Store } from '@portolan/core';
import { openEmbeddedStore } from '@portolan/registry';

const base = process.argv[2] ?? tmpdir();
const entries = Number(process.argv[3] ?? 100_000);
const value = JSON.stringify({ v: 1, service: 'user-service', padding: 'x'.repeat(420) });

let next = 0;
const newKey = (): string => {
  next++;
  const octets = `${(next >> 16) & 255}.${(next >> 8) & 255}.${next & 255}`;
  return `instance/default/user-service-${next % 50}-10.${octets}-8080`;
};
const put = (): Op => ({ type: 'put', key: newKey(), value });

interface Figures {
  readonly putsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly loopP99Ms: number;
}

async function measure(
  store: Store,
  committers: number,
  opsEach: number,
  seconds: number,
): Promise<Figures> {
  const latencies: number[] = [];
  const loop = monitorEventLoopDelay({ resolution: 1 });
  loop.enable();
  const start = performance.now();
  const end = start + seconds * 1_000;
  await Promise.all(
    Array.from({ length: committers }, async () => {
      while (performance.now() < end) {
        const ops = Array.from({ length: opsEach }, put);
        const began = performance.now();
        await store.commit(ops);
        latencies.push(performance.now() - began);
      }
    }),
  );
  const took = (performance.now() - start) / 1_000;
  loop.disable();
  latencies.sort((a, b) => a - b);
  const at = (share: number): number =>
    Number((latencies[Math.floor(latencies.length * share)] ?? 0).toFixed(2));
  return {
    putsPerSecond: Math.round((latencies.length * opsEach) / took),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    loopP99Ms: Number((loop.percentile(99) / 1e6).toFixed(2)),
  };
}

const folder = await mkdtemp(join(base, 'portolan-bench-'));
const open = (): Promise<Store> =>
  openEmbeddedStore({ path: join(folder, 'data') }, { logger: NO_LOGGER });
try {
  console.log(`${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.version}`);
  console.log(`values of ${value.length} bytes, ${entries} entries present, folder ${base}`);
  let store = await open();
  while (next < entries) await store.commit(Array.from({ length: 1_000 }, put));
  const rows: Record<string, Figures> = {};
  for (const [committers, ops] of [
    [1, 1],
    [64, 1],
    [256, 1],
    [1_024, 1],
    [1, 500],
    [4, 500],
    [16, 500],
  ] as const) {
    rows[`${committers} committers, ${ops} puts a commit`] = await measure(
      store,
      committers,
      ops,
      3,
    );
  }
  console.table(rows);
  await store.close();
  const began = performance.now();
  store = await open();
  const opened = performance.now();
  const { entries: all } = await store.list('');
  const listed = performance.now();
  console.log(
    `open ${(opened - began).toFixed(0)} ms, list of ${all.length} ${(listed - opened).toFixed(0)} ms`,
  );
  await store.close();
} finally {
  await rm(folder, { recursive: true });
}
