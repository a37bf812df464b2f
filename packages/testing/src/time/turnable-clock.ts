import type { Clock, TimerHandle } from '@portolan/core';

interface Timer {
  readonly dueMs: number;
  readonly sequence: number;
  readonly callback: () => void;
}

/** A clock that moves only when turned. Timers fire in order of their due time, then of their making. */
export class TurnableClock implements Clock {
  #nowMs = 0;
  #sequence = 0;
  readonly #startWallMs: number;
  readonly #timers = new Set<Timer>();

  constructor(startWallMs = Date.UTC(2026, 10, 23)) {
    this.#startWallMs = startWallMs;
  }

  now(): number {
    return this.#nowMs;
  }

  wallNow(): number {
    return this.#startWallMs + this.#nowMs;
  }

  setTimer(delayMs: number, callback: () => void): TimerHandle {
    const timer = {
      dueMs: this.#nowMs + Math.max(0, delayMs),
      sequence: this.#sequence++,
      callback,
    };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  /** Timers not yet fired or cancelled: an owner that ended should leave none. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Moves by `ms`, firing what falls due, and lets promises settle between timers. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settle();
    for (let next = this.#next(endMs); next; next = this.#next(endMs)) {
      this.#timers.delete(next);
      this.#nowMs = next.dueMs;
      next.callback();
      await settle();
    }
    this.#nowMs = endMs;
  }

  #next(endMs: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueMs > endMs) continue;
      if (!next || timer.dueMs < next.dueMs) next = timer;
      else if (timer.dueMs === next.dueMs && timer.sequence < next.sequence) next = timer;
    }
    return next;
  }
}

/** Lets everything that is already resolved run. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}
