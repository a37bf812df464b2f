import type { OutlierOptions } from '../resilience/outlier-detection.ts';
import type { RetryBudgetOptions } from '../resilience/retry-budget.ts';
import type { Labels } from './instance.ts';
import type { BalancerName, CallerKey } from './route.ts';

/** How the gateway speaks to a service's instances. */
export interface TransportPolicy {
  /** `auto`: HTTP/2 where TLS agrees on it, else HTTP/1.1; absent: what the instance's `protocol` label says, else HTTP/1.1. */
  readonly protocol?: 'http/1.1' | 'h2' | 'auto';
  readonly tls?: {
    /** Absent: the instance's host name; needed where instances are IP addresses. */
    readonly serverName?: string;
    /** PEM files on the gateway's machine, read at a change of the policy and on reload. Absent: the system's authorities. */
    readonly caFile?: string;
    readonly certFile?: string;
    readonly keyFile?: string;
    /** Default true. */
    readonly verify?: boolean;
  };
  /** Tells the client's address ahead of the first byte. */
  readonly proxyProtocol?: 1 | 2;
  readonly connectTimeoutMs?: number;
}

/** What the gateway takes for one service at once; more is answered 503 at once. */
export interface CircuitLimits {
  readonly maxRequests?: number;
  readonly maxRetries?: number;
  readonly maxRequestsPerEndpoint?: number;
  /** More requests than that many connections carry wait for one of them. */
  readonly maxConnectionsPerEndpoint?: number;
  /** How many may wait for a connection, one that is being made included. */
  readonly maxPendingPerEndpoint?: number;
}

/** Nearer instances first. An instance says where it is by its labels `zone` and `region`. */
export interface LocalityPolicy {
  /** Prefers the gateway's own zone, then its region; spills over when the share of usable instances there falls below `spillBelow`. */
  readonly preferLocal?: boolean;
  /** Share (0 to 1) of usable local instances under which the rest of the traffic goes farther; default 0.7 (Envoy's overprovisioning 1.4). */
  readonly spillBelow?: number;
  /** Regions in the order to fail over to. */
  readonly failover?: readonly string[];
}

/** A caller stays with its instance by a signed cookie, for as long as the instance takes requests. */
export interface SessionAffinity {
  readonly cookie: string;
  /** 0: for the browser's session. */
  readonly ttlMs: number;
  readonly path?: string;
  readonly sameSite?: 'strict' | 'lax' | 'none';
}

/** What may differ between the subsets of a service. */
export interface TrafficSettings {
  readonly balancer?: BalancerName;
  /** For ring-hash and maglev. */
  readonly hash?: CallerKey;
  /** A new or returned endpoint's share grows over this time. */
  readonly slowStartMs?: number;
  readonly locality?: LocalityPolicy;
  readonly affinity?: SessionAffinity;
  readonly limits?: CircuitLimits;
  readonly outlier?: Partial<OutlierOptions>;
  /** Below this share (0 to 1) of usable endpoints all are tried again; 0: only when none is left. */
  readonly panicShare?: number;
  readonly retryBudget?: Partial<RetryBudgetOptions>;
  readonly transport?: TransportPolicy;
}

/** How traffic reaches one service: its subsets and how the gateway treats its instances. One a service. */
export interface TrafficPolicy extends TrafficSettings {
  readonly service: string;
  readonly namespace: string;
  readonly group: string;
  readonly subsets: Readonly<Record<string, { readonly labels: Labels } & TrafficSettings>>;
}

/** A stored policy with the revision that wrote it. */
export interface StoredTrafficPolicy extends TrafficPolicy {
  readonly createRevision: number;
  readonly modifyRevision: number;
}
