import type { Clock, TimerHandle } from '@portolan/core';

const SLOTS = 512;

/** One deadline that can be moved; made once per connection and used for all its requests. */
export class WheelTimer {
  /** Tick at which it expires; 0 when not armed. */
  deadlineTick = 0;
  /** Tick in whose slot it waits; 0 when in none. */
  slotTick = 0;
  readonly onExpire: () => void;

  constructor(onExpire: () => void) {
    this.onExpire = onExpire;
  }

  get armed(): boolean {
    return this.deadlineTick !== 0;
  }
}

/**
 * All deadlines of an engine on one timer of the clock. Arming and disarming write two numbers; a timer whose deadline was
 * moved later is put back when its old slot comes up. Time is counted in ticks that were run, so a pause of this process is not
 * held against its peers. Never fires early; fires at most two ticks late.
 */
export class TimerWheel {
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #slots: WheelTimer[][] = Array.from({ length: SLOTS }, () => []);
  #tick = 1;
  #waiting = 0;
  #handle: TimerHandle | undefined;

  constructor(clock: Clock, tickMs = 100) {
    this.#clock = clock;
    this.#tickMs = tickMs;
  }

  arm(timer: WheelTimer, delayMs: number): void {
    // One tick more, because the present one has partly passed.
    const deadline = this.#tick + Math.ceil(delayMs / this.#tickMs) + 1;
    timer.deadlineTick = deadline;
    if (timer.slotTick === 0 || timer.slotTick > deadline) this.#place(timer);
  }

  disarm(timer: WheelTimer): void {
    timer.deadlineTick = 0;
  }

  /** Timers that wait in slots, disarmed ones included until their slot comes up. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Forgets all timers and stops the clock's. */
  close(): void {
    this.#handle?.cancel();
    this.#handle = undefined;
    for (const slot of this.#slots) {
      for (const timer of slot) {
        timer.deadlineTick = 0;
        timer.slotTick = 0;
      }
      slot.length = 0;
    }
    this.#waiting = 0;
  }

  #place(timer: WheelTimer): void {
    const tick = Math.min(timer.deadlineTick, this.#tick + SLOTS - 1);
    timer.slotTick = tick;
    this.#slots[tick % SLOTS]?.push(timer);
    this.#waiting++;
    if (this.#handle === undefined) this.#schedule();
  }

  #schedule(): void {
    this.#handle = this.#clock.setTimer(this.#tickMs, this.#onTick);
  }

  readonly #onTick = (): void => {
    this.#handle = undefined;
    const tick = ++this.#tick;
    const due = this.#slots[tick % SLOTS];
    if (due !== undefined && due.length > 0) {
      this.#slots[tick % SLOTS] = [];
      this.#waiting -= due.length;
      for (const timer of due) this.#reach(timer, tick);
    }
    if (this.#waiting > 0 && this.#handle === undefined) this.#schedule();
  };

  #reach(timer: WheelTimer, tick: number): void {
    // Placed again in an earlier slot meanwhile: this place is stale.
    if (timer.slotTick !== tick) return;
    timer.slotTick = 0;
    if (timer.deadlineTick === 0) return;
    if (timer.deadlineTick > tick) {
      this.#place(timer);
      return;
    }
    timer.deadlineTick = 0;
    timer.onExpire();
  }
}
