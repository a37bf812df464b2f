import type { Labels } from './instance.ts';

/** Exact host, or `*.suffix` for exactly the hosts below it. Lower case, without port. */
export type HostPattern = string;

export type PathMatch = { readonly exact: string } | { readonly prefix: string };

/** All present conditions must hold. */
export interface RouteMatch {
  readonly path?: PathMatch;
  /** Upper case; absent: any. */
  readonly methods?: readonly string[];
  /** Lower-case field name to exact value. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Where a share of a route's traffic goes: a service, or the subset of it that carries the labels. */
export interface Destination {
  readonly service: string;
  readonly namespace: string;
  readonly group: string;
  /** Every label must be equal; empty: the whole service. */
  readonly subset: Labels;
  /** Relative share, 0 to 1,000,000. */
  readonly weight: number;
}

export interface RetryPolicy {
  /** Tries after the first one. */
  readonly attempts: number;
  readonly perTryTimeoutMs?: number;
}

export type BalancerName = 'weighted-round-robin' | 'least-request';

/** A stored route, complete with defaults. Names are unique within a namespace. */
export interface Route {
  readonly name: string;
  readonly namespace: string;
  /** Empty: any host. */
  readonly hosts: readonly HostPattern[];
  /** Any one must match; empty: every request. */
  readonly matches: readonly RouteMatch[];
  readonly destinations: readonly Destination[];
  /** Replaces the matched path prefix (or the exact path) before forwarding. */
  readonly rewritePrefix?: string;
  readonly rewriteHost?: string;
  /** Whole exchange, from head received to last byte; absent: the gateway's default. */
  readonly timeoutMs?: number;
  readonly retries?: RetryPolicy;
  readonly balancer?: BalancerName;
}

/** A stored route with the revision that wrote it. */
export interface StoredRoute extends Route {
  readonly createRevision: number;
  readonly modifyRevision: number;
}
