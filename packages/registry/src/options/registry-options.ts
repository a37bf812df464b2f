import { type CheckSchedule, DEFAULT_CHECK_SCHEDULE } from '@portolan/core';

export interface LeaseTimes {
  readonly heartbeatMs: number;
  readonly ttlMs: number;
}

export interface LeaseOptions {
  readonly default: LeaseTimes;
  readonly fast: LeaseTimes;
  /** Profile of a registration that names neither lease nor check. */
  readonly defaultProfile: 'default' | 'fast' | 'none';
}

export interface CheckOptions extends CheckSchedule {
  /** Probes under way at the same time. */
  readonly maxConcurrent: number;
  /** A probe starts up to this share of its interval early or late; it does not add up. */
  readonly jitterShare: number;
  /** After a restart the first probes are spread over this time (or one interval, if shorter). */
  readonly restartSpreadMs: number;
}

/** When too large a share of a service would vanish at once, its instances are kept. */
export interface ProtectionOptions {
  readonly enabled: boolean;
  /** Services with fewer healthy instances are never protected. */
  readonly minInstances: number;
  /** Losing more than this share within the window protects. */
  readonly maxLossShare: number;
  readonly windowMs: number;
  /** After this long the loss is believed and evicted step by step. */
  readonly maxDurationMs: number;
  /** The loss is believed as soon as the remaining instances were steady for this long. */
  readonly steadyMs: number;
  /** While evicting: at most this share of the kept instances a second (at least one). */
  readonly evictShare: number;
}

export interface RegistryOptions {
  readonly leases: LeaseOptions;
  readonly checks: CheckOptions;
  readonly protection: ProtectionOptions;
  /** What happens when a second id claims an address and port of a service. */
  readonly onAddressConflict: 'supersede' | 'reject';
  readonly events: { readonly windowSize: number };
  /** Removed services remembered for watchers that resume. */
  readonly tombstones: { readonly max: number };
  /** Most status changes and expiries in one commit, so that writes of callers get in between. */
  readonly transitions: { readonly batchSize: number };
}

/** As `RegistryOptions`, everything optional. */
export type RegistryOptionsInput = {
  readonly [K in keyof RegistryOptions]?: RegistryOptions[K] extends object
    ? Partial<RegistryOptions[K]>
    : RegistryOptions[K];
};

export const DEFAULT_REGISTRY_OPTIONS: RegistryOptions = {
  leases: {
    default: { heartbeatMs: 30_000, ttlMs: 90_000 },
    fast: { heartbeatMs: 5_000, ttlMs: 10_000 },
    defaultProfile: 'default',
  },
  checks: {
    ...DEFAULT_CHECK_SCHEDULE,
    maxConcurrent: 2_048,
    jitterShare: 0.05,
    restartSpreadMs: 5_000,
  },
  protection: {
    enabled: true,
    minInstances: 4,
    maxLossShare: 0.5,
    windowMs: 60_000,
    maxDurationMs: 900_000,
    steadyMs: 120_000,
    evictShare: 0.1,
  },
  onAddressConflict: 'supersede',
  events: { windowSize: 10_000 },
  tombstones: { max: 10_000 },
  transitions: { batchSize: 256 },
};

/** Fills what is absent from the defaults. */
export function resolveRegistryOptions(input: RegistryOptionsInput = {}): RegistryOptions {
  const base = DEFAULT_REGISTRY_OPTIONS;
  return {
    leases: { ...base.leases, ...input.leases },
    checks: { ...base.checks, ...input.checks },
    protection: { ...base.protection, ...input.protection },
    onAddressConflict: input.onAddressConflict ?? base.onAddressConflict,
    events: { ...base.events, ...input.events },
    tombstones: { ...base.tombstones, ...input.tombstones },
    transitions: { ...base.transitions, ...input.transitions },
  };
}
