import type { Labels } from './instance.ts';
import type { FieldMatch, PathMatch, TextMatch } from './text-match.ts';

/** Exact host, or `*.suffix` for exactly the hosts below it. Lower case, without port. */
export type HostPattern = string;

/** All present conditions must hold. */
export interface RouteMatch {
  readonly path?: PathMatch;
  /** Compares the path without regard to case. */
  readonly ignorePathCase?: boolean;
  /** Upper case; absent: any. */
  readonly methods?: readonly string[];
  /** By lower-case field name. */
  readonly headers?: Readonly<Record<string, FieldMatch>>;
  /** None of these may hold. By lower-case field name. */
  readonly withoutHeaders?: Readonly<Record<string, FieldMatch>>;
  /** By parameter name, as decoded; the first value of a name counts. */
  readonly query?: Readonly<Record<string, FieldMatch>>;
  /** IP networks, one of which has to hold the client's address (behind trusted proxies: the one they tell). */
  readonly sources?: readonly string[];
  readonly scheme?: 'http' | 'https';
}

/** Some instances: those of a service, or of the subset of it that carries the labels. */
export interface DestinationRef {
  readonly service: string;
  readonly namespace: string;
  readonly group: string;
  /** Every label must be equal; empty: the whole service. */
  readonly subset: Labels;
  /** A subset that the service's traffic policy names; its labels hold beside `subset`. */
  readonly subsetName?: string;
}

/** Where a share of a route's traffic goes. */
export interface Destination extends DestinationRef {
  /** Relative share, 0 to 1,000,000. */
  readonly weight: number;
  readonly requestHeaders?: HeaderEdits;
  readonly responseHeaders?: HeaderEdits;
}

/** Changes to a head, in this order: remove, set, add. Names in any case, values checked. */
export interface HeaderEdits {
  readonly remove?: readonly string[];
  readonly set?: Readonly<Record<string, string>>;
  readonly add?: Readonly<Record<string, string>>;
}

/**
 * What may be tried again. `connect-failure`: nothing was sent. `reset`: the connection was lost before an answer.
 * `gateway-error`: 502, 503, 504. `5xx`: any of those, and the three before. `retriable-4xx`: 409. `per-try-timeout`.
 * The gRPC ones look at `grpc-status` in a head without body.
 */
export type RetryCondition = (typeof RETRY_CONDITIONS)[number];

export const RETRY_CONDITIONS = [
  'connect-failure',
  'refused-stream',
  'reset',
  'per-try-timeout',
  'gateway-error',
  '5xx',
  'retriable-4xx',
  'grpc-cancelled',
  'grpc-deadline-exceeded',
  'grpc-internal',
  'grpc-resource-exhausted',
  'grpc-unavailable',
] as const;

export interface RetryPolicy {
  /** Tries after the first one. */
  readonly attempts: number;
  readonly perTryTimeoutMs?: number;
  /** Default: connect-failure, refused-stream, reset, per-try-timeout. */
  readonly on?: readonly RetryCondition[];
  /** Statuses that are tried again as well. */
  readonly statuses?: readonly number[];
  /** Also methods that are not idempotent; the route's author says that they are safe. */
  readonly anyMethod?: boolean;
  /** Full jitter between 0 and `baseMs` × 2ⁿ, at most `maxMs`; only where an endpoint is tried that failed before, unless set. */
  readonly backoff?: { readonly baseMs: number; readonly maxMs: number };
}

/** A second try beside a slow first one, for idempotent requests without a body; the first answer wins. */
export interface HedgePolicy {
  readonly delayMs: number;
  /** Tries beside the first, each `delayMs` after the one before. */
  readonly attempts: number;
}

/** What makes two requests the same caller's. */
export type CallerKey =
  | { readonly kind: 'header'; readonly name: string }
  | { readonly kind: 'query'; readonly name: string }
  | { readonly kind: 'source' }
  /** With `ttlMs` the gateway sets the cookie when it is not there (0: for the session). */
  | {
      readonly kind: 'cookie';
      readonly name: string;
      readonly ttlMs?: number;
      readonly path?: string;
    };

export interface Redirect {
  readonly status: 301 | 302 | 303 | 307 | 308;
  readonly scheme?: 'http' | 'https';
  readonly host?: string;
  /** Absent: the scheme's own. */
  readonly port?: number;
  readonly path?: string;
  /** In place of what matched. */
  readonly prefix?: string;
}

/** An answer without any upstream. */
export interface DirectResponse {
  readonly status: number;
  readonly body?: string;
  readonly contentType?: string;
}

export interface FaultInjection {
  /** Shares from 0 to 1. */
  readonly delay?: { readonly durationMs: number; readonly share: number };
  readonly abort?: { readonly status: number; readonly share: number };
}

export interface CorsPolicy {
  /** `{ exact: '*' }` allows any origin (not with credentials). */
  readonly origins: readonly TextMatch[];
  readonly methods?: readonly string[];
  readonly headers?: readonly string[];
  readonly exposeHeaders?: readonly string[];
  readonly maxAgeMs?: number;
  readonly credentials?: boolean;
}

/** A token bucket: `requests` each `periodMs`, with room for `burst`. */
export interface RateLimit {
  /** One bucket for the route, one for each client address, or one for each value of a header (absent: none). */
  readonly by: 'route' | 'address' | { readonly header: string };
  readonly requests: number;
  readonly periodMs: number;
  readonly burst?: number;
}

/** Asks another service whether a request may pass: 2xx lets it, anything else is the answer. */
export interface ForwardAuth {
  readonly service: DestinationRef;
  /** Path asked for, with the original's appended when `appendPath`. */
  readonly path: string;
  readonly appendPath?: boolean;
  /** Request fields sent along besides the forwarded ones; absent: all but framing and hop-by-hop. */
  readonly requestHeaders?: readonly string[];
  /** Fields of a 2xx answer that replace those of the request; taken out of the client's request first, always. */
  readonly copyHeaders?: readonly string[];
  readonly timeoutMs: number;
  /** Let requests pass when the service fails; default false: 503. */
  readonly failOpen?: boolean;
}

export type CompressionCoding = 'zstd' | 'br' | 'gzip';
export interface Compression {
  readonly codings: readonly CompressionCoding[];
  readonly minBytes: number;
  /** Media types, or `text/*`. */
  readonly types: readonly string[];
}

export const BALANCER_NAMES = [
  'weighted-round-robin',
  'least-request',
  'random',
  'ewma',
  'ring-hash',
  'maglev',
] as const;

export type BalancerName = (typeof BALANCER_NAMES)[number];

/** A stored route, complete with defaults. Names are unique within a namespace. */
export interface Route {
  readonly name: string;
  readonly namespace: string;
  /** Empty: any host. */
  readonly hosts: readonly HostPattern[];
  /** Any one must match; empty: every request. */
  readonly matches: readonly RouteMatch[];
  /** Among routes of one host a higher one is tried first, however specific the others are. Default 0. */
  readonly priority?: number;
  /** Empty only with `redirect` or `answer`. */
  readonly destinations: readonly Destination[];
  readonly redirect?: Redirect;
  readonly answer?: DirectResponse;
  /** Replaces the matched path prefix (or the exact path) before forwarding. */
  readonly rewritePrefix?: string;
  /** Replaces what the pattern matches in the path; `\1` in the substitution is the first group. */
  readonly rewriteRegex?: { readonly pattern: string; readonly substitution: string };
  readonly rewriteHost?: string;
  readonly requestHeaders?: HeaderEdits;
  readonly responseHeaders?: HeaderEdits;
  /** Whole exchange, from head received to last byte; absent: the gateway's default. */
  readonly timeoutMs?: number;
  /** Without a byte in either direction. */
  readonly idleTimeoutMs?: number;
  readonly retries?: RetryPolicy;
  readonly hedge?: HedgePolicy;
  /** Copies whose answers are thrown away; share from 0 to 1. */
  readonly mirrors?: readonly (DestinationRef & { readonly share: number })[];
  readonly fault?: FaultInjection;
  readonly cors?: CorsPolicy;
  /** The same caller stays with the same destination for as long as the weights allow it. */
  readonly sticky?: CallerKey;
  readonly rateLimits?: readonly RateLimit[];
  /** Larger bodies are refused with 413. */
  readonly bodyLimitBytes?: number;
  readonly compression?: Compression;
  readonly auth?: ForwardAuth;
  /** Absent: the service's traffic policy, then the gateway's default. */
  readonly balancer?: BalancerName;
  /** For ring-hash and maglev. */
  readonly hash?: CallerKey;
  /** Provider that keeps it; absent: whoever wrote it. A write through the API takes it over. */
  readonly owner?: string;
}

/** A stored route with the revision that wrote it. */
export interface StoredRoute extends Route {
  readonly createRevision: number;
  readonly modifyRevision: number;
}
