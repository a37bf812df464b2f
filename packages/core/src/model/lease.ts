/**
 * How long an instance lives without a heartbeat.
 * `default`: heartbeat every 30 s, expired after 90 s. `fast`: 5 s and 10 s. `custom`: as given.
 */
export interface LeaseSpec {
  readonly profile: 'default' | 'fast' | 'custom';
  /** Interval at which the registrant should renew. */
  readonly heartbeatMs: number;
  /** The instance expires when this long has passed since the last renewal. */
  readonly ttlMs: number;
}

export const LEASE_PROFILES: Readonly<Record<'default' | 'fast', LeaseSpec>> = {
  default: { profile: 'default', heartbeatMs: 30_000, ttlMs: 90_000 },
  fast: { profile: 'fast', heartbeatMs: 5_000, ttlMs: 10_000 },
};
