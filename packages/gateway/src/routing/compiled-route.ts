import {
  type BalancerName,
  type CallerKey,
  type Counter,
  type Destination,
  type DestinationRef,
  type DirectResponse,
  type HedgePolicy,
  type Histogram,
  hashText,
  type Random,
  type Redirect,
  type RetryPolicy,
  type StoredRoute,
} from '@portolan/core';
import type { Filter } from '../filters/filter.ts';
import { compileHeaderEdits, type HeaderEdit } from '../proxy/header-edits.ts';
import type { Cluster } from '../upstream/cluster.ts';
import type { ClusterRef } from '../upstream/cluster-settings.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { callerOf } from './caller.ts';
import { chooseByWeight, chooseForCaller } from './choose-destination.ts';
import { compileRetryRule, type RetryRule } from './retry-rule.ts';
import { compileRewrite, type PathRewriter } from './rewrite-path.ts';
import type { RouteQuery } from './route-match.ts';

/** A destination with what is needed to send something there. */
export interface CompiledDestination {
  readonly upstream: Upstream;
  readonly cluster: Cluster;
  readonly weight: number;
  readonly identityHash: number;
  readonly requestEdit: HeaderEdit | undefined;
  readonly responseEdit: HeaderEdit | undefined;
}

/** Where copies of a route's requests go. */
export interface CompiledMirror {
  readonly destination: CompiledDestination;
  /** From 0 to 1. */
  readonly share: number;
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
  readonly redirect: Redirect | undefined;
  readonly answer: DirectResponse | undefined;
  readonly rewritePrefix: string | undefined;
  readonly rewritePath: PathRewriter | undefined;
  readonly rewriteHost: string | undefined;
  readonly requestEdit: HeaderEdit | undefined;
  readonly responseEdit: HeaderEdit | undefined;
  readonly timeoutMs: number | undefined;
  readonly idleTimeoutMs: number | undefined;
  readonly retries: RetryRule;
  readonly hedge: HedgePolicy | undefined;
  readonly mirrors: readonly CompiledMirror[];
  /** Outermost first; most routes have none. */
  readonly filters: readonly Filter[];
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

/** What a route is compiled with. */
export interface RouteParts {
  upstreamOf(destination: DestinationRef): Upstream;
  filtersOf(route: StoredRoute): readonly Filter[];
  readonly metrics: RouteMetrics;
  readonly defaults: RouteDefaults;
}

/** Compiles a stored route with the upstreams' present clusters. Throws a RangeError for what cannot be read. */
export function compileRoute(route: StoredRoute, parts: RouteParts): CompiledRoute {
  const { defaults } = parts;
  return {
    name: `${route.namespace}/${route.name}`,
    destinations: route.destinations.map((destination) =>
      compileDestination(destination, parts.upstreamOf(destination), {
        balancer: route.balancer,
        hash: route.hash,
        fallback: defaults.balancer,
      }),
    ),
    redirect: route.redirect,
    answer: route.answer,
    rewritePrefix: route.rewritePrefix,
    rewritePath: route.rewriteRegex === undefined ? undefined : compileRewrite(route.rewriteRegex),
    rewriteHost: route.rewriteHost,
    requestEdit: compileHeaderEdits(route.requestHeaders),
    responseEdit: compileHeaderEdits(route.responseHeaders),
    timeoutMs: route.timeoutMs,
    idleTimeoutMs: route.idleTimeoutMs,
    retries: compileRetryRule(route.retries ?? defaults.retries),
    hedge: route.hedge,
    mirrors: (route.mirrors ?? []).map((mirror) => ({
      destination: compileDestination({ ...mirror, weight: 1 }, parts.upstreamOf(mirror), {
        fallback: defaults.balancer,
      }),
      share: mirror.share,
    })),
    filters: parts.filtersOf(route),
    sticky: route.sticky,
    metrics: parts.metrics,
  };
}

function compileDestination(
  destination: Pick<
    Destination,
    'subset' | 'subsetName' | 'weight' | 'requestHeaders' | 'responseHeaders'
  >,
  upstream: Upstream,
  choosing: Omit<ClusterRef, 'subset' | 'subsetName'>,
): CompiledDestination {
  const labels = Object.entries(destination.subset).sort(([a], [b]) => (a < b ? -1 : 1));
  const identity = JSON.stringify([upstream.id, destination.subsetName ?? '', labels]);
  return {
    upstream,
    cluster: upstream.cluster({
      subset: destination.subset,
      subsetName: destination.subsetName,
      ...choosing,
    }),
    weight: destination.weight,
    identityHash: hashText(identity),
    requestEdit: compileHeaderEdits(destination.requestHeaders),
    responseEdit: compileHeaderEdits(destination.responseHeaders),
  };
}

const WHOLE_SERVICE = { subset: {}, weight: 1 };

/** The route to a service found by its name. */
export function nameRoute(
  name: string,
  upstream: Upstream | undefined,
  parts: Pick<RouteParts, 'metrics' | 'defaults'>,
): CompiledRoute {
  return {
    name,
    destinations: upstream
      ? [compileDestination(WHOLE_SERVICE, upstream, { fallback: parts.defaults.balancer })]
      : [],
    redirect: undefined,
    answer: undefined,
    rewritePrefix: undefined,
    rewritePath: undefined,
    rewriteHost: undefined,
    requestEdit: undefined,
    responseEdit: undefined,
    timeoutMs: undefined,
    idleTimeoutMs: undefined,
    retries: compileRetryRule(parts.defaults.retries),
    hedge: undefined,
    mirrors: [],
    filters: [],
    sticky: undefined,
    metrics: parts.metrics,
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
