import type { Clock } from '@portolan/core';

/** The machine's clock: the one home of timers and wall time. Its timers never keep the process alive. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  setTimer(delayMs, callback) {
    const timer: { unref?: () => void } = setTimeout(callback, delayMs);
    // A browser's timer is a number.
    timer.unref?.();
    return { cancel: () => clearTimeout(timer as ReturnType<typeof setTimeout>) };
  },
};

const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Keeps the process alive until released: for programs whose only work left may be one of the clock's timers. */
export function holdProcess(): () => void {
  const timer = setInterval(() => undefined, LONGEST_TIMER_MS);
  return () => clearInterval(timer);
}
