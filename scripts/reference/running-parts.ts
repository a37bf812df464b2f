import { createDockerProvider, createRestAdapter } from '@portolan/adapters';
import { createDnsAdapter } from '@portolan/adapters/dns';
import { createGrpcAdapter } from '@portolan/adapters/grpc';
import {
  type ControlRequest,
  createAddressPolicy,
  type MetricOptions,
  NO_LOGGER,
  NO_METRICS,
} from '@portolan/core';
import { createGateway } from '@portolan/gateway';
import { createProviderAggregator, createRegistry, saveSnapshot } from '@portolan/registry';
import { MemoryStore, seededRandom, TurnableClock } from '@portolan/testing';
import { readVersion } from '../../packages/server/src/cli/version.ts';
import {
  compileControlLimits,
  compileControlOverload,
} from '../../packages/server/src/config/compile-config.ts';
import { DEFAULTS } from '../../packages/server/src/config/defaults.ts';
import { configSchema } from '../../packages/server/src/config/schema.ts';
import { createControlListener } from '../../packages/server/src/control/control-listener.ts';
import { createReadinessBoard } from '../../packages/server/src/lifecycle/readiness-board.ts';
import { ShutdownStack } from '../../packages/server/src/lifecycle/shutdown-stack.ts';
import { createSwappableAddressPolicy } from '../../packages/server/src/lifecycle/swappable-policy.ts';
import { startAccessLog } from '../../packages/server/src/parts/access-log.ts';
import { startMirror } from '../../packages/server/src/parts/mirror-part.ts';
import { createMetrics } from '../../packages/server/src/telemetry/metrics.ts';
import { measureWorkers } from '../../packages/server/src/workers/measure-workers.ts';

export interface MetricRow {
  readonly name: string;
  readonly kind: string;
  readonly labels: readonly string[];
  readonly help: string;
}

export interface RunningParts {
  /** Ours, in the order in which the parts register them. */
  readonly metrics: readonly MetricRow[];
  /** The Prometheus text of a process that has done nothing yet. */
  readonly firstScrape: string;
  readonly openApi: OpenApi;
}

export interface OpenApi {
  readonly paths: Readonly<Record<string, OpenApiPath>>;
}

export type HttpMethod = 'get' | 'put' | 'post' | 'patch' | 'delete';

export type OpenApiPath = Readonly<Partial<Record<HttpMethod, OpenApiOperation>>> & {
  readonly parameters?: readonly OpenApiParameter[];
};

export interface OpenApiOperation {
  readonly tags: readonly string[];
  readonly summary: string;
  readonly parameters?: readonly OpenApiParameter[];
  readonly requestBody?: { readonly required?: boolean; readonly content: OpenApiContent };
  readonly responses: Readonly<
    Record<string, { readonly description: string; readonly content?: OpenApiContent }>
  >;
}

export interface OpenApiParameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
}

export type OpenApiContent = Readonly<
  Record<
    string,
    {
      readonly schema?: OpenApiReference;
      /** Event name → schema of its data. */
      readonly 'x-event-data'?: Readonly<Record<string, OpenApiReference>>;
    }
  >
>;

interface OpenApiReference {
  readonly $ref?: string;
}

/** Makes every part of a server over a store in memory and a clock that stands, and asks what they offer. */
export async function askRunningParts(): Promise<RunningParts> {
  const rows: MetricRow[] = [];
  const clock = new TurnableClock();
  const random = seededRandom(1);
  const logger = NO_LOGGER;
  const note = (kind: string, { name, help, labelNames = [] }: MetricOptions): void =>
    void rows.push({ name, kind, labels: labelNames, help });
  const real = createMetrics({ maxChildren: 10, processMetrics: true });
  const metrics = {
    ...real,
    counter: (options: MetricOptions) => {
      note('counter', options);
      return NO_METRICS.counter(options);
    },
    gauge: (options: MetricOptions) => {
      note('gauge', options);
      return NO_METRICS.gauge(options);
    },
    histogram: (options: MetricOptions & { readonly buckets: readonly number[] }) => {
      note('histogram', options);
      return NO_METRICS.histogram(options);
    },
  };
  const config = configSchema.parse(DEFAULTS);
  const addressPolicy = createAddressPolicy({ allowLoopback: false, ownEndpoints: [] });
  const store = new MemoryStore();
  const deps = { clock, random, logger, metrics, addressPolicy };

  createControlListener(
    {
      name: 'control',
      limits: compileControlLimits(config),
      allowedHosts: [],
      overload: compileControlOverload(config),
    },
    deps,
  );
  const registry = await createRegistry({}, { ...deps, store, probes: [] });
  const gateway = createGateway({}, { ...deps, catalogue: registry, resolve: async () => [] });
  createDnsAdapter({}, { ...deps, catalogue: registry });
  createGrpcAdapter({}, { ...deps, registry });
  await noteMirror();
  await noteAccessLog();
  measureWorkers(metrics, { status: () => [] });
  createProviderAggregator({}, { ...deps, registry });
  createDockerProvider(
    { ...config.docker, engine: { kind: 'unix', path: '/nonexistent' } },
    { ...deps, resolve: () => Promise.reject(new Error('asked of nobody')) },
  );
  const adapter = createRestAdapter(
    { version: readVersion() },
    {
      registry,
      clock,
      logger,
      metrics,
      status: () => ({}),
      snapshot: {
        save: () => saveSnapshot(store, { createdAt: '' }),
        restore: () => Promise.reject(new Error('there is nothing to restore')),
      },
      webhookFailures: () => [],
    },
  );
  const described = await adapter.routes
    .find(({ path }) => path === '/openapi.json')
    ?.handle({ query: new URLSearchParams() } as ControlRequest, {});
  const firstScrape = await real.render();
  await gateway.close({ drainMs: 0 });
  await registry.close();
  real.close();
  return { metrics: rows, firstScrape, openApi: JSON.parse(String(described?.body)) as OpenApi };

  /** The mirror registers its metrics as it starts; it is stopped before it reaches anybody. */
  async function noteMirror(): Promise<void> {
    const stopping = new AbortController();
    const started = startMirror(contextOf(stopping.signal), 'http://127.0.0.1:1').catch(
      () => undefined,
    );
    stopping.abort();
    await started;
  }

  async function noteAccessLog(): Promise<void> {
    const context = contextOf(new AbortController().signal);
    const accessLog = { format: 'json', path: 'stdout', sampling: 1, headers: [] } as const;
    const gateway = { ...config.gateway, accessLog: { ...accessLog, headers: [] } };
    await startAccessLog({ ...context, config: { ...config, gateway } });
    await context.stack.close(0);
  }

  function contextOf(stopping: AbortSignal) {
    const stack = new ShutdownStack({ clock, logger });
    return {
      ...deps,
      logger: { ...logger, setLevel: () => undefined },
      version: readVersion(),
      dataDir: '/nonexistent',
      config,
      addressPolicy: createSwappableAddressPolicy(addressPolicy),
      readiness: createReadinessBoard(),
      stack,
      stopping,
      sharesPorts: false,
      onReload: [],
      listeners: {},
    };
  }
}
