import {
  type CheckHealth,
  type CheckSpec,
  type Instance,
  initialCheckHealth,
  type Status,
} from '@portolan/core';
import { WheelNode } from '../time/timer-wheel.ts';

/** One check of one instance as the scheduler runs it. */
export class CheckTask extends WheelNode {
  readonly key: string;
  readonly spec: CheckSpec;
  target: Instance;
  health: CheckHealth;
  output = '';
  lastProbeAtMs: number | undefined = undefined;
  /** Monotonic time since when it is critical. */
  criticalSinceMs: number | undefined = undefined;
  /** Monotonic time the next probe is due at, without jitter. */
  baseMs = 0;
  /** New, and without a good answer so far. */
  starting = false;
  earlyTries = 0;
  /** When a failure was counted last while it was starting. */
  countedMs = Number.NEGATIVE_INFINITY;
  running = false;
  queued = false;
  removed = false;
  abort: AbortController | undefined = undefined;
  readonly deadline: CheckDeadline;

  constructor(key: string, target: Instance, spec: CheckSpec, status: Status) {
    super();
    this.key = key;
    this.target = target;
    this.spec = spec;
    this.health = initialCheckHealth(status);
    this.deadline = new CheckDeadline(this);
  }
}

/** The timeout of a probe under way, or the end of `deregisterAfter`, on a wheel of their own. */
export class CheckDeadline extends WheelNode {
  readonly task: CheckTask;
  /** Settles the probe under way as timed out. */
  onTimeout: (() => void) | undefined = undefined;

  constructor(task: CheckTask) {
    super();
    this.task = task;
  }
}
