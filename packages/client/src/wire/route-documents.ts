import type {
  BalancerName,
  Compression,
  DirectResponse,
  FieldMatch,
  ForwardAuth,
  HeaderEdits,
  PathMatch,
  RateLimit,
  Redirect,
  RetryCondition,
  RetryPolicy,
  Route,
  SessionAffinity,
  StoredTrafficPolicy,
  TextMatch,
  TrafficSettings,
  TransportPolicy,
} from '@portolan/core';
import type { WireDuration } from './documents.ts';

/** Text has to be equal; the other forms as they say. */
export type FieldMatchDocument = string | FieldMatch;

export interface DestinationRefDocument {
  readonly service: string;
  readonly namespace?: string;
  readonly group?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** A subset that the service's traffic policy names. */
  readonly subset?: string;
}

export interface DestinationDocument extends DestinationRefDocument {
  readonly weight?: number;
  readonly requestHeaders?: HeaderEdits;
  readonly responseHeaders?: HeaderEdits;
}

export interface RouteMatchDocument {
  /** Text is a prefix. */
  readonly path?: string | PathMatch;
  readonly ignorePathCase?: boolean;
  readonly methods?: readonly string[];
  readonly headers?: Readonly<Record<string, FieldMatchDocument>>;
  readonly withoutHeaders?: Readonly<Record<string, FieldMatchDocument>>;
  readonly query?: Readonly<Record<string, FieldMatchDocument>>;
  readonly sources?: readonly string[];
  readonly scheme?: 'http' | 'https';
}

/** What makes two requests the same caller's: exactly one of the first four. */
export interface CallerBody {
  readonly header?: string;
  readonly query?: string;
  readonly cookie?: string;
  readonly source?: true;
  /** Of the cookie: the gateway sets it when it is not there. */
  readonly ttl?: WireDuration;
  readonly path?: string;
}

/** A route to put. */
export interface RouteBody {
  readonly hosts?: readonly string[];
  readonly match?: RouteMatchDocument | readonly RouteMatchDocument[];
  readonly priority?: number;
  /** Or `redirect`, or `answer`. */
  readonly to?: readonly DestinationDocument[];
  readonly redirect?: Partial<Redirect>;
  readonly answer?: DirectResponse;
  readonly rewrite?: {
    readonly prefix?: string;
    readonly host?: string;
    readonly pattern?: string;
    readonly substitution?: string;
  };
  readonly requestHeaders?: HeaderEdits;
  readonly responseHeaders?: HeaderEdits;
  readonly timeout?: WireDuration;
  readonly idleTimeout?: WireDuration;
  readonly retries?: {
    readonly attempts: number;
    readonly perTryTimeout?: WireDuration;
    readonly on?: readonly RetryCondition[];
    readonly statuses?: readonly number[];
    readonly anyMethod?: boolean;
    readonly backoff?: { readonly base: WireDuration; readonly max?: WireDuration };
  };
  readonly hedge?: { readonly delay: WireDuration; readonly attempts?: number };
  /** `share` from 0 to 1. */
  readonly mirrors?: readonly (DestinationRefDocument & { readonly share?: number })[];
  readonly fault?: {
    readonly delay?: { readonly duration: WireDuration; readonly share?: number };
    readonly abort?: { readonly status: number; readonly share?: number };
  };
  readonly cors?: {
    readonly origins: readonly (string | TextMatch)[];
    readonly methods?: readonly string[];
    readonly headers?: readonly string[];
    readonly exposeHeaders?: readonly string[];
    readonly maxAge?: WireDuration;
    readonly credentials?: boolean;
  };
  readonly sticky?: CallerBody;
  readonly rateLimits?: readonly {
    readonly by?: RateLimit['by'];
    readonly requests: number;
    readonly period: WireDuration;
    readonly burst?: number;
  }[];
  readonly bodyLimitBytes?: number;
  readonly compression?: true | Partial<Compression>;
  readonly auth?: DestinationRefDocument & {
    readonly path?: string;
    readonly appendPath?: boolean;
    readonly requestHeaders?: readonly string[];
    readonly copyHeaders?: readonly string[];
    readonly timeout?: WireDuration;
    readonly failOpen?: boolean;
  };
  readonly balancer?: BalancerName;
  readonly hash?: CallerBody;
}

/** A route in answers, complete with defaults; members that are not named here are as `Route` has them. */
export interface RouteDocument
  extends Omit<
    Route,
    | 'matches'
    | 'destinations'
    | 'rewritePrefix'
    | 'rewriteHost'
    | 'rewriteRegex'
    | 'timeoutMs'
    | 'retries'
    | 'mirrors'
    | 'auth'
    | 'balancer'
  > {
  readonly match: readonly RouteMatchDocument[];
  readonly to: readonly DestinationDocument[];
  readonly rewrite?: {
    readonly prefix?: string | null;
    readonly host?: string | null;
    readonly pattern?: string;
    readonly substitution?: string;
  } | null;
  readonly timeoutMs?: number | null;
  readonly retries?:
    | (Omit<RetryPolicy, 'perTryTimeoutMs'> & { readonly perTryTimeoutMs?: number | null })
    | null;
  readonly mirrors?: readonly (DestinationRefDocument & { readonly share: number })[];
  readonly auth?: DestinationRefDocument & Omit<ForwardAuth, 'service'>;
  readonly balancer?: BalancerName | null;
  readonly createRevision: number;
  readonly modifyRevision: number;
}

/** How a service's instances are treated; what is not said is as the gateway's configuration has it. */
export interface TrafficSettingsBody
  extends Omit<TrafficSettings, 'hash' | 'slowStartMs' | 'affinity' | 'outlier' | 'transport'> {
  readonly hash?: CallerBody;
  readonly slowStart?: WireDuration;
  readonly affinity?: Omit<SessionAffinity, 'ttlMs'> & { readonly ttl?: WireDuration };
  readonly outlier?: {
    readonly consecutiveFailures?: number;
    readonly baseEjection?: WireDuration;
    readonly maxEjection?: WireDuration;
    readonly maxEjectedShare?: number;
    readonly consecutive5xx?: number;
    readonly interval?: WireDuration;
    readonly successRateDeviations?: number;
    readonly successRateRequests?: number;
    readonly successRateEndpoints?: number;
  };
  readonly transport?: Omit<TransportPolicy, 'connectTimeoutMs'> & {
    readonly connectTimeout?: WireDuration;
  };
}

/** A traffic policy to put. */
export interface PolicyBody extends TrafficSettingsBody {
  readonly subsets?: Readonly<
    Record<string, { readonly labels: Readonly<Record<string, string>> } & TrafficSettingsBody>
  >;
}

/** A traffic policy in answers. */
export type PolicyDocument = StoredTrafficPolicy;

/** What `apply` writes and deletes: bodies with what they are called. */
export interface ApplyBody {
  readonly routes?: readonly (RouteBody & { readonly name: string; readonly namespace?: string })[];
  readonly policies?: readonly (PolicyBody & {
    readonly service: string;
    readonly namespace?: string;
    readonly group?: string;
  })[];
  readonly delete?: {
    readonly routes?: readonly {
      readonly name: string;
      readonly namespace?: string;
      /** Only at this revision. */
      readonly revision?: number;
    }[];
    readonly policies?: readonly {
      readonly service: string;
      readonly namespace?: string;
      readonly group?: string;
      readonly revision?: number;
    }[];
  };
}

export interface ApplyAnswer {
  /** Policies first, then routes, then what was deleted. */
  readonly applied: readonly {
    readonly kind: 'route' | 'policy';
    /** A policy's is its service's. */
    readonly name: string;
    readonly namespace: string;
    readonly group?: string;
    readonly outcome: 'created' | 'configured' | 'unchanged' | 'deleted';
  }[];
  readonly dryRun: boolean;
  readonly revision: number;
}
