import type { Clock, LeaseSpec } from '@portolan/core';
import type { InstanceRecord, RecordDelta } from '../catalogue/instance-record.ts';
import { TimerWheel, WheelNode } from '../time/timer-wheel.ts';

const TICK_MS = 50;
/** Noticed so late, an expiry says that this process was away, not that the instance is: its heartbeat may wait to be read. */
const AWAY_MS = 250;

class Lease extends WheelNode {
  readonly key: string;
  spec: LeaseSpec;
  dueMs = 0;
  /** Until when our own absence is forgiven at most; 0 while none was since it was heard last. */
  lastChanceMs = 0;
  expired = false;
  /** Found kept by mass-loss protection and not heard since: it has a term, but nobody has vouched for it. */
  awaited = false;

  constructor(key: string, spec: LeaseSpec) {
    super();
    this.key = key;
    this.spec = spec;
  }
}

/**
 * Who has to be heard from, and until when. Renewal moves a number in memory; the wheel notices on the old due time that
 * there is a newer one, so that a heartbeat costs neither a timer nor an allocation.
 */
export class LeaseTable {
  readonly #leases = new Map<string, Lease>();
  readonly #clock: Clock;
  readonly #wheel: TimerWheel<Lease>;

  /** `onExpired` is told once per expiry; the lease stays expired until renewed or removed. */
  constructor(clock: Clock, onExpired: (keys: readonly string[]) => void) {
    this.#clock = clock;
    this.#wheel = new TimerWheel<Lease>(
      {
        tickMs: TICK_MS,
        onDue: (leases) => {
          const nowMs = clock.now();
          const expired: string[] = [];
          let awayMs = 0;
          for (const { dueMs } of leases) awayMs = Math.max(awayMs, nowMs - dueMs);
          for (const lease of leases) {
            if (lease.dueMs > nowMs) this.#wheel.schedule(lease, lease.dueMs);
            else if (awayMs > AWAY_MS && this.#forgive(lease, nowMs, awayMs)) continue;
            else {
              lease.expired = true;
              expired.push(lease.key);
            }
          }
          if (expired.length > 0) onExpired(expired);
        },
      },
      clock,
    );
  }

  get size(): number {
    return this.#leases.size;
  }

  /** Follows the catalogue: a new or changed registration has a full term from now. */
  follow({ key, before, after }: RecordDelta): void {
    if (!after) this.#drop(key);
    else if (!before || before.registrationRevision !== after.registrationRevision) {
      this.#grant(key, after, before === undefined);
    }
  }

  /** `returned`: it counted as lost until now, and whoever judges health has to look again. */
  renew(key: string): 'none' | 'renewed' | 'returned' {
    const lease = this.#leases.get(key);
    if (!lease) return 'none';
    lease.dueMs = this.#clock.now() + lease.spec.ttlMs;
    lease.lastChanceMs = 0;
    if (!lease.expired && !lease.awaited) return 'renewed';
    lease.expired = false;
    lease.awaited = false;
    this.#wheel.schedule(lease, lease.dueMs);
    return 'returned';
  }

  isExpired(key: string): boolean {
    return this.#leases.get(key)?.expired ?? false;
  }

  /** Whether it has a lease and nobody speaks for it: expired, or kept by protection and not heard since. */
  isSilent(key: string): boolean {
    const lease = this.#leases.get(key);
    return lease !== undefined && (lease.expired || lease.awaited);
  }

  get(key: string): { readonly spec: LeaseSpec; readonly remainingMs: number } | undefined {
    const lease = this.#leases.get(key);
    if (!lease) return undefined;
    return { spec: lease.spec, remainingMs: Math.max(0, lease.dueMs - this.#clock.now()) };
  }

  close(): void {
    this.#wheel.close();
  }

  /** Gives a lease the time that we were away, from now; false when it has had a whole term more than its own. */
  #forgive(lease: Lease, nowMs: number, awayMs: number): boolean {
    if (lease.lastChanceMs === 0) {
      // After an absence longer than that, what was sent meanwhile is still read once.
      lease.lastChanceMs = Math.max(lease.dueMs + lease.spec.ttlMs, nowMs + TICK_MS);
    }
    const dueMs = Math.min(nowMs + awayMs, lease.lastChanceMs);
    if (dueMs <= nowMs) return false;
    lease.dueMs = dueMs;
    this.#wheel.schedule(lease, dueMs);
    return true;
  }

  #grant(key: string, record: InstanceRecord, isNew: boolean): void {
    const spec = record.lease;
    if (!spec) {
      this.#drop(key);
      return;
    }
    const lease = this.#leases.get(key) ?? new Lease(key, spec);
    this.#leases.set(key, lease);
    lease.spec = spec;
    lease.expired = false;
    lease.awaited = isNew && record.stored?.protected === true;
    lease.dueMs = this.#clock.now() + spec.ttlMs;
    lease.lastChanceMs = 0;
    this.#wheel.schedule(lease, lease.dueMs);
  }

  #drop(key: string): void {
    const lease = this.#leases.get(key);
    if (!lease) return;
    this.#wheel.cancel(lease);
    this.#leases.delete(key);
  }
}
