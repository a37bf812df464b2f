/** A token bucket for what a client may do only now and then. */
export class FrameBudget {
  readonly #burst: number;
  readonly #perSecond: number;
  #left: number;
  #at: number;

  constructor(burst: number, perSecond: number, nowMs: number) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#left = burst;
    this.#at = nowMs;
  }

  /** Takes one; false when none is left. */
  take(nowMs: number): boolean {
    const refilled = this.#left + ((nowMs - this.#at) / 1000) * this.#perSecond;
    this.#left = Math.min(this.#burst, refilled);
    this.#at = nowMs;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
