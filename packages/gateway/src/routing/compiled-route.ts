import {
  type BalancerName,
  type CallerKey,
  type Counter,
  type Histogram,
  hashText,
  type Random,
  type RetryPolicy,
  type StoredRoute,
} from '@portolan/core';
import type { Cluster } from '../upstream/cluster.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { callerOf } from './caller.ts';
import { chooseByWeight, chooseForCaller } from './choose-destination.ts';
import type { RouteQuery } from './route-match.ts';

/** A destination with what is needed to send something there. */
export interface CompiledDestination {
  readonly upstream: Upstream;
  readonly cluster: Cluster;
  readonly weight: number;
  readonly identityHash: number;
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
  /** The same caller stays with the same destination. */
  readonly sticky: CallerKey | undefined;
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
      const labels = Object.entries(destination.subset).sort(([a], [b]) => (a < b ? -1 : 1));
      const identity = JSON.stringify([upstream.id, destination.subsetName ?? '', labels]);
      return {
        upstream,
        cluster,
        weight: destination.weight,
        identityHash: hashText(identity),
      };
    }),
    rewritePrefix: route.rewritePrefix,
    rewriteHost: route.rewriteHost,
    timeoutMs: route.timeoutMs,
    retries: route.retries ?? defaults.retries,
    sticky: route.sticky,
    metrics,
  };
}

/** Chooses where a request goes: by weight, and on a sticky route the same for the same caller. */
export function chooseDestination(
  route: CompiledRoute,
  query: RouteQuery,
  random: Random,
): CompiledDestination | undefined {
  const { destinations, sticky } = route;
  const caller = sticky === undefined ? undefined : callerOf(sticky, query);
  return caller === undefined
    ? chooseByWeight(destinations, random)
    : chooseForCaller(destinations, caller);
}
