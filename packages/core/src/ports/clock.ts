export interface TimerHandle {
  cancel(): void;
}

/** The only source of time. Tests turn it; production has one implementation, in `server`. */
export interface Clock {
  /** Monotonic milliseconds from an arbitrary start; may be fractional. */
  now(): number;
  /** Epoch milliseconds, for people and for the wire. */
  wallNow(): number;
  /** Calls `callback` once, not before `delayMs`. Never keeps the process alive by itself. */
  setTimer(delayMs: number, callback: () => void): TimerHandle;
}

/** Uniform in [0, 1). */
export type Random = () => number;
