import {
  type CheckState,
  type Clock,
  type HealthProbe,
  initialCheckHealth,
  type Logger,
  type ProbeResult,
  type Random,
  reduceCheck,
  type Status,
} from '@portolan/core';
import type { InstanceRecord, RecordDelta } from '../catalogue/instance-record.ts';
import { firstCheckStatus } from '../catalogue/registration-shape.ts';
import type { CheckOptions } from '../options/registry-options.ts';
import type { RegistryMetrics } from '../telemetry/registry-metrics.ts';
import { TimerWheel } from '../time/timer-wheel.ts';
import { type CheckDeadline, CheckTask } from './check-task.ts';

const TICK_MS = 10;
const OUTPUT_LIMIT = 256;
/** A new instance that does not answer yet is asked again after this long, then twice as long, up to its interval. */
const FIRST_RETRY_MS = 100;

export interface CheckSchedulerDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: RegistryMetrics;
  readonly probes: readonly HealthProbe[];
  /** The status of a check changed, or an instance's `deregisterAfter` is over. */
  readonly onChanged: (key: string) => void;
}

const NO_TASKS: readonly CheckTask[] = [];

/** Runs every check on two timer wheels: never two probes of one check at a time, never more than the limit in all. */
export class CheckScheduler {
  readonly #options: CheckOptions;
  readonly #deps: CheckSchedulerDeps;
  readonly #probes: ReadonlyMap<string, HealthProbe>;
  readonly #tasks = new Map<string, readonly CheckTask[]>();
  readonly #due: TimerWheel<CheckTask>;
  readonly #deadlines: TimerWheel<CheckDeadline>;
  #waiting: CheckTask[] = [];
  #running = 0;
  #closed = false;

  constructor(options: CheckOptions, deps: CheckSchedulerDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#probes = new Map(deps.probes.map((probe) => [probe.kind, probe]));
    const onDue = (tasks: readonly CheckTask[]) => this.#onDue(tasks);
    const onDeadline = (deadlines: readonly CheckDeadline[]) => this.#onDeadlines(deadlines);
    this.#due = new TimerWheel({ tickMs: TICK_MS, onDue }, deps.clock);
    this.#deadlines = new TimerWheel({ tickMs: TICK_MS, onDue: onDeadline }, deps.clock);
  }

  /** Follows the catalogue. `spread`: after a restart, first probes do not all come at once. */
  follow({ key, before, after }: RecordDelta, spread: boolean): void {
    if (after && before && before.registrationRevision === after.registrationRevision) return;
    const present = this.#tasks.get(key) ?? NO_TASKS;
    if (!after?.hasChecks) {
      if (present === NO_TASKS) return;
      for (const task of present) this.#remove(task);
      this.#tasks.delete(key);
      return;
    }
    const isSamePlace =
      before?.instance.address === after.instance.address &&
      before.instance.port === after.instance.port;
    const tasks = after.instance.checks.map((spec) => {
      const old = present.find((task) => task.spec.id === spec.id && !task.removed);
      if (old && isSamePlace && JSON.stringify(old.spec) === JSON.stringify(spec)) {
        old.target = after.instance;
        return old;
      }
      return this.#add(key, after, spec.id, spread);
    });
    for (const task of present) if (!tasks.includes(task)) this.#remove(task);
    this.#tasks.set(key, tasks);
  }

  /** Whether it has a ttl check (or the one named) that a report can set. */
  takesReport(key: string, checkId?: string): boolean {
    return this.#reported(key, checkId).length > 0;
  }

  /** Sets the ttl checks (or the one named). */
  report(key: string, status: ProbeResult['status'], output: string, checkId?: string): void {
    for (const { task, ttlMs } of this.#reported(key, checkId)) {
      task.baseMs = this.#deps.clock.now() + ttlMs;
      if (!task.scheduled) this.#due.schedule(task, task.baseMs);
      this.#take(task, status, output, { rise: 1, fall: 1 });
    }
  }

  states(key: string): readonly CheckState[] {
    return (this.#tasks.get(key) ?? []).map((task) => ({
      id: task.spec.id,
      kind: task.spec.probe.kind,
      status: task.health.status,
      output: task.output,
      consecutiveSuccesses: task.health.consecutiveSuccesses,
      consecutiveFailures: task.health.consecutiveFailures,
      ...(task.lastProbeAtMs === undefined ? {} : { lastProbeAtMs: task.lastProbeAtMs }),
    }));
  }

  /** Whether one of its checks is critical for longer than its `deregisterAfter`. */
  isOverdue(key: string): boolean {
    const nowMs = this.#deps.clock.now();
    return (this.#tasks.get(key) ?? []).some(
      ({ spec, criticalSinceMs }) =>
        criticalSinceMs !== undefined &&
        spec.deregisterAfterMs !== undefined &&
        nowMs - criticalSinceMs >= spec.deregisterAfterMs,
    );
  }

  close(): void {
    this.#closed = true;
    this.#due.close();
    this.#deadlines.close();
    this.#waiting = [];
    for (const tasks of this.#tasks.values()) for (const task of tasks) task.abort?.abort();
    this.#tasks.clear();
  }

  #reported(key: string, checkId: string | undefined): { task: CheckTask; ttlMs: number }[] {
    return (this.#tasks.get(key) ?? NO_TASKS).flatMap((task) => {
      const { id, probe } = task.spec;
      const isMeant = probe.kind === 'ttl' && (checkId === undefined || id === checkId);
      return isMeant ? [{ task, ttlMs: probe.ttlMs }] : [];
    });
  }

  #add(key: string, record: InstanceRecord, id: string, spread: boolean): CheckTask {
    const { instance, stored } = record;
    const spec = instance.checks.find((check) => check.id === id);
    if (!spec) throw new Error(`no check ${id}`);
    const status = stored?.checks[id] ?? firstCheckStatus(instance, spec.probe.kind);
    const task = new CheckTask(key, instance, spec, status);
    task.health = initialCheckHealth(status);
    const nowMs = this.#deps.clock.now();
    if (spec.probe.kind === 'ttl') task.baseMs = nowMs + spec.probe.ttlMs;
    else if (spread) {
      const window = Math.min(spec.intervalMs, this.#options.restartSpreadMs);
      task.baseMs = nowMs + this.#deps.random() * window;
    } else {
      task.baseMs = nowMs;
      task.starting = status === 'unknown';
    }
    this.#noteCritical(task, status);
    this.#due.schedule(task, task.baseMs);
    return task;
  }

  #remove(task: CheckTask): void {
    task.removed = true;
    this.#due.cancel(task);
    this.#deadlines.cancel(task.deadline);
    task.abort?.abort();
  }

  #onDue(tasks: readonly CheckTask[]): void {
    const nowMs = this.#deps.clock.now();
    for (const task of tasks) {
      const { probe } = task.spec;
      if (probe.kind !== 'ttl') {
        task.queued = true;
        this.#waiting.push(task);
      } else if (task.baseMs > nowMs) this.#due.schedule(task, task.baseMs);
      else this.#take(task, 'critical', `no report for ${probe.ttlMs} ms`, { rise: 1, fall: 1 });
    }
    this.#startWaiting();
  }

  #startWaiting(): void {
    let at = 0;
    while (at < this.#waiting.length && this.#running < this.#options.maxConcurrent) {
      const task = this.#waiting[at++];
      if (!task) break;
      task.queued = false;
      if (!task.removed) void this.#run(task);
    }
    if (at > 0) this.#waiting = this.#waiting.slice(at);
  }

  async #run(task: CheckTask): Promise<void> {
    const { clock, metrics } = this.#deps;
    const { spec } = task;
    const startedMs = clock.now();
    metrics.checkLag(startedMs - task.baseMs);
    const abort = new AbortController();
    task.abort = abort;
    task.running = true;
    this.#running++;
    let open = true;
    /** The probe is over for us, also when it does not heed its abort: its check goes on without it. */
    const settle = (status: ProbeResult['status'] | 'broken', output: string): void => {
      if (!open) return;
      open = false;
      this.#running--;
      task.running = false;
      task.abort = undefined;
      task.deadline.onTimeout = undefined;
      this.#deadlines.cancel(task.deadline);
      if (this.#closed) return;
      metrics.checkRun(spec.probe.kind, status, clock.now() - startedMs);
      if (!task.removed) {
        task.lastProbeAtMs = clock.wallNow();
        if (status === 'broken') task.output = output.slice(0, OUTPUT_LIMIT);
        else this.#take(task, status, output, spec);
        this.#scheduleNext(task);
      }
      this.#startWaiting();
    };
    task.deadline.onTimeout = () => {
      abort.abort();
      settle('critical', `no answer within ${spec.timeoutMs} ms`);
    };
    this.#deadlines.schedule(task.deadline, startedMs + spec.timeoutMs);
    try {
      const probe = this.#probes.get(spec.probe.kind);
      if (!probe) throw new Error(`no probe of kind ${spec.probe.kind} is configured`);
      const result = await probe.check(task.target, spec.probe, abort.signal);
      settle(result.status, result.output);
    } catch (error) {
      if (open && !task.removed && !this.#closed) {
        this.#deps.logger.error(
          { err: error, instance: task.key, check: spec.id },
          'a probe broke',
        );
      }
      settle('broken', 'the probe itself failed');
    }
  }

  /** The grid of intervals is kept, so that neither probe time nor jitter adds up; missed points are left out. */
  #scheduleNext(task: CheckTask): void {
    const { clock, random } = this.#deps;
    const { intervalMs } = task.spec;
    const nowMs = clock.now();
    const earlyMs = task.starting ? FIRST_RETRY_MS * 2 ** task.earlyTries++ : intervalMs;
    if (earlyMs < intervalMs) {
      task.baseMs = nowMs + earlyMs;
      this.#due.schedule(task, task.baseMs);
      return;
    }
    task.starting = false;
    task.baseMs += intervalMs;
    if (task.baseMs <= nowMs) {
      task.baseMs += Math.ceil((nowMs - task.baseMs) / intervalMs) * intervalMs;
    }
    const jitterMs = (random() * 2 - 1) * this.#options.jitterShare * intervalMs;
    this.#due.schedule(task, Math.max(nowMs, task.baseMs + jitterMs));
    this.#armDeregister(task);
  }

  #take(
    task: CheckTask,
    answer: ProbeResult['status'],
    output: string,
    limits: { readonly rise: number; readonly fall: number },
  ): void {
    const before = task.health.status;
    task.output = output.slice(0, OUTPUT_LIMIT);
    if (answer !== 'critical') task.starting = false;
    else if (task.starting) {
      // The haste finds out earlier that it is there, not that it is not: one failure an interval counts.
      const nowMs = this.#deps.clock.now();
      const restMs = (1 - this.#options.jitterShare) * task.spec.intervalMs;
      if (nowMs - task.countedMs < restMs) return;
      task.countedMs = nowMs;
    }
    task.health = reduceCheck(task.health, answer, limits);
    const after = task.health.status;
    if (after === before) return;
    this.#noteCritical(task, after);
    this.#deps.onChanged(task.key);
  }

  #noteCritical(task: CheckTask, status: Status): void {
    if (status !== 'critical') task.criticalSinceMs = undefined;
    else task.criticalSinceMs ??= this.#deps.clock.now();
    this.#armDeregister(task);
  }

  #armDeregister(task: CheckTask): void {
    if (task.deadline.onTimeout) return;
    const after = task.spec.deregisterAfterMs;
    if (task.criticalSinceMs === undefined || after === undefined) {
      this.#deadlines.cancel(task.deadline);
    } else {
      this.#deadlines.schedule(task.deadline, task.criticalSinceMs + after);
    }
  }

  #onDeadlines(deadlines: readonly CheckDeadline[]): void {
    for (const deadline of deadlines) {
      if (deadline.onTimeout) deadline.onTimeout();
      else this.#deps.onChanged(deadline.task.key);
    }
  }
}
