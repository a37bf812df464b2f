import type { Clock, ForwardAuth, Random, RateLimit, StoredRoute } from '@portolan/core';
import { createBodyLimitFilter } from './body-limit-filter.ts';
import { createCompressionFilter } from './compression-filter.ts';
import { createCorsFilter } from './cors-filter.ts';
import { createFaultFilter } from './fault-filter.ts';
import type { Filter } from './filter.ts';
import { type AskService, createForwardAuthFilter } from './forward-auth-filter.ts';
import { createRateLimitFilter } from './rate-limit-filter.ts';
import { TokenBuckets } from './token-buckets.ts';

export interface RouteFiltersDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** How the service of a forward-auth is asked. */
  askerOf(auth: ForwardAuth): AskService;
}

/** Makes the filters of routes, and keeps what they have to remember from one table to the next. */
export interface RouteFilters {
  /** Outermost first; empty for a route that asks for none. Throws a RangeError for what cannot be read. */
  of(route: StoredRoute): readonly Filter[];
  /** A table is complete: what none of its routes asked for is forgotten. */
  settle(): void;
}

export function createRouteFilters(deps: RouteFiltersDeps): RouteFilters {
  let kept = new Map<string, TokenBuckets>();
  let next = new Map<string, TokenBuckets>();

  function bucketsOf(route: StoredRoute, limit: RateLimit, at: number): TokenBuckets {
    const { requests, periodMs, burst = requests } = limit;
    const key = JSON.stringify([route.namespace, route.name, at, limit]);
    const buckets = kept.get(key) ?? new TokenBuckets({ requests, periodMs, burst }, deps.clock);
    next.set(key, buckets);
    return buckets;
  }

  return {
    of(route) {
      const filters: Filter[] = [];
      if (route.compression) filters.push(createCompressionFilter(route.compression));
      if (route.cors) filters.push(createCorsFilter(route.cors));
      for (const [at, limit] of (route.rateLimits ?? []).entries()) {
        filters.push(createRateLimitFilter(limit, bucketsOf(route, limit, at)));
      }
      if (route.bodyLimitBytes !== undefined) {
        filters.push(createBodyLimitFilter(route.bodyLimitBytes));
      }
      if (route.auth) filters.push(createForwardAuthFilter(route.auth, deps.askerOf(route.auth)));
      if (route.fault) filters.push(createFaultFilter(route.fault, deps));
      return filters;
    },
    settle() {
      kept = next;
      next = new Map();
    },
  };
}
