import type { Clock, RetryBudget, TimerHandle } from '@portolan/core';
import type { Upstream } from '../upstream/upstream.ts';

/** The pause before a retry, with the places that are held meanwhile. */
export class RetryWait {
  #timer: TimerHandle | undefined;
  #upstream: Upstream | undefined;
  #budget: RetryBudget | undefined;

  /** `budget` is where a place was taken for the retry; it is `again`'s once that is called. */
  start(
    clock: Clock,
    delayMs: number,
    held: { readonly upstream: Upstream; readonly budget: RetryBudget | undefined },
    again: () => void,
  ): void {
    held.upstream.waiting++;
    this.#upstream = held.upstream;
    this.#budget = held.budget;
    this.#timer = clock.setTimer(delayMs, () => {
      this.#budget = undefined;
      again();
      this.end();
    });
  }

  /** Nobody waits any more; what is still held is given back. */
  end(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#budget?.release();
    this.#budget = undefined;
    const upstream = this.#upstream;
    this.#upstream = undefined;
    if (!upstream) return;
    upstream.waiting--;
    upstream.dropIfUnused();
  }
}
