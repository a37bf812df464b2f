import type { ProbeResult } from '../model/check.ts';
import type { Status } from '../model/status.ts';

/** What rise and fall are counted on. */
export interface CheckHealth {
  readonly status: Status;
  readonly consecutiveSuccesses: number;
  readonly consecutiveFailures: number;
}

/** How many equal answers in a row it takes to believe. */
export interface CheckThresholds {
  readonly rise: number;
  readonly fall: number;
}

/** Where a check starts: `unknown` for a new one, the last known status after a restart. */
export function initialCheckHealth(status: Status = 'unknown'): CheckHealth {
  return { status, consecutiveSuccesses: 0, consecutiveFailures: 0 };
}

/**
 * The next state after one answer. A warning counts as a success. From `unknown` the first success is believed at once
 * (nothing is taken back by it); from `critical` it takes `rise` of them; it takes `fall` failures to become `critical`.
 */
export function reduceCheck(
  health: CheckHealth,
  answer: ProbeResult['status'],
  thresholds: CheckThresholds,
): CheckHealth {
  if (answer === 'critical') {
    const consecutiveFailures = health.consecutiveFailures + 1;
    const status = consecutiveFailures >= thresholds.fall ? 'critical' : health.status;
    return { status, consecutiveSuccesses: 0, consecutiveFailures };
  }
  const consecutiveSuccesses = health.consecutiveSuccesses + 1;
  const believed = health.status !== 'critical' || consecutiveSuccesses >= thresholds.rise;
  const status = believed ? answer : health.status;
  return { status, consecutiveSuccesses, consecutiveFailures: 0 };
}
