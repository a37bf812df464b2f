import {
  type Balancer,
  type BalancerName,
  type Clock,
  createBalancer,
  type Endpoint,
  type Instance,
  type Labels,
  type Logger,
  matchesLabels,
  type Random,
  type ServiceView,
} from '@portolan/core';
import { createSnapshotFile } from '../disk/snapshot-file.ts';
import { Emitter } from '../emitter.ts';
import { PortolanError } from '../http/portolan-error.ts';
import { fromViewDocument } from '../wire/from-wire.ts';
import { followView, type ServiceCalls } from './view-follower.ts';

export interface DiscoverOptions {
  readonly namespace?: string;
  readonly group?: string;
  /** Only instances that carry all of these labels. */
  readonly subset?: Labels;
  /** Instances whose label `zone` equals this are preferred; the others serve when none of them is routable. */
  readonly zone?: string;
  /** Folder for a copy on disk, read at a start without a registry. */
  readonly snapshotDir?: string;
  /** Default `weighted-round-robin`. */
  readonly balancer?: BalancerName;
  readonly retry?: { readonly baseMs: number; readonly capMs: number };
}

export interface DiscoveryEvents extends Record<string, unknown> {
  /** The routable instances changed. */
  change: readonly Instance[];
  /** The registry does not answer; the last known instances stay. */
  away: PortolanError;
}

/** A service's routable instances, kept up to date in memory. */
export interface Discovery {
  /** Resolves with the first view, from the registry or from disk; rejects only when closed before. */
  readonly ready: Promise<void>;
  /** The registry has not answered since the last view; what is here may be old. */
  readonly stale: boolean;
  readonly view: ServiceView | undefined;
  /** Routable instances of the subset and zone. */
  instances(): readonly Instance[];
  /** The next instance to call; undefined when none is routable. Synchronous. */
  pick(): Instance | undefined;
  on<E extends keyof DiscoveryEvents>(
    event: E,
    listener: (payload: DiscoveryEvents[E]) => void,
  ): () => void;
  close(): Promise<void>;
}

const NO_TRIED: readonly Endpoint[] = [];

export function createDiscovery(
  service: string,
  options: DiscoverOptions,
  deps: {
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
    readonly services: ServiceCalls;
  },
): Discovery {
  const { clock, random, logger } = deps;
  const namespace = options.namespace ?? 'default';
  const group = options.group ?? 'default';
  const closing = new AbortController();
  const emitter = new Emitter<DiscoveryEvents>((error) =>
    logger.error({ err: error, service }, 'a listener of the discovery failed'),
  );
  const file =
    options.snapshotDir === undefined
      ? undefined
      : createSnapshotFile(
          {
            path: `${options.snapshotDir}/${[namespace, group, service].map(encodeURIComponent).join('.')}.json`,
            minIntervalMs: 1_000,
          },
          { clock, logger },
        );
  const balancer: Balancer = createBalancer(options.balancer ?? 'weighted-round-robin', {
    random,
    clock,
  });
  const byId = new Map<string, { readonly endpoint: Endpoint; readonly instance: Instance }>();

  let view: ServiceView | undefined;
  let routable: readonly Instance[] = [];
  let stale = true;
  let resolveReady: () => void;
  let rejectReady: (error: PortolanError) => void;
  const ready = new Promise<void>((resolve, reject) => {
    resolveReady = resolve;
    rejectReady = reject;
  });
  ready.catch(() => undefined);

  function apply(next: ServiceView): void {
    view = next;
    const previous = routable;
    routable = select(next.instances, options);
    updateBalancer();
    resolveReady();
    if (!sameInstances(previous, routable)) emitter.emit('change', routable);
  }

  /** Endpoints keep their identity while address and port stay, so that the balancer's rotation does too. */
  function updateBalancer(): void {
    const kept = new Set<string>();
    const endpoints: Endpoint[] = [];
    for (const instance of routable) {
      const { id, address, port } = instance;
      const weight = instance.effectiveWeight;
      const present = byId.get(id);
      const same =
        present?.endpoint.address === address &&
        present.endpoint.port === port &&
        present.endpoint.weight === weight;
      const endpoint = same ? present.endpoint : { id, address, port, weight, active: 0 };
      kept.add(id);
      byId.set(id, { endpoint, instance });
      endpoints.push(endpoint);
    }
    for (const id of byId.keys()) if (!kept.has(id)) byId.delete(id);
    balancer.update(endpoints);
  }

  async function run(): Promise<void> {
    const stored = await file?.load();
    if (stored !== undefined && !view && !closing.signal.aborted) {
      try {
        apply(fromViewDocument((stored as { view?: unknown }).view));
      } catch (error) {
        logger.warn({ err: error, service }, 'the snapshot on disk is not usable and is ignored');
      }
    }
    await followView(
      {
        service,
        namespace,
        ...(options.group === undefined ? {} : { group: options.group }),
        signal: closing.signal,
        retry: options.retry ?? { baseMs: 200, capMs: 10_000 },
        longPollWaitMs: 30_000,
        longPollForMs: 300_000,
        onContact() {
          stale = false;
        },
        onView(document) {
          const next = fromViewDocument(document);
          apply(next);
          file?.save(() => ({
            v: 1,
            savedAt: new Date(clock.wallNow()).toISOString(),
            view: document,
          }));
        },
        onAway(error) {
          if (!stale || error.status >= 400) {
            logger.warn({ service, code: error.code }, `discovery: ${error.message}`);
          }
          stale = true;
          emitter.emit('away', error);
        },
      },
      deps,
    );
  }

  const running = run();
  return {
    ready,
    get stale() {
      return stale;
    },
    get view() {
      return view;
    },
    instances: () => routable,
    pick() {
      const endpoint = balancer.pick({ hash: 0, tried: NO_TRIED });
      return endpoint === undefined ? undefined : byId.get(endpoint.id)?.instance;
    },
    on: (event, listener) => emitter.on(event, listener),
    async close() {
      closing.abort();
      rejectReady(new PortolanError('ABORTED', 'The discovery was closed.', { status: 0 }));
      await running;
      await file?.close();
    },
  };
}

function select(instances: readonly Instance[], options: DiscoverOptions): readonly Instance[] {
  const subset = options.subset ?? {};
  const routable = instances.filter(
    (instance) =>
      instance.routable && instance.effectiveWeight > 0 && matchesLabels(instance.labels, subset),
  );
  const near =
    options.zone === undefined
      ? []
      : routable.filter((instance) => instance.labels.zone === options.zone);
  return near.length > 0 ? near : routable;
}

function sameInstances(a: readonly Instance[], b: readonly Instance[]): boolean {
  return (
    a.length === b.length &&
    a.every((instance, index) => {
      const other = b[index];
      return instance.id === other?.id && instance.modifyRevision === other.modifyRevision;
    })
  );
}
