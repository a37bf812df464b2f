import type { Random } from '../ports/clock.ts';

export interface BackoffOptions {
  readonly baseMs: number;
  readonly maxMs: number;
}

/** Envoy's for retries. */
export const DEFAULT_RETRY_BACKOFF: BackoffOptions = { baseMs: 25, maxMs: 250 };

/** Exponential back-off with full jitter: uniform in [0, min(maxMs, baseMs × 2^attempt)); `attempt` counts from 0. */
export function backoffMs(attempt: number, options: BackoffOptions, random: Random): number {
  return random() * Math.min(options.maxMs, options.baseMs * 2 ** Math.min(attempt, 52));
}
