import type { LockKey } from './lock-keys.ts';

interface Holding {
  readonly keys: readonly LockKey[];
  waiters: (() => void)[] | undefined;
}

/** Lets writes that touch the same keys follow one another; writes that share none never wait. */
export class KeyLock {
  readonly #held = new Map<LockKey, Holding>();

  /** Takes all keys at once, so that two takers can never wait for each other. */
  async acquire(keys: readonly LockKey[]): Promise<() => void> {
    for (;;) {
      const release = this.tryAcquire(keys);
      if (release) return release;
      await this.freed(keys);
    }
  }

  /** Takes all keys, or none and returns undefined. A key may be given twice. */
  tryAcquire(keys: readonly LockKey[]): (() => void) | undefined {
    for (const key of keys) if (this.#held.has(key)) return undefined;
    const holding: Holding = { keys, waiters: undefined };
    for (const key of keys) this.#held.set(key, holding);
    return () => this.#release(holding);
  }

  /** Resolves when one that is held is released; at once when none is. */
  async freed(keys: readonly LockKey[]): Promise<void> {
    for (const key of keys) {
      const holding = this.#held.get(key);
      if (!holding) continue;
      return new Promise((resolve) => {
        holding.waiters ??= [];
        holding.waiters.push(resolve);
      });
    }
  }

  #release(holding: Holding): void {
    for (const key of holding.keys) this.#held.delete(key);
    if (holding.waiters) for (const wake of holding.waiters) wake();
  }
}
