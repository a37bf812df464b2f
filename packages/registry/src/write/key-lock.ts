/** Lets writes that touch the same keys follow one another; writes that share none never wait. */
export class KeyLock {
  readonly #held = new Map<string, (() => void)[]>();

  /** Takes all keys at once, so that two takers can never wait for each other. */
  async acquire(keys: readonly string[]): Promise<() => void> {
    for (let busy = this.#busy(keys); busy; busy = this.#busy(keys)) {
      const waiters = busy;
      await new Promise<void>((resolve) => waiters.push(resolve));
    }
    for (const key of keys) this.#held.set(key, []);
    return () => this.#release(keys);
  }

  #busy(keys: readonly string[]): (() => void)[] | undefined {
    for (const key of keys) {
      const waiters = this.#held.get(key);
      if (waiters) return waiters;
    }
    return undefined;
  }

  #release(keys: readonly string[]): void {
    for (const key of keys) {
      const waiters = this.#held.get(key);
      this.#held.delete(key);
      if (waiters) for (const wake of waiters) wake();
    }
  }
}
