/**
 * The registry table of the performance page: registration, heartbeats, batches, identical re-registration, restart and
 * memory, over HTTP on loopback, durable throughout.
 *
 *   node bench/load/registry.ts [--instances 100000] [--seconds 10] [--connections 64]
 */
import { type LoadResult, requestBytes, runLoad } from './support/http-load.ts';
import { figures, option, progress, type Row, report } from './support/report.ts';
import { startServer } from './support/server-process.ts';

const instances = option('instances', 100_000);
const seconds = option('seconds', 10);
const connections = option('connections', 64);
const BATCH = 500;

function registration(index: number, version = 'v1'): object {
  return {
    service: `service-${index % Math.max(1, Math.floor(instances / 100))}`,
    id: `i-${index}`,
    address: `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`,
    port: 8080,
    tags: [`version:${version}`, 'region:eu'],
    metadata: { start: '1763900000', weight: '100' },
    ttl: 3600,
  };
}

const rows: Row[] = [];
const server = await startServer();
const host = new URL(server.control).host;
try {
  const emptyBytes = await server.residentBytes();

  progress(`batch registration of ${instances} instances`);
  const batches: Buffer[] = [];
  for (let from = 0; from < instances; from += BATCH) {
    const size = Math.min(BATCH, instances - from);
    const items = Array.from({ length: size }, (_, at) => registration(from + at));
    batches.push(requestBytes('POST', '/api/v1/instances/batch', host, { instances: items }));
  }
  const batch = await runLoad({ origin: server.control, connections: 4, next: (n) => batches[n] });
  const batchPerSecond = instances / batch.seconds;
  rows.push({
    work: `batch registration, ${BATCH} a request, up to ${instances.toLocaleString('en')} instances`,
    figure: `${Math.round(batchPerSecond).toLocaleString('en')} instances/s, p99 ${batch.p99Ms.toFixed(0)} ms a batch${wrong(batch)}`,
    target: '≥ 60,000 instances/s durable',
    met: batchPerSecond >= 60_000 && batch.errors === 0,
  });
  const fullBytes = await server.residentBytes();
  rows.push({
    work: `resident memory with ${instances.toLocaleString('en')} instances`,
    figure: `${mib(fullBytes)} (${mib(emptyBytes)} empty)`,
    ...(instances >= 1_000_000 ? { target: '≤ 1.0 GiB', met: fullBytes <= 2 ** 30 } : {}),
  });

  progress('single registrations');
  const single = await timed((n) =>
    requestBytes('POST', '/register', host, registration(instances + n)),
  );
  rows.push({
    work: `\`POST /register\`, one a request, ${connections} connections, ${instances.toLocaleString('en')} present`,
    figure: figures(single),
    target: '≥ 12,000/s and p99 < 20 ms',
    met: single.perSecond >= 12_000 && single.p99Ms < 20 && single.errors === 0,
  });

  progress('heartbeats');
  const beat = await timed((n) =>
    requestBytes('PUT', `/api/v1/instances/i-${(n * 7919) % instances}/heartbeat`, host),
  );
  rows.push({
    work: 'heartbeats, one a request',
    figure: `${figures(beat)}; ${(beat.perSecond / single.perSecond).toFixed(2)} × registration`,
    target: '≥ 1.3 × the registration figure',
    met: beat.perSecond >= 1.3 * single.perSecond && beat.errors === 0,
  });

  progress('batched heartbeats');
  const idBatches = Array.from({ length: 64 }, (_, at) => {
    const ids = Array.from({ length: BATCH }, (__, k) => `i-${(at * BATCH + k) % instances}`);
    return requestBytes('POST', '/api/v1/instances/heartbeat', host, { ids });
  });
  const beats = await timed((n) => idBatches[n % idBatches.length]);
  rows.push({
    work: `heartbeats, ${BATCH} a request`,
    figure: `${Math.round(beats.perSecond * BATCH).toLocaleString('en')} instances/s, p99 ${beats.p99Ms.toFixed(1)} ms${wrong(beats)}`,
    target: '≥ 200,000 instances/s',
    met: beats.perSecond * BATCH >= 200_000 && beats.errors === 0,
  });

  progress('identical registrations');
  const before = await revision();
  const again = await timed((n) =>
    requestBytes('POST', '/register', host, registration((n * 7919) % instances)),
  );
  const after = await revision();
  rows.push({
    work: 'identical re-register',
    figure: `${figures(again)}; revision ${before} → ${after}`,
    target: 'no revision, no disk write',
    met: before === after && again.errors === 0,
  });

  progress('restart');
  await server.stop('SIGKILL');
  const restarted = await startServer({ dataDir: server.dataDir });
  rows.push({
    work: `restart after \`kill -9\` to serving, ${instances.toLocaleString('en')} and more instances`,
    figure: `${Math.round(restarted.startMs).toLocaleString('en')} ms, ${mib(await restarted.residentBytes())}`,
    ...(instances >= 1_000_000 ? { target: '< 10 s', met: restarted.startMs < 10_000 } : {}),
  });
  await restarted.dispose();
} finally {
  await server.dispose();
}
progress('');
await report(`registry-${instances}`, rows);

function timed(next: (sequence: number) => Buffer | undefined): Promise<LoadResult> {
  return runLoad({ origin: server.control, connections, durationMs: seconds * 1000, next });
}

async function revision(): Promise<number> {
  const answer = await fetch(`${server.control}/api/v1/services`);
  return ((await answer.json()) as { revision: number }).revision;
}

function mib(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20).toLocaleString('en')} MiB`;
}

function wrong(result: LoadResult): string {
  return result.errors > 0 ? `, ${result.errors} ERRORS (${result.firstError})` : '';
}
