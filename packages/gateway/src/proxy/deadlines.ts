import { type TimerWheel, WheelTimer } from '@portolan/http';

/** Whoever waits for a deadline. */
export interface DeadlineOwner {
  onDeadline(): void;
}

/** One deadline on the wheel, lent to one owner after the other. */
export class Deadline {
  owner: DeadlineOwner | undefined;
  readonly timer: WheelTimer;

  constructor() {
    this.timer = new WheelTimer(() => this.owner?.onDeadline());
  }
}

/**
 * Lends deadlines. A disarmed timer waits in the wheel until its slot comes up, so one made per request would pile up
 * there; lent ones are as many as there were requests at once.
 */
export class Deadlines {
  readonly #wheel: TimerWheel;
  readonly #free: Deadline[] = [];

  constructor(wheel: TimerWheel) {
    this.#wheel = wheel;
  }

  take(owner: DeadlineOwner): Deadline {
    const deadline = this.#free.pop() ?? new Deadline();
    deadline.owner = owner;
    return deadline;
  }

  arm(deadline: Deadline, delayMs: number): void {
    this.#wheel.arm(deadline.timer, delayMs);
  }

  give(deadline: Deadline): void {
    this.#wheel.disarm(deadline.timer);
    deadline.owner = undefined;
    this.#free.push(deadline);
  }
}
