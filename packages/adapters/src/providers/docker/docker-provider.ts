import {
  type AddressPolicy,
  type Clock,
  type Logger,
  type Metrics,
  type Provider,
  type ProviderSnapshot,
  parseIp,
  type Random,
  type TimerHandle,
} from '@portolan/core';
import {
  findGatewayPlace,
  type GatewayPlace,
  ownContainerIds,
  type PlaceSetting,
} from './address/gateway-place.ts';
import { networksByName } from './address/networks-by-name.ts';
import { assemble } from './convert/assemble.ts';
import type { ContainerReport } from './convert/report.ts';
import { createApiSource } from './engine/api-source.ts';
import type { DockerSource } from './engine/docker-source.ts';
import { type EngineAddress, formatEngineAddress } from './engine/engine-address.ts';
import { createEngineClient } from './engine/engine-client.ts';
import { createDiscoveryMetrics } from './loop/discovery-metrics.ts';
import type { EngineState } from './loop/engine-state.ts';
import { DEFAULT_RESTART_LOOP } from './loop/restart-loops.ts';
import { watchEngine } from './loop/watch-engine.ts';
import type { WatchOptions } from './loop/watch-options.ts';

export interface DockerProviderOptions {
  /** Owner of what it registers; another one for each engine that writes into the same store. */
  readonly name: string;
  readonly engine: EngineAddress;
  readonly namespace: string;
  readonly exposeByDefault: boolean;
  /** In the order to prefer, where labels name none. */
  readonly networks: readonly string[];
  readonly gatewayOn: PlaceSetting;
  readonly hostAddress?: string | undefined;
  readonly swarm: boolean;
  readonly watch?: Partial<WatchOptions>;
}

export interface DockerProviderDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly addressPolicy: AddressPolicy;
  /** An address of a name; rejects when it has none. */
  readonly resolve: (hostName: string) => Promise<string>;
  /** Default: the API of `engine`. */
  readonly source?: DockerSource;
  /** Default: as this process's own mounts and host name say. */
  readonly ownIds?: readonly string[];
}

/** What the provider knows, for people. */
export interface DockerView {
  readonly engine: string;
  /** Empty before the first connection. */
  readonly apiVersion: string;
  /** Whether the engine is followed now. */
  readonly connected: boolean;
  /** Why it is not, as of the last try. */
  readonly problem?: string;
  readonly place?: GatewayPlace;
  readonly containers: readonly ContainerReport[];
}

export interface DockerProvider extends Provider {
  view(): DockerView;
}

const DEFAULT_WATCH: Omit<WatchOptions, 'swarm'> = {
  coalesceMs: 50,
  resyncMs: 45_000,
  idleMs: 30_000,
  pingTimeoutMs: 5_000,
  stopPollMs: 500,
  swarmPollMs: 5_000,
  swarmBusyPollMs: 500,
  reconnect: { baseMs: 250, maxMs: 10_000 },
  drainLimitMs: 600_000,
  doubtMs: 5_000,
  restartLoop: DEFAULT_RESTART_LOOP,
};

const INTERNAL_HOSTS = ['host.docker.internal', 'host.containers.internal'];

/** Registers the containers of one Docker Engine, and the tasks of its swarm. */
export function createDockerProvider(
  options: DockerProviderOptions,
  deps: DockerProviderDeps,
): DockerProvider {
  const { clock, logger } = deps;
  const metrics = createDiscoveryMetrics(options.name, deps.metrics, clock);
  const standings = deps.metrics.gauge({
    name: 'portolan_discovery_containers',
    help: 'Containers, tasks and services that a provider sees, by what became of them.',
    labelNames: ['provider', 'standing'],
  });
  const ownIds = deps.ownIds ?? ownContainerIds();
  let internalHosts: readonly string[] = [];
  let reports: readonly ContainerReport[] = [];
  let place: GatewayPlace | undefined;
  let apiVersion = '';
  let connected = false;
  let problem: string | undefined;
  let engineIp: string | undefined;
  let later: TimerHandle | undefined;

  deps.metrics.onCollect(() => {
    const counts = { registered: 0, unroutable: 0, ignored: 0, stopped: 0 };
    for (const { standing } of reports) counts[standing]++;
    for (const [standing, count] of Object.entries(counts)) {
      standings.labels(options.name, standing).set(count);
    }
  });

  function convert(state: EngineState): ProviderSnapshot {
    const networks = networksByName(state.networks);
    place = findGatewayPlace({
      setting: options.gatewayOn,
      hostAddress: options.hostAddress,
      engine: options.engine,
      facts: state.facts ?? { apiVersion: '', version: '', hidden: false },
      ownIds,
      containers: state.containers,
      networks: state.networks,
      internalHosts,
      engineIp,
    });
    const swarm = options.swarm ? state.swarm : undefined;
    const assembly = assemble(
      {
        place,
        networks,
        containers: state.containers,
        namespace: options.namespace,
        exposeByDefault: options.exposeByDefault,
        defaultNetworks: options.networks,
        mayDial: (ip, port) => deps.addressPolicy.check(ip, port),
        draining: new Map([...state.draining].map(([id, { reason }]) => [id, reason])),
        restarting: state.restarting().reasons,
        skipTasks: swarm !== undefined,
        swarmNodeId: state.facts?.swarm?.nodeId,
      },
      swarm,
    );
    sayUnroutable(assembly.reports);
    reports = assembly.reports;
    apiVersion = state.facts?.apiVersion ?? '';
    return assembly.snapshot;
  }

  function sayUnroutable(next: readonly ContainerReport[]): void {
    const before = new Map(reports.map((report) => [report.id, report]));
    for (const report of next) {
      const last = before.get(report.id);
      if (report.standing !== 'unroutable') continue;
      if (last?.standing === 'unroutable' && last.reason === report.reason) continue;
      const { name, reason } = report;
      logger.warn({ container: name, reason }, 'a container cannot be routed to');
    }
  }

  /** Names are looked up before each connection: a host may come back at another address. */
  async function lookUpHosts(): Promise<void> {
    const lookUp = (host: string) => deps.resolve(host).catch(() => '');
    const found = await Promise.all(INTERNAL_HOSTS.map(lookUp));
    internalHosts = found.filter((address) => address !== '');
    if (options.engine.kind !== 'tcp' || parseIp(options.engine.host)) return;
    engineIp = (await lookUp(options.engine.host)) || engineIp;
  }

  return {
    name: options.name,
    view: () => ({
      engine: formatEngineAddress(options.engine),
      apiVersion,
      connected,
      ...(problem === undefined ? {} : { problem }),
      ...(place === undefined ? {} : { place }),
      containers: reports,
    }),
    async run(publish, signal) {
      const source = deps.source ?? createApiSource(createEngineClient(options.engine));
      await lookUpHosts();
      const onState = (state: EngineState): void => {
        publish(convert(state));
        later?.cancel();
        const { againInMs } = state.restarting();
        // One that is held back for dying too often is let in without an event.
        if (againInMs !== undefined && !signal.aborted) {
          later = clock.setTimer(againInMs + 1, () => onState(state));
        }
      };
      try {
        const watch = { ...DEFAULT_WATCH, swarm: options.swarm, ...options.watch };
        const onAway = (reason: string): void => {
          problem = reason;
          void lookUpHosts();
        };
        const told: typeof metrics = {
          ...metrics,
          synced(nowMs) {
            if (!connected) {
              logger.info({ engine: formatEngineAddress(options.engine) }, 'following Docker');
            }
            connected = true;
            problem = undefined;
            metrics.synced(nowMs);
          },
          lost(nowMs) {
            connected = false;
            metrics.lost(nowMs);
          },
        };
        await watchEngine(watch, { ...deps, source, metrics: told, onAway, onState }, signal);
      } finally {
        later?.cancel();
        await source.close();
      }
    },
  };
}
