import {
  backoffMs,
  type Clock,
  isRegistryError,
  type Logger,
  type Random,
  type Store,
  serviceId,
  type TimerHandle,
} from '@portolan/core';
import type { InstanceRecord, RecordDelta } from '../catalogue/instance-record.ts';
import { protectionKey } from '../codec/keys.ts';
import { encodeProtection } from '../codec/status-codec.ts';
import type { ProtectionOptions, RegistryOptions } from '../options/registry-options.ts';
import { EVICTION_STEP_MS } from '../protection/mass-loss.ts';
import type { RegistryMetrics } from '../telemetry/registry-metrics.ts';
import type { KeyLock } from '../write/key-lock.ts';
import { keyLock, type LockKey, placeLock } from '../write/lock-keys.ts';
import { CommitBatch } from './commit-batch.ts';
import { byService, judgeService } from './judge-services.ts';
import { ServiceHealth } from './service-health.ts';
import {
  type HealthFacts,
  isLost,
  removal,
  restoration,
  type Transition,
  toTransition,
} from './transition.ts';
import { WorkSlices } from './work-slices.ts';

const STORE_BACKOFF = { baseMs: 200, maxMs: 10_000 };
const CONFLICT_PAUSE_MS = 20;

/** Everything it looks at and writes to. */
export interface HealthReconcilerDeps extends HealthFacts {
  /** Read anew at each turn: options may change at run time. */
  readonly options: () => Pick<RegistryOptions, 'protection' | 'transitions'>;
  readonly store: Pick<Store, 'commit'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: RegistryMetrics;
  /** The writers': what is put back must not come into the way of who registers there now. */
  readonly lock: KeyLock;
  /** Gives the event loop its turn. */
  readonly nextTurn: () => Promise<void>;
}

/** Turns what leases and checks found out into commits: deletions and status changes, judged per service. */
export interface HealthReconciler {
  /** Something that decides these instances' health changed. */
  mark(keys: Iterable<string>): void;
  /** For the catalogue's `onApplied`, after leases and checks followed. */
  onApplied(deltas: readonly RecordDelta[], displaced: readonly string[]): void;
  /** Resolves when all marked so far is durable and visible; rejects when the store refused (it is tried again). */
  settled(): Promise<void>;
  /** Resolves when a removal that the store was given already is decided and visible; undefined when there is none. */
  removalUnderWay(key: string): Promise<void> | undefined;
  close(): Promise<void>;
}

export function createHealthReconciler(deps: HealthReconcilerDeps): HealthReconciler {
  return new Reconciler(deps);
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

class Reconciler implements HealthReconciler {
  readonly #deps: HealthReconcilerDeps;
  readonly #services = new Map<string, ServiceHealth>();
  /** Those of which something is kept or to be put back: looked at in every turn, the others when they are marked. */
  readonly #attended = new Set<string>();
  /** When all were looked at: what left the window since is forgotten then. */
  #sweptMs = 0;
  /** At most one entry an instance: it cannot outgrow the catalogue. */
  #dirty = new Set<string>();
  readonly #displaced = new Set<string>();
  #waiters: Waiter[] = [];
  #wanted = false;
  #running: Promise<void> | undefined;
  #closed = false;
  #batch: CommitBatch | undefined;
  #tick: { readonly timer: TimerHandle; readonly dueMs: number } | undefined;
  #pause: { readonly timer: TimerHandle; readonly end: () => void } | undefined;

  constructor(deps: HealthReconcilerDeps) {
    this.#deps = deps;
  }

  mark(keys: Iterable<string>): void {
    for (const key of keys) this.#dirty.add(key);
    this.#wake();
  }

  onApplied(deltas: readonly RecordDelta[], displaced: readonly string[]): void {
    for (const { key, before, after } of deltas) {
      const record = after ?? before;
      if (!record) continue;
      // At a start there are a million of them, and nothing is known of any service.
      if (this.#services.size > 0) this.#services.get(serviceId(record.service))?.saved.delete(key);
      if (after) {
        if (after.protected) this.#takeUp(serviceId(record.service));
        if (before?.registrationRevision !== after.registrationRevision && after.stored) {
          this.#dirty.add(key);
        }
      }
    }
    for (const key of displaced) this.#displaced.add(key);
    if (this.#dirty.size > 0 || displaced.length > 0) this.#wake();
    else this.#arm();
  }

  settled(): Promise<void> {
    if (this.#closed || (this.#dirty.size === 0 && !this.#running)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#wake();
    });
  }

  removalUnderWay(key: string): Promise<void> | undefined {
    return this.#batch?.removalUnderWay(key);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#tick?.timer.cancel();
    this.#pause?.timer.cancel();
    this.#pause?.end();
    this.#batch?.close();
    await this.#running;
    for (const waiter of this.#waiters.splice(0)) waiter.resolve();
  }

  /** Protection decided before a restart, or by another process on the same store. */
  #takeUp(id: string): void {
    const health = this.#health(id);
    if (health.state.mode !== 'normal') return;
    const nowMs = this.#deps.clock.now();
    health.state = { mode: 'protected', sinceMs: nowMs, lastChangeMs: nowMs };
    this.#attended.add(id);
  }

  #health(id: string): ServiceHealth {
    const present = this.#services.get(id);
    if (present) return present;
    const health = new ServiceHealth();
    this.#services.set(id, health);
    return health;
  }

  #wake(): void {
    this.#wanted = true;
    if (this.#running || this.#closed) return;
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    // Everything marked in this turn of the event loop is judged together.
    await Promise.resolve();
    for (let attempt = 0; this.#wanted && !this.#closed; ) {
      // Judged as one loss with those that follow; the last of them wakes it again.
      if (this.#deps.leases.isExpiring) break;
      this.#wanted = false;
      const waiters = this.#waiters.splice(0);
      const keys = this.#dirty;
      this.#dirty = new Set();
      try {
        const conflicts = await this.#turn(keys);
        attempt = 0;
        // What lost against another write is not settled before it was judged again.
        if (conflicts) this.#waiters.unshift(...waiters);
        else for (const waiter of waiters) waiter.resolve();
        if (conflicts) await this.#sleep(CONFLICT_PAUSE_MS * (1 + this.#deps.random()));
      } catch (error) {
        for (const key of keys) this.#dirty.add(key);
        this.#wanted = true;
        for (const waiter of waiters) waiter.reject(error);
        if (isRegistryError(error) && error.code === 'STORE_CLOSED') break;
        this.#deps.metrics.storeFailure();
        this.#deps.logger.error(
          { err: error, waiting: this.#dirty.size },
          'health changes could not be written and are tried again',
        );
        await this.#sleep(50 + backoffMs(attempt++, STORE_BACKOFF, this.#deps.random));
      }
    }
    this.#running = undefined;
    this.#arm();
  }

  /** Whether something lost against another write and has to be judged again. */
  async #turn(keys: ReadonlySet<string>): Promise<boolean> {
    const { protection, transitions } = this.#deps.options();
    const slices = new WorkSlices(this.#deps.nextTurn);
    const groups = await byService(keys, this.#deps, slices);
    for (const id of this.#toLookAt(protection)) if (!groups.has(id)) groups.set(id, []);
    const batch = new CommitBatch(this.#deps, transitions.batchSize, (key) => this.#dirty.add(key));
    this.#batch = batch;
    for (const [id, members] of groups) {
      const pause = slices.did(1 + members.length);
      if (pause) await pause;
      if (this.#closed) return false;
      for (const { make, locks } of this.#judge(id, members, protection)) {
        const full = batch.add(make, locks);
        if (full) await full;
      }
    }
    for (const key of this.#displaced) {
      const full = batch.add(() => {
        const record = this.#displacedRecord(key);
        return record && removal(record, 'superseded', this.#deps);
      });
      if (full) await full;
    }
    await batch.flush();
    for (const key of this.#displaced) {
      if (!this.#displacedRecord(key)) this.#displaced.delete(key);
    }
    for (const id of groups.keys()) {
      const pause = slices.did(1);
      if (pause) await pause;
      this.#settle(id);
    }
    this.#batch = undefined;
    if (batch.conflicts > 0) this.#wanted = true;
    return batch.conflicts > 0;
  }

  /** Services to be judged though none of their instances was marked. */
  #toLookAt({ windowMs }: ProtectionOptions): Iterable<string> {
    const nowMs = this.#deps.clock.now();
    if (nowMs - this.#sweptMs < windowMs) return this.#attended;
    this.#sweptMs = nowMs;
    return this.#services.keys();
  }

  /** What to write of a service; made only when it is written. A generator: a promise for each service would be dear. */
  *#judge(
    id: string,
    members: readonly string[],
    protection: ProtectionOptions,
  ): Generator<{ readonly make: () => Transition | undefined; readonly locks?: LockKey[] }> {
    const { catalogue, clock } = this.#deps;
    const health = this.#health(id);
    const records = members.flatMap((key) => this.#memberOf(id, key) ?? []);
    const service = catalogue.service(id);
    const verdict = judgeService(health, service, records, this.#deps, protection, clock.now());
    if (health.state.mode !== 'normal' || health.saved.size > 0) this.#attended.add(id);
    if (verdict.entered > 0) this.#announce(id, verdict.entered);
    for (const [key, keep] of verdict.keep) {
      const make = (): Transition | undefined => {
        const record = catalogue.record(key);
        if (!record || (!keep && this.#isUnjudged(record, health))) return undefined;
        return toTransition(record, keep, this.#deps);
      };
      yield { make };
    }
    for (const [key, record] of health.saved) {
      if (catalogue.record(key)) continue;
      const locks = [keyLock(key), placeLock(record.instance)];
      yield { make: () => restoration(record, catalogue), locks };
    }
    if (this.#protection(id, health)) yield { make: () => this.#protection(id, health) };
  }

  /** Undefined when it is gone; one that went to another service since it was marked is judged there. */
  #memberOf(id: string, key: string): InstanceRecord | undefined {
    const record = this.#deps.catalogue.record(key);
    if (!record || serviceId(record.service) === id) return record;
    this.#dirty.add(key);
    this.#wanted = true;
    return undefined;
  }

  /** What was judged of it is written. */
  #settle(id: string): void {
    const health = this.#services.get(id);
    if (!health) return;
    health.saved.clear();
    if (health.state.mode === 'normal') this.#attended.delete(id);
    if (health.isIdle) this.#services.delete(id);
  }

  /** Undefined once it is gone, or has an address of its own. */
  #displacedRecord(key: string): InstanceRecord | undefined {
    const { catalogue } = this.#deps;
    const record = catalogue.record(key);
    if (!record) return undefined;
    const { service, address, port } = record.instance;
    return catalogue.occupant(service, address, port) === key ? undefined : record;
  }

  /** Lost only after its service was judged: it is marked, and comes with the next turn. */
  #isUnjudged(record: InstanceRecord, health: ServiceHealth): boolean {
    if (!this.#deps.options().protection.enabled) return false;
    return record.isHealthy && !health.lost.has(record.key) && isLost(record, this.#deps);
  }

  /** Driven by state, so that what the store refused is written by the next turn. */
  #protection(id: string, health: ServiceHealth): Transition | undefined {
    const service = this.#deps.catalogue.service(id);
    const isStored = service?.protectedSinceMs !== undefined;
    const isOn = health.state.mode !== 'normal';
    if (!service || isStored === isOn) return undefined;
    const key = protectionKey(service.key);
    if (!isOn) return { key: id, ops: [{ type: 'delete', key }], guards: [] };
    const value = encodeProtection(this.#deps.clock.wallNow());
    return { key: id, ops: [{ type: 'put', key, value }], guards: [] };
  }

  #announce(id: string, kept: number): void {
    this.#deps.metrics.protectionEntered();
    this.#deps.logger.error(
      { service: id, kept },
      'too many instances of this service were lost at once: they are kept in rotation until they return or the loss lasts',
    );
  }

  /** One timer: eviction's pace while something is protected, else the window of losses. */
  #arm(): void {
    if (this.#closed || this.#services.size === 0) {
      this.#tick?.timer.cancel();
      this.#tick = undefined;
      return;
    }
    const { windowMs } = this.#deps.options().protection;
    const delayMs = this.#attended.size > 0 ? Math.min(windowMs, EVICTION_STEP_MS) : windowMs;
    const dueMs = this.#deps.clock.now() + delayMs;
    // Writes come here too: a tick that each of them put off would never come.
    if (this.#tick && this.#tick.dueMs <= dueMs) return;
    this.#tick?.timer.cancel();
    const timer = this.#deps.clock.setTimer(delayMs, () => {
      this.#tick = undefined;
      // Before the turn: however long that takes, the next step comes at its time.
      this.#arm();
      this.#wake();
    });
    this.#tick = { timer, dueMs };
  }

  #sleep(durationMs: number): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((end) => {
      this.#pause = { timer: this.#deps.clock.setTimer(durationMs, end), end };
    });
  }
}
