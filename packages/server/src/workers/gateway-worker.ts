import type { Clock, Random } from '@portolan/core';
import type { Gateway } from '@portolan/gateway';
import { compileGatewayOptions } from '../config/compile-gateway-options.ts';
import { createReadinessBoard } from '../lifecycle/readiness-board.ts';
import { ShutdownStack } from '../lifecycle/shutdown-stack.ts';
import { StartError } from '../lifecycle/start-error.ts';
import { createSwappableAddressPolicy } from '../lifecycle/swappable-policy.ts';
import { firstDialPolicy, refreshDialPolicy } from '../parts/dial-policy.ts';
import { startGateway } from '../parts/gateway-part.ts';
import type { ServerContext } from '../parts/server-context.ts';
import { createServerLogger } from '../telemetry/logger.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { createReplicaCatalogue } from './replica-catalogue.ts';
import {
  type FromWorker,
  type ToWorker,
  VITALS_EVERY_MS,
  type WorkerSettings,
} from './worker-messages.ts';

export interface GatewayWorkerDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** Tells the server; lost when it has gone. */
  readonly send: (message: FromWorker) => void;
  readonly exit: (code: number) => void;
}

export interface GatewayWorker {
  receive(message: ToWorker): void;
  /** Stops accepting, lets requests finish within the configured time, and exits. */
  leave(reason: string): void;
}

/** A gateway that follows the server's catalogue over a channel and shares its port with other workers. */
export function runGatewayWorker(deps: GatewayWorkerDeps): GatewayWorker {
  const { clock, send, exit } = deps;
  const catalogue = createReplicaCatalogue();
  const known = Promise.withResolvers<void>();
  const stopping = new AbortController();
  let context: ServerContext | undefined;
  let gateway: Gateway | undefined;
  let leaving = false;

  async function start(version: string, settings: WorkerSettings): Promise<void> {
    const { config, control, sessionKey } = settings;
    const logger = createServerLogger({ ...config.log, fields: { worker: process.pid } });
    context = {
      clock,
      random: deps.random,
      logger,
      metrics: createMetrics({ maxChildren: config.metrics.maxChildren, processMetrics: false }),
      version,
      dataDir: settings.dataDir,
      config,
      addressPolicy: createSwappableAddressPolicy(firstDialPolicy(config)),
      readiness: createReadinessBoard(),
      stack: new ShutdownStack({ clock, logger }),
      stopping: stopping.signal,
      sharesPorts: true,
      onReload: [],
      listeners: { ...(control ? { control } : {}) },
    };
    refreshDialPolicy(context);
    await known.promise;
    gateway = await startGateway(context, catalogue, Buffer.from(sessionKey));
    refreshDialPolicy(context);
    const { gateway: address, more = [] } = context.listeners;
    if (!address) throw new Error('A gateway that has started has to have an address.');
    tellVitals();
    send({ kind: 'serving', listening: { gateway: address, more } });
  }

  function tellVitals(): void {
    if (gateway) {
      const { user, system } = process.cpuUsage();
      const residentBytes = process.memoryUsage.rss();
      const cpuMs = Math.round((user + system) / 1_000);
      send({ kind: 'alive', vitals: { stats: gateway.stats(), residentBytes, cpuMs } });
    }
    clock.setTimer(VITALS_EVERY_MS, tellVitals);
  }

  function configure({ config }: WorkerSettings): void {
    if (context) {
      context.config = config;
      context.logger.setLevel(config.log.level);
      refreshDialPolicy(context);
      gateway?.update(compileGatewayOptions(config));
      for (const reload of context.onReload) reload();
    }
    send({ kind: 'configured' });
  }

  async function leave(reason: string): Promise<void> {
    if (leaving) return;
    leaving = true;
    stopping.abort();
    if (!context) return exit(0);
    context.logger.debug({ reason }, 'leaving');
    const { unfinished } = await context.stack.close(context.config.shutdown.timeout);
    exit(unfinished.length > 0 ? 1 : 0);
  }

  function fail(error: unknown): void {
    if (leaving) return;
    const message = error instanceof Error ? error.message : String(error);
    const hints = error instanceof StartError ? error.hints : [];
    send({ kind: 'failed', message, hints });
    void leave('it could not start');
  }

  return {
    receive(message) {
      switch (message.kind) {
        case 'start':
          start(message.version, message.settings).catch(fail);
          break;
        case 'catalogue':
          catalogue.apply(message.part.update);
          if (message.part.complete) known.resolve();
          send({ kind: 'took' });
          break;
        case 'configure':
          configure(message.settings);
          break;
        case 'metrics': {
          const { question } = message;
          void (context?.metrics.snapshot() ?? Promise.resolve([])).then((metrics) =>
            send({ kind: 'metrics', question, metrics }),
          );
          break;
        }
        case 'explain': {
          const { question, request } = message;
          send({ kind: 'explained', question, explanation: gateway?.explain(request) });
          break;
        }
        case 'drain':
          void leave('the server stops');
          break;
      }
    },
    leave: (reason) => void leave(reason),
  };
}
