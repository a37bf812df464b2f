import type {
  Condition,
  ExplainedState,
  Labels,
  Problem,
  RegistryEvent,
  Status,
  TermReason,
} from '@portolan/core';

/** A duration as the API takes it: `"10s"`, `"1m30s"`, or a number of seconds. */
export type WireDuration = string | number;

/** A check to register: exactly one of `http`, `tcp`, `grpc`, `ttl`. */
export interface CheckBody {
  readonly id?: string;
  readonly http?: string;
  readonly tcp?: string;
  readonly grpc?: string;
  readonly ttl?: WireDuration;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly expectStatus?: string | number | readonly (string | number)[];
  readonly bodyContains?: string;
  readonly tls?: boolean;
  readonly tlsSkipVerify?: boolean;
  readonly interval?: WireDuration;
  readonly timeout?: WireDuration;
  readonly rise?: number;
  readonly fall?: number;
  readonly deregisterAfter?: WireDuration;
}

export interface RegistrationBody {
  readonly service: string;
  readonly address: string;
  readonly port: number;
  readonly id?: string;
  readonly namespace?: string;
  readonly group?: string;
  readonly tags?: readonly string[];
  readonly metadata?: Readonly<Record<string, string>>;
  readonly weight?: number;
  readonly status?: string;
  readonly ttl?: WireDuration;
  readonly lease?:
    | 'default'
    | 'fast'
    | 'none'
    | { readonly ttl: WireDuration; readonly heartbeat?: WireDuration };
  readonly checks?: readonly CheckBody[];
  readonly preflight?: boolean;
  /** The service has to be exclusive: at most one of its instances is active. */
  readonly exclusive?: boolean;
}

/** What an instance of an exclusive service is. */
export interface RoleDocument {
  readonly role: 'active' | 'standby';
  /** Grows with every hand-over: what an active instance shows to the resources it uses. */
  readonly term: number;
  readonly active: string | null;
}

/** Who is active in an exclusive service. */
export interface TermDocument {
  readonly term: number;
  readonly active: string | null;
  readonly since: string | null;
  readonly reason: TermReason | null;
}

export interface ServiceSettingsBody {
  readonly exclusive: boolean;
}

export interface ServiceSettingsDocument extends ServiceSettingsBody {
  readonly service: string;
  readonly namespace: string;
  readonly group: string;
  readonly createRevision: number;
  /** 0 where nothing is settled. */
  readonly modifyRevision: number;
}

export interface HandOverAnswer extends TermDocument {
  readonly service: string;
  readonly namespace: string;
  readonly group: string;
}

export interface CheckDocument {
  readonly id: string;
  readonly kind: 'http' | 'tcp' | 'grpc' | 'ttl' | 'script';
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly rise: number;
  readonly fall: number;
  readonly deregisterAfterMs: number | null;
  readonly target: string | null;
  /** The rest only in the answer for one instance. */
  readonly status?: Status;
  readonly output?: string;
  readonly lastProbeAt?: string | null;
  readonly consecutiveSuccesses?: number;
  readonly consecutiveFailures?: number;
}

export interface IntentDocument {
  readonly enabled: boolean;
  readonly weight: number | null;
  readonly maintenance: { readonly reason: string } | null;
}

export interface InstanceDocument {
  readonly id: string;
  readonly service: string;
  readonly namespace: string;
  readonly group: string;
  readonly address: string;
  readonly port: number;
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly weight: number;
  readonly effectiveWeight: number;
  readonly status: Status;
  readonly statusReason: string;
  readonly routable: boolean;
  readonly protected: boolean;
  /** In an exclusive service. */
  readonly exclusive?: RoleDocument;
  readonly intent: IntentDocument;
  readonly lease: {
    readonly profile: 'default' | 'fast' | 'custom';
    readonly heartbeatMs: number;
    readonly ttlMs: number;
    /** Only in the answer for one instance. */
    readonly remainingMs?: number;
  } | null;
  readonly checks: readonly CheckDocument[];
  /** Provider that keeps it registered. */
  readonly owner?: string;
  readonly condition?: Condition;
  readonly registeredAt: string;
  readonly createRevision: number;
  readonly modifyRevision: number;
}

export interface ViewDocument {
  readonly service: string;
  readonly namespace: string;
  readonly group: string;
  readonly revision: number;
  readonly protection: { readonly since: string; readonly kept: number } | null;
  readonly exclusive?: TermDocument;
  readonly instances: readonly InstanceDocument[];
}

export interface ServiceDocument {
  readonly service: string;
  readonly namespace: string;
  readonly group: string;
  readonly instances: number;
  readonly routable: number;
  readonly protected: boolean;
  readonly exclusive?: boolean;
  readonly revision: number;
}

export interface RegisterAnswer {
  readonly instance: InstanceDocument;
  readonly created: boolean;
  readonly changed: boolean;
  readonly superseded: string | null;
  readonly revision: number;
  /** Null when the instance has no lease. */
  readonly heartbeatMs: number | null;
}

export interface ProblemDocument {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly errors?: readonly Problem[];
}

export type BatchAnswerItem =
  | {
      readonly ok: true;
      readonly id: string;
      readonly created: boolean;
      readonly changed: boolean;
      readonly revision: number;
    }
  | { readonly ok: false; readonly error: ProblemDocument };

export interface HeartbeatBody {
  /** Merged key by key; null removes a key. */
  readonly metadata?: Readonly<Record<string, string | null>>;
  readonly status?: 'passing' | 'warning' | 'critical';
  readonly checkId?: string;
  readonly output?: string;
}

export interface HeartbeatAnswer {
  readonly id: string;
  readonly ttlMs: number | null;
  readonly status: Status;
  readonly exclusive?: RoleDocument;
}

export interface InstanceFilter {
  readonly status?: string;
  readonly tag?: string;
  readonly zone?: string;
  readonly group?: string;
  readonly routable?: boolean;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** What would become of a request; what does not apply is null. */
export interface ExplanationDocument {
  readonly outcome: 'forward' | 'redirect' | 'answer' | 'refused';
  readonly refusal: {
    readonly code: string;
    readonly status: number;
    readonly message: string;
  } | null;
  readonly request: {
    readonly method: string;
    readonly host: string;
    readonly path: string;
    readonly query: string;
    readonly scheme: 'http' | 'https';
    readonly clientIp: string;
  } | null;
  /** Routes that did not hold, each with the first condition that failed. */
  readonly passedOver: readonly {
    readonly route: string;
    readonly path: string;
    readonly failed: string;
  }[];
  readonly passedOverMore: number;
  readonly route: {
    readonly name: string;
    readonly configured: boolean;
    readonly path: string;
    /** Outermost first; none of them was asked. */
    readonly filters: readonly string[];
  } | null;
  readonly redirect: { readonly status: number; readonly location: string } | null;
  readonly answer: { readonly status: number } | null;
  readonly forwarded: { readonly host: string; readonly target: string } | null;
  readonly sticky: {
    readonly by: 'header' | 'query' | 'source' | 'cookie';
    readonly name: string | null;
    readonly caller: string | null;
  } | null;
  readonly destinations: readonly {
    readonly service: string;
    readonly namespace: string;
    readonly group: string;
    readonly subset: string | null;
    readonly labels: Labels;
    readonly weight: number;
    /** From 0 to 1, of requests like this one. */
    readonly share: number;
    readonly balancer: string;
    readonly panicking: boolean;
    readonly endpoints: readonly {
      readonly id: string;
      readonly address: string;
      readonly port: number;
      readonly weight: number;
      readonly state: ExplainedState;
      readonly active: number;
      readonly reason: string | null;
      /** From 0 to 1; null where the balancer goes by more than weights. */
      readonly share: number | null;
    }[];
  }[];
}

/** One change on `/events`, its members as `RegistryEvent` names them. */
export interface EventDocument {
  readonly type: RegistryEvent['type'];
  readonly revision: number;
  readonly at?: string;
  readonly atMs?: number;
  readonly service?: unknown;
  readonly instance?: InstanceDocument;
  readonly [member: string]: unknown;
}

export interface StatusDocument {
  readonly version: string;
  readonly role: string;
  readonly [member: string]: unknown;
}

/** A webhook to put. */
export interface WebhookBody {
  /** Absolute http or https URL. */
  readonly url: string;
  /** Signs the deliveries; 16 to 256 characters; never sent back. */
  readonly secret: string;
  /** Default: all. */
  readonly events?: readonly RegistryEvent['type'][];
  readonly namespace?: string;
  readonly service?: string;
}

/** A webhook in answers. */
export interface WebhookDocument {
  readonly id: string;
  readonly url: string;
  readonly events: readonly string[];
  readonly namespace: string | null;
  readonly service: string | null;
  readonly createRevision: number;
  readonly modifyRevision: number;
}

export interface WebhookFailureDocument {
  readonly deliveryId: string;
  readonly revision: number;
  readonly at: string;
  readonly attempts: number;
  /** `dropped`: never tried, for lack of room. */
  readonly outcome: 'failed' | 'dropped';
  readonly reason: string;
}
