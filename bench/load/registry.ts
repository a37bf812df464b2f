/**
 * The registry table of the performance page: registration, heartbeats, batches, identical re-registration, restart and
 * memory, over HTTP on loopback, durable throughout.
 *
 *   node bench/load/registry.ts [--instances 100000] [--seconds 10] [--connections 64] [--pin 1]
 *
 * The server has the machine to itself but for the load, as where it is run: `--pin 1` keeps it, its collector and its disk's threads
 * included, on one core.
 */
import { type LoadResult, requestBytes, runLoad } from './support/http-load.ts';
import { heartbeatBatches, registration } from './support/registrations.ts';
import { figures, option, progress, type Row, report } from './support/report.ts';
import { startServer } from './support/server-process.ts';

const instances = option('instances', 100_000);
const seconds = option('seconds', 10);
const connections = option('connections', 64);
const pin = option('pin', 0) === 1;
const BATCH = 500;
const BATCH_CONNECTIONS = 8;
/** Batches go on for so many instances when the process is warm. */
const WARM_INSTANCES = instances > 300_000 ? 100_000 : 300_000;

const rows: Row[] = [];
const server = await startServer({ pin });
const host = new URL(server.control).host;
try {
  const emptyBytes = await server.residentBytes();

  progress(`batch registration of ${instances} instances`);
  const batch = await registerMany(instances, 'service');
  rows.push({
    work: `batch registration, ${BATCH} a request, from the first to ${instances.toLocaleString('en')}`,
    figure: batch.figure,
  });
  const fullBytes = await server.residentBytes();
  rows.push({
    work: `resident memory with ${instances.toLocaleString('en')} instances`,
    figure: `${mib(fullBytes)} (${mib(emptyBytes)} empty)`,
    ...(instances >= 1_000_000 ? { target: '≤ 1.0 GiB', met: fullBytes <= 2 ** 30 } : {}),
  });

  progress('single registrations');
  const single = await timed((n) =>
    requestBytes('POST', '/register', host, registration(instances + n, instances)),
  );
  rows.push({
    work: `\`POST /register\`, one a request, ${connections} connections, ${instances.toLocaleString('en')} present`,
    figure: figures(single),
    ...(instances > 100_000
      ? {}
      : {
          target: '≥ 12,000/s and p99 < 20 ms',
          met: single.perSecond >= 12_000 && single.p99Ms < 20 && single.errors === 0,
        }),
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
  const idBatches = heartbeatBatches(host, instances, BATCH);
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
    requestBytes('POST', '/register', host, registration((n * 7919) % instances, instances)),
  );
  const after = await revision();
  rows.push({
    work: 'identical re-register',
    figure: `${figures(again)}; revision ${before} → ${after}`,
    target: 'no revision, no disk write',
    met: before === after && again.errors === 0,
  });

  progress(`batch registration of ${WARM_INSTANCES} more`);
  const warm = await registerMany(WARM_INSTANCES, 'more');
  rows.push({
    work: `batch registration, ${BATCH} a request, ${WARM_INSTANCES.toLocaleString('en')} more in the warm process`,
    figure: warm.figure,
    ...batchTarget(warm),
  });

  progress('restart');
  await server.stop('SIGKILL');
  const restarted = await startServer({ dataDir: server.dataDir, pin });
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

interface Filled {
  readonly perSecond: number;
  readonly errors: number;
  readonly figure: string;
}

async function registerMany(count: number, name: string): Promise<Filled> {
  const batches: Buffer[] = [];
  for (let from = 0; from < count; from += BATCH) {
    const size = Math.min(BATCH, count - from);
    const items = Array.from({ length: size }, (_, at) => registration(from + at, instances, name));
    batches.push(requestBytes('POST', '/api/v1/instances/batch', host, { instances: items }));
  }
  const result = await runLoad({
    origin: server.control,
    connections: BATCH_CONNECTIONS,
    next: (n) => batches[n],
  });
  const perSecond = count / result.seconds;
  return {
    perSecond,
    errors: result.errors,
    figure: `${Math.round(perSecond).toLocaleString('en')} instances/s, p99 ${result.p99Ms.toFixed(0)} ms a batch${wrong(result)}`,
  };
}

function batchTarget({ perSecond, errors }: Filled): Pick<Row, 'target' | 'met'> {
  return { target: '≥ 60,000 instances/s durable', met: perSecond >= 60_000 && errors === 0 };
}

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
