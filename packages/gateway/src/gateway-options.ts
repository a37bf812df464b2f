import {
  DEFAULT_OUTLIER_OPTIONS,
  DEFAULT_RETRY_BUDGET,
  type OutlierOptions,
  type RetryBudgetOptions,
} from '@portolan/core';
import type { HttpServerLimits, PoolLimits } from '@portolan/http';
import type { FindChallenge } from './acme-challenge.ts';
import type { OverloadOptions } from './overload/overload-guard.ts';
import type { AccessRecord, ProxyLimits } from './proxy/proxy-context.ts';
import { DEFAULT_ROUTE, type RouteDefaults } from './routing/compiled-route.ts';
import {
  DEFAULT_RESOLVER_OPTIONS,
  type EndpointResolverOptions,
} from './upstream/endpoint-resolver.ts';
import type { Place } from './upstream/localities.ts';

/** What may be said of a gateway; everything has a default. */
export interface GatewayOptions {
  /** Addresses and CIDRs whose Forwarded, X-Forwarded-* and X-Request-Id are believed. Default none. */
  readonly trustedProxies?: readonly string[];
  readonly limits?: Partial<ProxyLimits>;
  readonly server?: Partial<HttpServerLimits>;
  /** Addresses and CIDRs of the proxies that may connect and have to open with a PROXY header; absent: none is taken. */
  readonly proxyProtocolFrom?: readonly string[] | undefined;
  /** Whether clients may speak HTTP/2, by ALPN and, without TLS, by prior knowledge. Default yes. */
  readonly http2?: boolean;
  readonly pool?: Partial<PoolLimits>;
  readonly outlier?: Partial<OutlierOptions>;
  readonly retryBudget?: Partial<RetryBudgetOptions>;
  readonly resolver?: Partial<EndpointResolverOptions>;
  /** Retries and balancer where a route does not say. */
  readonly routeDefaults?: Partial<RouteDefaults>;
  /** Whether services are reached by their names, beside the routes that lead to them. Default yes. */
  readonly routeByName?: boolean;
  /** Where this gateway is, for policies that prefer what is near. */
  readonly place?: Place;
  /** Key authorisations of ACME's HTTP-01 challenges. */
  readonly findChallenge?: FindChallenge;
  readonly overload?: Partial<OverloadOptions>;
  /** Signs the cookies that keep a caller with an instance; the same for all gateways of a cluster. Default: one of this process. */
  readonly sessionKey?: Buffer;
  /** Called after each exchange. Off by default: it costs an object a request. */
  readonly accessLog?: (record: AccessRecord) => void;
}

export const DEFAULT_PROXY_LIMITS: ProxyLimits = {
  responseTimeoutMs: 60_000,
  streamIdleTimeoutMs: 300_000,
  tunnelIdleTimeoutMs: 3_600_000,
  replayBytes: 65_536,
  maxRequestsPerEndpoint: 1_024,
};

/** The options with every default filled in. */
export interface CompiledGatewayOptions {
  readonly trustedProxies: readonly string[];
  readonly limits: ProxyLimits;
  readonly server: Partial<HttpServerLimits>;
  readonly http2: boolean;
  readonly proxyProtocolFrom: readonly string[] | undefined;
  readonly pool: Partial<PoolLimits>;
  readonly outlier: OutlierOptions;
  readonly retryBudget: RetryBudgetOptions;
  readonly resolver: EndpointResolverOptions;
  readonly routeDefaults: RouteDefaults;
  readonly routeByName: boolean;
  readonly accessLog: ((record: AccessRecord) => void) | undefined;
  readonly place: Place;
  readonly findChallenge: FindChallenge | undefined;
  readonly overload: OverloadOptions;
  readonly sessionKey: Buffer | undefined;
}

/** Fills in the defaults. */
export function compileGatewayOptions(options: GatewayOptions): CompiledGatewayOptions {
  const limits = { ...DEFAULT_PROXY_LIMITS, ...options.limits };
  return {
    trustedProxies: options.trustedProxies ?? [],
    limits,
    // Most clients that close their side are gone: what they asked for is not to be worked on for long.
    server: { halfCloseTimeoutMs: 1_000, ...options.server },
    http2: options.http2 ?? true,
    proxyProtocolFrom: options.proxyProtocolFrom,
    // The gateway's own deadlines are the ones that count, so the pool's silence limit only backs them up.
    pool: {
      maxConnections: limits.maxRequestsPerEndpoint,
      exchangeIdleTimeoutMs: 2 * Math.max(limits.streamIdleTimeoutMs, limits.responseTimeoutMs),
      ...options.pool,
    },
    outlier: { ...DEFAULT_OUTLIER_OPTIONS, ...options.outlier },
    retryBudget: { ...DEFAULT_RETRY_BUDGET, ...options.retryBudget },
    resolver: { ...DEFAULT_RESOLVER_OPTIONS, ...options.resolver },
    routeDefaults: { ...DEFAULT_ROUTE, ...options.routeDefaults },
    routeByName: options.routeByName ?? true,
    accessLog: options.accessLog,
    place: options.place ?? { zone: undefined, region: undefined },
    findChallenge: options.findChallenge,
    overload: { maxRequests: 20_000, lagMs: 250, ...options.overload },
    sessionKey: options.sessionKey,
  };
}
