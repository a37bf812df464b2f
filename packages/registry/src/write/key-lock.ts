import type { LockKey } from './lock-keys.ts';

interface Holding {
  readonly keys: readonly LockKey[];
  /** Where it stands among all of them. */
  at: number;
  waiters: (() => void)[] | undefined;
}

/** A power of two: far more than keys are held at a time. */
const BUCKETS = 1 << 18;

/** Lets writes that touch the same keys follow one another; writes that share none never wait. */
export class KeyLock {
  /** No `Set`: one that is added to and deleted from all the time leaves old tables behind, and in them, for the collector, who is gone. */
  readonly #holdings: Holding[] = [];
  /** How many held keys fall into each bucket: where none does, a key is free, and that is nearly always all there is to see. */
  readonly #held = new Uint32Array(BUCKETS);

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
    for (const key of keys) if (this.#holderOf(key)) return undefined;
    const holding: Holding = { keys, at: this.#holdings.length, waiters: undefined };
    this.#holdings.push(holding);
    for (const key of keys) this.#count(key, 1);
    return () => this.#release(holding);
  }

  /** Resolves when one that is held is released; at once when none is. */
  async freed(keys: readonly LockKey[]): Promise<void> {
    for (const key of keys) {
      const holding = this.#holderOf(key);
      if (!holding) continue;
      return new Promise((resolve) => {
        holding.waiters ??= [];
        holding.waiters.push(resolve);
      });
    }
  }

  #holderOf(key: LockKey): Holding | undefined {
    if (this.#held[key & (BUCKETS - 1)] === 0) return undefined;
    for (const holding of this.#holdings) if (holding.keys.includes(key)) return holding;
    return undefined;
  }

  #count(key: LockKey, by: 1 | -1): void {
    const bucket = key & (BUCKETS - 1);
    this.#held[bucket] = (this.#held[bucket] ?? 0) + by;
  }

  #release(holding: Holding): void {
    const last = this.#holdings.pop();
    if (last && last !== holding) {
      this.#holdings[holding.at] = last;
      last.at = holding.at;
    }
    for (const key of holding.keys) this.#count(key, -1);
    if (holding.waiters) for (const wake of holding.waiters) wake();
  }
}
