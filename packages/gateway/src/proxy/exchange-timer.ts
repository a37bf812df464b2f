import type { Clock } from '@portolan/core';
import type { Deadline, DeadlineOwner, Deadlines } from './deadlines.ts';

/** What ran out: the whole exchange's time, the present try's, or the time without a byte. */
export type Expiry = 'end' | 'try' | 'idle';

export interface ExchangeTimerOwner {
  onExpired(expiry: Expiry): void;
}

/** All time limits of one exchange on one lent deadline. */
export class ExchangeTimer implements DeadlineOwner {
  readonly #owner: ExchangeTimerOwner;
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  #deadline: Deadline | undefined;
  #armed: Expiry = 'end';
  /** When the exchange has to be over; Infinity: only silence ends it. */
  endMs = Number.POSITIVE_INFINITY;
  /** When the present try has to have brought an answer. */
  tryEndMs = Number.POSITIVE_INFINITY;
  /** How long nothing may move; Infinity: for as long as the other limits allow. */
  idleMs = Number.POSITIVE_INFINITY;

  constructor(owner: ExchangeTimerOwner, clock: Clock, deadlines: Deadlines) {
    this.#owner = owner;
    this.#clock = clock;
    this.#deadlines = deadlines;
  }

  /** Counts from now on; to be called after each change of the limits. */
  arm(): void {
    this.#deadline ??= this.#deadlines.take(this);
    const nowMs = this.#clock.now();
    let untilMs = this.endMs;
    this.#armed = 'end';
    if (this.tryEndMs < untilMs) {
      untilMs = this.tryEndMs;
      this.#armed = 'try';
    }
    if (nowMs + this.idleMs < untilMs) {
      untilMs = nowMs + this.idleMs;
      this.#armed = 'idle';
    }
    if (untilMs === Number.POSITIVE_INFINITY) return;
    this.#deadlines.arm(this.#deadline, Math.max(0, untilMs - nowMs));
  }

  /** Something moved. */
  moved(): void {
    if (this.idleMs === Number.POSITIVE_INFINITY) return;
    // Where only silence ends the exchange, a piece costs no look at the clock.
    if (this.#deadline && this.endMs === Number.POSITIVE_INFINITY && this.#armed === 'idle') {
      this.#deadlines.arm(this.#deadline, this.idleMs);
    } else this.arm();
  }

  stop(): void {
    if (this.#deadline) this.#deadlines.give(this.#deadline);
    this.#deadline = undefined;
  }

  onDeadline(): void {
    const nowMs = this.#clock.now();
    if (this.#armed === 'idle') this.#owner.onExpired('idle');
    else if (nowMs >= this.endMs) this.#owner.onExpired('end');
    else if (nowMs >= this.tryEndMs) this.#owner.onExpired('try');
    else this.arm();
  }
}
