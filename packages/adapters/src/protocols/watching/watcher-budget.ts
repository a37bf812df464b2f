import { RegistryError } from '@portolan/core';

/** Counts streams and waiting long polls, and refuses more than a maximum. */
export interface WatcherBudget {
  readonly active: number;
  /** Takes a place or throws TOO_MANY_WATCHERS. The returned function gives it back, once. */
  enter(): () => void;
}

export function createWatcherBudget(maxWatchers: number): WatcherBudget {
  let active = 0;
  return {
    get active() {
      return active;
    },
    enter() {
      if (active >= maxWatchers) {
        throw new RegistryError('TOO_MANY_WATCHERS', {
          detail: `${maxWatchers} watchers are connected, which is the maximum here.`,
          retryAfterMs: 5_000,
        });
      }
      active++;
      let entered = true;
      return () => {
        if (entered) active--;
        entered = false;
      };
    },
  };
}
