import { resolve } from 'node:path';
import type { Clock, Random } from '@portolan/core';
import type { Gateway } from '@portolan/gateway';
import type { PortolanConfig } from './config/schema.ts';
import { createReadinessBoard } from './lifecycle/readiness-board.ts';
import { type ShutdownOutcome, ShutdownStack } from './lifecycle/shutdown-stack.ts';
import { StartError } from './lifecycle/start-error.ts';
import { createSwappableAddressPolicy } from './lifecycle/swappable-policy.ts';
import { startControl } from './parts/control-part.ts';
import { firstDialPolicy, refreshDialPolicy } from './parts/dial-policy.ts';
import { startGateway } from './parts/gateway-part.ts';
import { startMirror } from './parts/mirror-part.ts';
import type { RegistryPart } from './parts/registry-part.ts';
import type { ServerContext } from './parts/server-context.ts';
import { createStatusReport, type ServerUrls, serverUrls } from './parts/server-status.ts';
import type { ServerLogger } from './telemetry/logger.ts';
import { createMetrics } from './telemetry/metrics.ts';

export interface ServerOptions {
  readonly config: PortolanConfig;
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
    await startParts(context);
    started();
    logger.info({ ...serverUrls(context), role: config.role }, 'ready');
    return { urls: serverUrls(context), dataDir: context.dataDir, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startParts(context: ServerContext): Promise<void> {
  const { config, stack, stopping } = context;
  const control = await startControl(context);
  refreshDialPolicy(context);
  let gateway: Gateway | undefined;
  if (config.role === 'gateway') {
    const url = config.gateway.registry;
    if (url === undefined) {
      throw new StartError('role gateway needs the registry to follow: --registry URL');
    }
    const mirror = await startMirror(context, url);
    stopping.throwIfAborted();
    gateway = await startGateway(context, mirror);
    refreshDialPolicy(context);
    return;
  }
  const { startRegistry } = await import('./parts/registry-part.ts');
  let part: RegistryPart | undefined;
  const report = createStatusReport(context, {
    registry: () => part?.registry,
    gateway: () => gateway,
  });
  part = await startRegistry(context, report);
  // Closed again here, before the registry: what its port acknowledges has to be durable and seen.
  stack.push('control port', control.close);
  stopping.throwIfAborted();
  if (config.role === 'both') {
    gateway = await startGateway(context, part.registry);
    refreshDialPolicy(context);
  }
  control.mount(part.adapters);
}
