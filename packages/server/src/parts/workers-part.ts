import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { type CatalogueReader, RegistryError } from '@portolan/core';
import type { GatewayStats } from '@portolan/gateway';
import type { ListenAddress } from '../config/value-types.ts';
import { bind } from '../lifecycle/bind.ts';
import { createEndedMetrics } from '../workers/ended-metrics.ts';
import { measureWorkers } from '../workers/measure-workers.ts';
import type { WorkerSettings } from '../workers/worker-messages.ts';
import { startWorkerPool, type WorkerStatus } from '../workers/worker-pool.ts';
import { forkWorker } from '../workers/worker-process.ts';
import type { DataPlane } from './data-plane.ts';
import type { ServerContext } from './server-context.ts';

/** Left of the shutdown's time for what closes after the workers. */
const RESERVE_MS = 1_000;

/** Starts the data plane in processes of its own. */
export async function startWorkers(
  context: ServerContext,
  catalogue: CatalogueReader,
): Promise<DataPlane> {
  const { config, clock, random, readiness, listeners } = context;
  const { workers } = config.gateway;
  const what = { name: 'gateway', setting: 'gateway.listen', flag: '--gateway' };
  await requireFree(context, what, config.gateway.listen);
  for (const [at, { name, listen }] of config.gateway.listeners.entries()) {
    const setting = `gateway.listeners[${at}].listen`;
    await requireFree(
      context,
      { name: `gateway listener ${name}`, setting, flag: undefined },
      listen,
    );
  }
  const sessionKey = randomBytes(32);
  const ended = createEndedMetrics();
  let release: (() => void) | undefined;
  const onServing = (serving: number): void => {
    release?.();
    release =
      serving === workers
        ? undefined
        : readiness.hold(`${serving} of ${workers} gateway workers serve`);
  };
  onServing(0);
  const pool = await startWorkerPool(
    { workers, version: context.version },
    {
      clock,
      random,
      catalogue,
      logger: context.logger.child({ component: 'workers' }),
      startProcess: forkWorker,
      settings: () => toSettings(context, sessionKey),
      onServing,
      onEnd: (metrics) => ended.add(metrics),
      onListening: ({ gateway, more }) => {
        listeners.gateway = gateway;
        listeners.more = [...more];
      },
      stopping: context.stopping,
    },
  );
  context.stack.push('gateway workers', async () => {
    await pool.close(Math.max(0, context.config.shutdown.timeout - RESERVE_MS));
  });
  measureWorkers(context.metrics, pool);
  context.metrics.addProcesses(async () => {
    const living = await pool.metrics();
    // Afterwards, so that none is left out that ended meanwhile.
    return [ended.sum(), ...living];
  });
  return {
    configure: () => pool.configure(),
    stats: () => sumStats(pool.status()),
    async explain(request) {
      const explanation = await pool.explain(request);
      if (explanation) return explanation;
      throw new RegistryError('GATEWAY_ABSENT', { detail: 'No gateway worker answered in time.' });
    },
    workers: () => pool.status().map(toReport),
  };
}

/** Ports are shared with whoever asks for it: another server that has this one would not be noticed. */
async function requireFree(
  context: ServerContext,
  what: Parameters<typeof bind>[0],
  address: ListenAddress,
): Promise<void> {
  if (address.port === 0) return;
  const probe = createServer();
  await bind(what, address, async ({ host, port }) => {
    await new Promise<void>((resolve, reject) => {
      probe.once('error', reject);
      probe.listen({ host, port, exclusive: true }, resolve);
    });
    return address;
  });
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  context.stopping.throwIfAborted();
}

function toSettings(
  { config, listeners, dataDir }: ServerContext,
  sessionKey: Buffer,
): WorkerSettings {
  const { gateway, more = [], control } = listeners;
  // Where any port would do, all take the one that the first found.
  const found = config.gateway.listeners.map((listener, at) => {
    const { host, port } = more[at] ?? listener.listen;
    return { ...listener, listen: { host, port } };
  });
  const listen = gateway ?? config.gateway.listen;
  return {
    config: { ...config, gateway: { ...config.gateway, listen, listeners: found } },
    sessionKey,
    dataDir,
    ...(control ? { control } : {}),
  };
}

/** Requests and connections are spread over the workers; routes, services and endpoints are the same in each. */
function sumStats(places: readonly WorkerStatus[]): GatewayStats {
  const all = places.flatMap(({ vitals }) => (vitals ? [vitals.stats] : []));
  const sum = (of: (stats: GatewayStats) => number): number =>
    all.reduce((total, stats) => total + of(stats), 0);
  const most = (of: (stats: GatewayStats) => number): number => Math.max(0, ...all.map(of));
  return {
    connections: sum((stats) => stats.connections),
    busyConnections: sum((stats) => stats.busyConnections),
    activeRequests: sum((stats) => stats.activeRequests),
    routes: most((stats) => stats.routes),
    services: most((stats) => stats.services),
    endpoints: most((stats) => stats.endpoints),
    ejected: most((stats) => stats.ejected),
  };
}

function toReport({ vitals, ...place }: WorkerStatus): object {
  return {
    ...place,
    connections: vitals?.stats.connections ?? 0,
    activeRequests: vitals?.stats.activeRequests ?? 0,
    residentBytes: vitals?.residentBytes ?? null,
    cpuMs: vitals?.cpuMs ?? null,
  };
}
