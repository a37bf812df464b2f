import type { Clock } from '@portolan/core';
import type { WatcherBudget } from './watcher-budget.ts';

export interface WaitDeps {
  readonly clock: Clock;
  readonly watchers: WatcherBudget;
}

/**
 * Resolves when what `subscribe` listens to changes, after `waitMs`, or when the signal aborts, whichever comes first;
 * takes a watcher's place meanwhile. Rejects with nothing but TOO_MANY_WATCHERS.
 */
export async function waitForChange(
  deps: WaitDeps,
  subscribe: (wake: () => void) => () => void,
  waitMs: number,
  signal: AbortSignal,
): Promise<void> {
  if (waitMs <= 0 || signal.aborted) return;
  const leave = deps.watchers.enter();
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = deps.clock.setTimer(waitMs, resolve);
  const unsubscribe = subscribe(resolve);
  const onAbort = (): void => resolve();
  signal.addEventListener('abort', onAbort);
  try {
    await promise;
  } finally {
    timer.cancel();
    unsubscribe();
    signal.removeEventListener('abort', onAbort);
    leave();
  }
}
