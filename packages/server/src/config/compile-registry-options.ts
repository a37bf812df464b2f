import type { RegistryOptionsInput } from '@portolan/registry';
import type { PortolanConfig } from './schema.ts';

/** The `registry` section in the registry's own words. */
export function compileRegistryOptions({ registry }: PortolanConfig): RegistryOptionsInput {
  const { leases, checks, protection } = registry;
  return {
    leases: {
      default: { heartbeatMs: leases.default.heartbeat, ttlMs: leases.default.ttl },
      fast: { heartbeatMs: leases.fast.heartbeat, ttlMs: leases.fast.ttl },
      defaultProfile: leases.defaultProfile,
    },
    checks: {
      intervalMs: checks.interval,
      timeoutMs: checks.timeout,
      rise: checks.rise,
      fall: checks.fall,
      maxConcurrent: checks.maxConcurrent,
      jitterShare: checks.jitterShare,
    },
    protection: {
      enabled: protection.enabled,
      minInstances: protection.minInstances,
      maxLossShare: protection.maxLossShare,
      windowMs: protection.window,
      maxDurationMs: protection.maxDuration,
      steadyMs: protection.steady,
      evictShare: protection.evictShare,
    },
    onAddressConflict: registry.onAddressConflict,
    events: registry.events,
  };
}
