import { type Clock, type Counter, createLoopLag } from '@portolan/core';

export interface OverloadOptions {
  /** Requests under way, upgraded connections among them; more are refused. */
  readonly maxRequests: number;
  /** Lag of the event loop from which on requests are refused: none at it, all at twice as much. 0: never. */
  readonly lagMs: number;
}

export interface OverloadGuard {
  /** Counts a request in; false when it is to be refused at once. Each is followed by `ended`, refused ones too. */
  admit(): boolean;
  ended(): void;
  /** The smoothed lag of the event loop. */
  readonly lagMs: number;
  close(): void;
}

/**
 * Refuses what this process could not serve in time, so that it keeps serving the rest: a queue in front of a busy loop only
 * makes every answer late.
 */
export function createOverloadGuard(
  options: OverloadOptions,
  deps: {
    readonly clock: Clock;
    readonly random: () => number;
    shed(reason: 'requests' | 'lag'): Counter;
  },
): OverloadGuard {
  const { maxRequests, lagMs: limitMs } = options;
  const { clock, random } = deps;
  const shedForRequests = deps.shed('requests');
  const shedForLag = deps.shed('lag');
  let underWay = 0;
  const lag = createLoopLag(clock, () => underWay > 0);

  return {
    admit() {
      underWay += 1;
      if (limitMs > 0) lag.watch();
      if (underWay > maxRequests) {
        shedForRequests.inc();
        return false;
      }
      if (limitMs > 0 && lag.ms > limitMs && random() * limitMs < lag.ms - limitMs) {
        shedForLag.inc();
        return false;
      }
      return true;
    },
    ended() {
      underWay -= 1;
    },
    get lagMs() {
      return lag.ms;
    },
    close: () => lag.close(),
  };
}
