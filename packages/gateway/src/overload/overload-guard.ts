import type { Clock, Counter, TimerHandle } from '@portolan/core';

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

const SAMPLE_EVERY_MS = 100;
/** Weight of the newest sample: a single pause is not overload. */
const SMOOTHING = 0.3;

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
  let lagMs = 0;
  let dueMs = 0;
  /** Only while requests are under way. */
  let timer: TimerHandle | undefined;

  function sample(): void {
    const late = Math.max(0, clock.now() - dueMs);
    lagMs += (late - lagMs) * SMOOTHING;
    timer = undefined;
    if (underWay > 0) sampleLater();
    else lagMs = 0;
  }

  function sampleLater(): void {
    dueMs = clock.now() + SAMPLE_EVERY_MS;
    timer = clock.setTimer(SAMPLE_EVERY_MS, sample);
  }

  return {
    admit() {
      underWay += 1;
      if (limitMs > 0 && timer === undefined) sampleLater();
      if (underWay > maxRequests) {
        shedForRequests.inc();
        return false;
      }
      if (limitMs > 0 && lagMs > limitMs && random() * limitMs < lagMs - limitMs) {
        shedForLag.inc();
        return false;
      }
      return true;
    },
    ended() {
      underWay -= 1;
    },
    get lagMs() {
      return lagMs;
    },
    close: () => timer?.cancel(),
  };
}
