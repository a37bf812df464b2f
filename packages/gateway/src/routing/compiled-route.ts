import type {
  BalancerName,
  Counter,
  Histogram,
  Random,
  RetryPolicy,
  StoredRoute,
} from '@portolan/core';
import type { Cluster } from '../upstream/cluster.ts';
import type { Upstream } from '../upstream/upstream.ts';

/** A destination with what is needed to send something there. */
export interface CompiledDestination {
  readonly upstream: Upstream;
  readonly cluster: Cluster;
  readonly weight: number;
}

/** Counters of one route, made once. */
export interface RouteMetrics {
  /** By the hundreds digit of the status; 0 counts exchanges cut without a status. */
  readonly requests: readonly Counter[];
  readonly latency: Histogram;
}

/** A route ready to be followed. */
export interface CompiledRoute {
  readonly name: string;
  readonly destinations: readonly CompiledDestination[];
  readonly rewritePrefix: string | undefined;
  readonly rewriteHost: string | undefined;
  readonly timeoutMs: number | undefined;
  readonly retries: RetryPolicy;
  readonly metrics: RouteMetrics;
}

/** What holds where a route does not say. */
export interface RouteDefaults {
  readonly retries: RetryPolicy;
  readonly balancer: BalancerName;
}

export const DEFAULT_ROUTE: RouteDefaults = {
  retries: { attempts: 2 },
  balancer: 'weighted-round-robin',
};

/** Compiles a stored route with the upstreams' present clusters. */
export function compileRoute(
  route: StoredRoute,
  upstreamOf: (destination: StoredRoute['destinations'][number]) => Upstream,
  metrics: RouteMetrics,
  defaults: RouteDefaults,
): CompiledRoute {
  const balancer = route.balancer ?? defaults.balancer;
  return {
    name: `${route.namespace}/${route.name}`,
    destinations: route.destinations.map((destination) => {
      const upstream = upstreamOf(destination);
      const cluster = upstream.cluster(destination.subset, balancer);
      return { upstream, cluster, weight: destination.weight };
    }),
    rewritePrefix: route.rewritePrefix,
    rewriteHost: route.rewriteHost,
    timeoutMs: route.timeoutMs,
    retries: route.retries ?? defaults.retries,
    metrics,
  };
}

/**
 * Chooses by weight among the destinations that have endpoints, so the share of one without any goes to the others
 * (Envoy would fail it). Weight 0 takes nothing, even when nothing else is left.
 */
export function chooseDestination(
  destinations: readonly CompiledDestination[],
  random: Random,
): CompiledDestination | undefined {
  const only = destinations[0];
  if (destinations.length === 1) {
    return only && only.weight > 0 && only.cluster.hasEndpoints ? only : undefined;
  }
  let total = 0;
  for (const destination of destinations) {
    if (destination.cluster.hasEndpoints) total += destination.weight;
  }
  if (total === 0) return undefined;
  let mark = random() * total;
  for (const destination of destinations) {
    if (!destination.cluster.hasEndpoints) continue;
    mark -= destination.weight;
    if (mark < 0) return destination;
  }
  return undefined;
}
