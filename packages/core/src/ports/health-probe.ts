import type { ProbeConfig, ProbeKind, ProbeResult } from '../model/check.ts';
import type { Registration } from '../model/instance.ts';

/**
 * Stateless; interval, jitter, rise and fall belong to the scheduler. Unhealthy is a result; a rejection means that the
 * probe itself is broken. Must settle soon after `signal` aborts (the scheduler's timeout), as `critical`.
 */
export interface HealthProbe<C extends ProbeConfig = ProbeConfig> {
  readonly kind: ProbeKind;
  check(target: Registration, config: C, signal: AbortSignal): Promise<ProbeResult>;
}
