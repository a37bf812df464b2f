import {
  type BalancerName,
  type Clock,
  createRetryBudget,
  type Instance,
  type Labels,
  type Logger,
  newOutlierState,
  noteOutlierSignal,
  type OutlierOptions,
  type OutlierSignal,
  type Random,
  type RetryBudget,
  type RetryBudgetOptions,
  type ServiceKey,
  type ServiceView,
  serviceId,
  tryReadmit,
} from '@portolan/core';
import type { EndpointTransport } from '../transport/endpoint-transport.ts';
import { type Cluster, clusterKey, createCluster } from './cluster.ts';
import { endpointKey, UpstreamEndpoint } from './upstream-endpoint.ts';

/** One service as the gateway sees it: endpoints that survive updates, and the clusters made of them. */
export interface Upstream {
  readonly service: ServiceKey;
  readonly id: string;
  readonly retryBudget: RetryBudget;
  /** Requests under way at all endpoints. */
  active: number;
  /** Requests that wait to be tried here again. */
  waiting: number;
  /** Whether nothing refers to it: no endpoint, draining ones included, no cluster, no request. */
  readonly unused: boolean;
  /** Those that may take new requests, resolved or not. */
  readonly endpoints: readonly UpstreamEndpoint[];
  /** Those, and the ones that drain. */
  readonly known: Iterable<UpstreamEndpoint>;
  /** Takes the newest view: adds, updates and drains endpoints. */
  apply(view: ServiceView): void;
  cluster(subset: Labels, balancer: BalancerName): Cluster;
  /** Drops the clusters that are not in `used`. */
  retainClusters(used: ReadonlySet<Cluster>): void;
  /** Notes what happened at an endpoint; may eject it. */
  note(endpoint: UpstreamEndpoint, signal: OutlierSignal): void;
  /** To be called when an endpoint's last request ended. */
  endpointIdle(endpoint: UpstreamEndpoint): void;
  /** To be called when the last waiting request is through with it. */
  dropIfUnused(): void;
  /** Makes the clusters look again; called when an endpoint's address was resolved or lost. */
  refresh(): void;
  close(): void;
}

export interface UpstreamDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** A new endpoint is to be dialled: sets `endpoint.ip`, now or later (then followed by `refresh`). */
  onEndpointAdded(upstream: Upstream, endpoint: UpstreamEndpoint): void;
  transportOf(service: ServiceKey, instance: Instance): EndpointTransport;
  /** The endpoint's connections of that transport may close: it has another one now. */
  onTransportLeft(endpoint: UpstreamEndpoint, left: EndpointTransport): void;
  /** The endpoint is gone and idle: its connections may close. */
  onEndpointGone(endpoint: UpstreamEndpoint): void;
  onEjected(upstream: Upstream): void;
  /** The last endpoint or request is gone, and the upstream may be `unused`. */
  onEmpty(upstream: Upstream): void;
}

/** Makes the upstream of a service without endpoints. */
export function createUpstream(
  service: ServiceKey,
  options: { readonly outlier: OutlierOptions; readonly retryBudget: RetryBudgetOptions },
  deps: UpstreamDeps,
): Upstream {
  const { clock, logger } = deps;
  /** Draining ones included, so that one that comes back finds itself. */
  const known = new Map<string, UpstreamEndpoint>();
  const clusters = new Map<string, Cluster>();
  let endpoints: readonly UpstreamEndpoint[] = [];
  let ejected = 0;

  function refresh(): void {
    for (const cluster of clusters.values()) cluster.refresh();
  }

  function apply(view: ServiceView): void {
    const present = new Set<UpstreamEndpoint>();
    for (const instance of view.instances) {
      if (!instance.routable || instance.effectiveWeight <= 0) continue;
      const key = endpointKey(instance);
      let endpoint = known.get(key);
      if (!endpoint) {
        endpoint = new UpstreamEndpoint(instance);
        known.set(key, endpoint);
        deps.onEndpointAdded(upstream, endpoint);
      } else if (endpoint.draining) {
        // The registry says it is well again, which is newer knowledge than our ejection.
        endpoint.draining = false;
        deps.onEndpointAdded(upstream, endpoint);
      }
      endpoint.labels = instance.labels;
      dialBy(endpoint, deps.transportOf(service, instance));
      endpoint.weight = instance.effectiveWeight;
      present.add(endpoint);
    }
    for (const endpoint of known.values()) {
      if (present.has(endpoint) || endpoint.draining) continue;
      endpoint.draining = true;
      forgetEjection(endpoint);
      if (endpoint.active === 0) dropIfGone(endpoint);
    }
    endpoints = [...present];
    refresh();
  }

  function dialBy(endpoint: UpstreamEndpoint, transport: EndpointTransport): void {
    const before = endpoint.transport;
    if (transport === before) return;
    endpoint.transport = transport;
    const same =
      before.requests.key === transport.requests.key &&
      before.upgrades.key === transport.upgrades.key;
    if (!same) deps.onTransportLeft(endpoint, before);
  }

  function dropIfGone(endpoint: UpstreamEndpoint): void {
    if (!endpoint.draining || endpoint.active > 0) return;
    if (!known.delete(endpoint.key)) return;
    deps.onEndpointGone(endpoint);
    if (known.size === 0) deps.onEmpty(upstream);
  }

  function forgetEjection(endpoint: UpstreamEndpoint): void {
    endpoint.readmission?.cancel();
    endpoint.readmission = undefined;
    if (endpoint.outlier.ejected) ejected--;
    endpoint.outlier = newOutlierState();
  }

  function note(endpoint: UpstreamEndpoint, signal: OutlierSignal): void {
    if (endpoint.draining) return;
    const state = endpoint.outlier;
    const nowMs = clock.now();
    const others = { total: endpoints.length, ejected };
    if (!noteOutlierSignal(state, signal, nowMs, others, options.outlier)) return;
    ejected++;
    const forMs = Math.ceil(state.ejectedUntilMs - nowMs);
    endpoint.readmission = clock.setTimer(forMs + 1, () => readmit(endpoint));
    logger.warn(
      { service: upstream.id, endpoint: endpoint.key, signal, forMs },
      'endpoint ejected from rotation',
    );
    deps.onEjected(upstream);
    refresh();
  }

  function readmit(endpoint: UpstreamEndpoint): void {
    endpoint.readmission = undefined;
    if (!tryReadmit(endpoint.outlier, clock.now())) {
      const leftMs = Math.max(1, endpoint.outlier.ejectedUntilMs - clock.now());
      endpoint.readmission = clock.setTimer(leftMs, () => readmit(endpoint));
      return;
    }
    ejected--;
    refresh();
  }

  const upstream: Upstream = {
    service,
    id: serviceId(service),
    retryBudget: createRetryBudget(options.retryBudget),
    active: 0,
    waiting: 0,
    get unused() {
      return (
        known.size === 0 && clusters.size === 0 && upstream.active === 0 && upstream.waiting === 0
      );
    },
    get endpoints() {
      return endpoints;
    },
    get known() {
      return known.values();
    },
    apply,
    cluster(subset, balancer) {
      const key = clusterKey(subset, balancer);
      let cluster = clusters.get(key);
      if (!cluster) {
        cluster = createCluster(upstream, subset, balancer, deps);
        clusters.set(key, cluster);
      }
      return cluster;
    },
    retainClusters(used) {
      for (const [key, cluster] of clusters) if (!used.has(cluster)) clusters.delete(key);
    },
    note,
    endpointIdle: dropIfGone,
    dropIfUnused() {
      if (upstream.unused) deps.onEmpty(upstream);
    },
    refresh,
    close() {
      for (const endpoint of known.values()) {
        endpoint.readmission?.cancel();
        endpoint.readmission = undefined;
        deps.onEndpointGone(endpoint);
      }
      known.clear();
      clusters.clear();
    },
  };
  return upstream;
}
