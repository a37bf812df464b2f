import type { Clock, TimerHandle } from '../ports/clock.ts';

const SAMPLE_EVERY_MS = 100;
/** Weight of the newest sample: a single pause is not overload. */
const SMOOTHING = 0.3;

/** How late timers fire: how long work waits for its turn on the event loop. */
export interface LoopLag {
  /** The smoothed lag; 0 while nothing is watched. */
  readonly ms: number;
  /** Has it measured from now on, if it is not. */
  watch(): void;
  close(): void;
}

/** Measures while `isBusy` says that there is work; idle, it costs no timer. */
export function createLoopLag(clock: Clock, isBusy: () => boolean): LoopLag {
  let lagMs = 0;
  let dueMs = 0;
  let timer: TimerHandle | undefined;

  function sample(): void {
    const late = Math.max(0, clock.now() - dueMs);
    lagMs += (late - lagMs) * SMOOTHING;
    timer = undefined;
    if (isBusy()) watch();
    else lagMs = 0;
  }

  function watch(): void {
    if (timer !== undefined) return;
    dueMs = clock.now() + SAMPLE_EVERY_MS;
    timer = clock.setTimer(SAMPLE_EVERY_MS, sample);
  }

  return {
    get ms() {
      return lagMs;
    },
    watch,
    close: () => timer?.cancel(),
  };
}
