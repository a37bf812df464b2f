import { resolve } from 'node:path';
import type { Clock, Random } from '@portolan/core';
import type { ConfigDocuments } from './config/parse-documents.ts';
import type { UsableConfig } from './config/usable-config.ts';
import { createReadinessBoard } from './lifecycle/readiness-board.ts';
import { type ShutdownOutcome, ShutdownStack } from './lifecycle/shutdown-stack.ts';
import { StartError } from './lifecycle/start-error.ts';
import { createSwappableAddressPolicy } from './lifecycle/swappable-policy.ts';
import { startControl } from './parts/control-part.ts';
import type { DataPlane } from './parts/data-plane.ts';
import { firstDialPolicy, refreshDialPolicy } from './parts/dial-policy.ts';
import { startDialects, startEdgeDialects } from './parts/dialects-part.ts';
import type { DockerPart } from './parts/docker-part.ts';
import { startMirror } from './parts/mirror-part.ts';
import type { RegistryPart } from './parts/registry-part.ts';
import { createReloader, type ReloadableParts } from './parts/reload.ts';
import type { ServerContext } from './parts/server-context.ts';
import { createStatusReport, type ServerUrls, serverUrls } from './parts/server-status.ts';
import { startDataPlane } from './parts/start-data-plane.ts';
import type { ServerLogger } from './telemetry/logger.ts';
import { createMetrics } from './telemetry/metrics.ts';

export interface ServerOptions extends UsableConfig {
  /** Folder that relative paths of the configuration start from. */
  readonly workingDir: string;
  readonly version: string;
}

export interface ServerDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: ServerLogger;
  /** Aborts when the server is to stop while it still starts. */
  readonly stopping: AbortSignal;
}

/** Everything of one process, serving. */
export interface PortolanServer {
  readonly urls: ServerUrls;
  readonly dataDir: string;
  /** Puts in force what can change while running; says in the log what changed and what needs a restart. */
  reload(next: UsableConfig): Promise<void>;
  /** Not ready, drain, stop, in reverse order of the start and within `shutdown.timeout`. Never rejects. */
  close(): Promise<ShutdownOutcome>;
}

/** Starts what the role asks for and resolves when it is ready; on a failure everything started is closed again. */
export async function startServer(
  options: ServerOptions,
  deps: ServerDeps,
): Promise<PortolanServer> {
  const { config } = options;
  const { logger } = deps;
  const { maxChildren, enabled } = config.metrics;
  const context: ServerContext = {
    ...deps,
    version: options.version,
    config,
    dataDir: resolve(options.workingDir, config.store.dataDir),
    metrics: createMetrics({ maxChildren, processMetrics: enabled }),
    addressPolicy: createSwappableAddressPolicy(firstDialPolicy(config)),
    readiness: createReadinessBoard(),
    stack: new ShutdownStack(deps),
    sharesPorts: false,
    onReload: [],
    listeners: {},
  };
  const started = context.readiness.hold('starting');
  const close = async (): Promise<ShutdownOutcome> => {
    context.readiness.hold('shutting down');
    const outcome = await context.stack.close(context.config.shutdown.timeout);
    context.metrics.close();
    return outcome;
  };
  try {
    const parts = await startParts(context, options.documents);
    started();
    const reload = createReloader(context, options, parts);
    logger.info({ ...serverUrls(context), role: config.role }, 'ready');
    return { urls: serverUrls(context), dataDir: context.dataDir, reload, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startParts(
  context: ServerContext,
  documents: ConfigDocuments,
): Promise<ReloadableParts> {
  const { config, stack, stopping } = context;
  const control = await startControl(context);
  refreshDialPolicy(context);
  let gateway: DataPlane | undefined;
  if (config.role === 'gateway') {
    const url = config.gateway.registry;
    if (url === undefined) throw new StartError('role gateway needs the registry to follow');
    const mirror = await startMirror(context, url);
    stopping.throwIfAborted();
    gateway = await startDataPlane(context, mirror);
    await startEdgeDialects(context, mirror);
    refreshDialPolicy(context);
    return { control, gateway };
  }
  const { startRegistry } = await import('./parts/registry-part.ts');
  let part: RegistryPart | undefined;
  const report = createStatusReport(context, {
    registry: () => part?.registry,
    gateway: () => gateway,
  });
  let docker: DockerPart | undefined;
  part = await startRegistry(
    context,
    report,
    () => gateway,
    () => docker?.board,
  );
  // Closed again here, before the registry: what its port acknowledges has to be durable and seen.
  stack.push('control port', control.close);
  stopping.throwIfAborted();
  if (config.role === 'both') {
    gateway = await startDataPlane(context, part.registry);
    refreshDialPolicy(context);
  }
  const refused = await part.apply(documents);
  if (refused.length > 0) {
    throw new StartError('the registry refused what the configuration lists', {
      hints: refused.map(({ path, reason }) => `${path}: ${reason}`),
    });
  }
  if (config.docker.engine !== undefined) {
    const { startDocker } = await import('./parts/docker-part.ts');
    docker = await startDocker(context, part.registry);
  }
  const dialects = await startDialects(context, {
    registry: part.registry,
    explainer: () => gateway,
  });
  refreshDialPolicy(context);
  control.mount([...part.adapters, ...dialects]);
  return gateway ? { control, registry: part, gateway } : { control, registry: part };
}
