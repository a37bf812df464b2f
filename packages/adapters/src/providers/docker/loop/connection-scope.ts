import type { Clock, TimerHandle } from '@portolan/core';

/** What lives as long as one connection: its timers, and its questions. */
export class ConnectionScope {
  readonly #clock: Clock;
  readonly #abort = new AbortController();
  readonly #timers = new Map<string, TimerHandle>();
  #failure: unknown;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Why it ended; undefined while it lasts, or when that was wanted. */
  get failure(): unknown {
    return this.#failure;
  }

  end(): void {
    this.#abort.abort();
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  /** Ends it because of a fault; only the first one counts. */
  fail(error: unknown): void {
    if (this.signal.aborted) return;
    this.#failure = error;
    this.end();
  }

  /** One timer of each name. */
  arm(name: string, delayMs: number, callback: () => void): void {
    if (this.signal.aborted) return;
    this.#timers.get(name)?.cancel();
    const timer = this.#clock.setTimer(delayMs, () => {
      this.#timers.delete(name);
      if (!this.signal.aborted) callback();
    });
    this.#timers.set(name, timer);
  }

  isArmed(name: string): boolean {
    return this.#timers.has(name);
  }

  /** A question that is given up when the connection ends, or after `timeoutMs`. */
  async ask<T>(question: (signal: AbortSignal) => Promise<T>, timeoutMs?: number): Promise<T> {
    if (timeoutMs === undefined) return this.orEnded(question(this.signal));
    const own = new AbortController();
    const end = (): void => own.abort();
    this.signal.addEventListener('abort', end);
    let timer: TimerHandle | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = this.#clock.setTimer(timeoutMs, () => {
        own.abort();
        reject(new Error(`no answer within ${timeoutMs} ms`));
      });
    });
    try {
      return await this.orEnded(Promise.race([question(own.signal), timeout]));
    } finally {
      timer?.cancel();
      this.signal.removeEventListener('abort', end);
    }
  }

  /** Rejects when the connection ends first. */
  async orEnded<T>(work: Promise<T>): Promise<T> {
    const { signal } = this;
    let end = (): void => undefined;
    const ended = new Promise<never>((_, reject) => {
      end = () => reject(this.#failure ?? new Error('the connection was given up'));
      if (signal.aborted) end();
      else signal.addEventListener('abort', end);
    });
    try {
      return await Promise.race([work, ended]);
    } finally {
      signal.removeEventListener('abort', end);
      // Whichever loses is told to nobody.
      work.catch(() => undefined);
      ended.catch(() => undefined);
    }
  }
}

/** Resolves after the time, or when the signal aborts. */
export function pause(delayMs: number, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      timer.cancel();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = clock.setTimer(delayMs, end);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
  });
}
