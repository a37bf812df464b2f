import type { Clock, Random } from '@portolan/core';

export interface BackoffOptions {
  readonly baseMs: number;
  readonly capMs: number;
}

/** Exponential back-off with full jitter: uniform between a small floor and `base · 2^failures`, at most `cap`. */
export function backoffDelayMs(failures: number, options: BackoffOptions, random: Random): number {
  const ceiling = Math.min(options.capMs, options.baseMs * 2 ** Math.min(failures, 30));
  return Math.max(options.baseMs / 4, random() * ceiling);
}

/** The back-off, but not before the registry asks for it, and up to half as long again: others were asked as well. */
export function retryDelayMs(
  failures: number,
  options: BackoffOptions,
  random: Random,
  retryAfterMs = 0,
): number {
  return Math.max(backoffDelayMs(failures, options, random), retryAfterMs * (1 + 0.5 * random()));
}

/** Resolves after `delayMs`, or at once when `signal` aborts. */
export function wait(delayMs: number, clock: Clock, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const finish = () => {
      timer.cancel();
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    const timer = clock.setTimer(delayMs, finish);
    signal?.addEventListener('abort', finish, { once: true });
  });
}
