import type { Clock, LeaseSpec } from '@portolan/core';
import { type InstanceRecord, NO_LEASE, type RecordDelta } from '../catalogue/instance-record.ts';
import { SlotWheel } from '../time/slot-wheel.ts';

const TICK_MS = 50;
/** Noticed so late, an expiry says that this process was away, not that the instance is: its heartbeat may wait to be read. */
const AWAY_MS = 250;
const FIRST_SLOTS = 1_024;

/** What nobody speaks for. */
const EXPIRED = 1;
/** Found kept by mass-loss protection and not heard since: it has a term, but nobody has vouched for it. */
const AWAITED = 2;

export interface LeaseTableDeps {
  readonly clock: Clock;
  /** The newest record of a key: the one that `follow` was or will be told of last. */
  readonly recordOf: (key: string) => InstanceRecord | undefined;
  /**
   * Told once per expiry; the lease stays expired until renewed or removed. Of very many it is told in slices while
   * `isExpiring`, and once more, be it of none, when that is over.
   */
  readonly onExpired: (keys: readonly string[]) => void;
}

/**
 * Who has to be heard from, and until when. Renewal moves a number in memory; the wheel notices on the old due time that
 * there is a newer one, so that a heartbeat costs neither a timer nor an allocation. A lease is no object but a slot, whose number
 * the record carries: a million of them are made in no time and never walked by the collector.
 */
export class LeaseTable {
  readonly #deps: LeaseTableDeps;
  readonly #clock: Clock;
  readonly #wheel: SlotWheel;
  readonly #keys: (string | undefined)[] = [];
  readonly #free: number[] = [];
  #dueMs = new Float64Array(FIRST_SLOTS);
  /** Until when our own absence is forgiven at most; 0 while none was since it was heard last. */
  #lastChanceMs = new Float64Array(FIRST_SLOTS);
  #marks = new Uint8Array(FIRST_SLOTS);
  /** When a slice of those that fell due together was looked at last; undefined while there is none left. */
  #slicedMs: number | undefined;

  constructor(deps: LeaseTableDeps) {
    this.#deps = deps;
    this.#clock = deps.clock;
    const onDue = (slots: readonly number[]): void => this.#expire(slots);
    this.#wheel = new SlotWheel({ tickMs: TICK_MS, onDue }, deps.clock);
  }

  get size(): number {
    return this.#keys.length - this.#free.length;
  }

  /** Whether more leases are found expired at the clock's next turn: what they say of a service is not all known yet. */
  get isExpiring(): boolean {
    return this.#wheel.isBehind;
  }

  /** Follows the catalogue: a new or changed registration has a full term from now. */
  follow({ key, before, after }: RecordDelta): void {
    const slot = before?.leaseSlot ?? NO_LEASE;
    if (!after?.lease) {
      if (slot !== NO_LEASE) this.#drop(slot);
      return;
    }
    if (before && before.registrationRevision === after.registrationRevision) {
      after.leaseSlot = slot;
      return;
    }
    after.leaseSlot = slot === NO_LEASE ? this.#add(key) : slot;
    const isAwaited = before === undefined && after.stored?.protected === true;
    this.#marks[after.leaseSlot] = isAwaited ? AWAITED : 0;
    this.#giveTerm(after.leaseSlot, after.lease, this.#clock.now());
    this.#schedule(after.leaseSlot);
  }

  /** `returned`: it counted as lost until now, and whoever judges health has to look again. */
  renew(record: InstanceRecord): 'none' | 'renewed' | 'returned' {
    if (!record.lease || record.leaseSlot === NO_LEASE) return 'none';
    return this.#renew(record.leaseSlot, record.lease, this.#clock.now()) ? 'returned' : 'renewed';
  }

  /** As `renew` of each that is one; gives those that returned. */
  renewMany(records: readonly (InstanceRecord | undefined)[]): readonly InstanceRecord[] {
    const nowMs = this.#clock.now();
    const returned: InstanceRecord[] = [];
    for (const record of records) {
      const lease = record?.lease;
      if (!record || !lease || record.leaseSlot === NO_LEASE) continue;
      if (this.#renew(record.leaseSlot, lease, nowMs)) returned.push(record);
    }
    return returned;
  }

  #renew(slot: number, lease: LeaseSpec, nowMs: number): boolean {
    this.#giveTerm(slot, lease, nowMs);
    if (this.#marks[slot] === 0) return false;
    this.#marks[slot] = 0;
    this.#schedule(slot);
    return true;
  }

  isExpired(key: string): boolean {
    return (this.#marksOf(key) & EXPIRED) !== 0;
  }

  /** Whether it has a lease and nobody speaks for it: expired, or kept by protection and not heard since. */
  isSilent(key: string): boolean {
    return this.#marksOf(key) !== 0;
  }

  get(key: string): { readonly spec: LeaseSpec; readonly remainingMs: number } | undefined {
    const record = this.#deps.recordOf(key);
    if (!record?.lease || record.leaseSlot === NO_LEASE) return undefined;
    const leftMs = (this.#dueMs[record.leaseSlot] ?? 0) - this.#clock.now();
    return { spec: record.lease, remainingMs: Math.max(0, leftMs) };
  }

  close(): void {
    this.#wheel.close();
  }

  #marksOf(key: string): number {
    const slot = this.#deps.recordOf(key)?.leaseSlot ?? NO_LEASE;
    return slot === NO_LEASE ? 0 : (this.#marks[slot] ?? 0);
  }

  #expire(slots: readonly number[]): void {
    const nowMs = this.#clock.now();
    const expired: string[] = [];
    const awayMs = this.#awayMs(slots, nowMs);
    const isLast = this.#slicedMs !== undefined && !this.isExpiring;
    this.#slicedMs = this.isExpiring ? nowMs : undefined;
    for (const slot of slots) {
      const key = this.#keys[slot];
      if (key === undefined) continue;
      if ((this.#dueMs[slot] ?? 0) > nowMs) this.#schedule(slot);
      else if (awayMs > AWAY_MS && this.#forgive(slot, key, nowMs + awayMs)) continue;
      else {
        this.#marks[slot] = (this.#marks[slot] ?? 0) | EXPIRED;
        expired.push(key);
      }
    }
    if (expired.length > 0 || isLast) this.#deps.onExpired(expired);
  }

  /** How long nobody was listened to: between slices everybody was. */
  #awayMs(slots: readonly number[], nowMs: number): number {
    if (this.#slicedMs !== undefined) return nowMs - this.#slicedMs;
    let awayMs = 0;
    for (const slot of slots) awayMs = Math.max(awayMs, nowMs - (this.#dueMs[slot] ?? 0));
    return awayMs;
  }

  /** Gives a lease the time that we were away, until `untilMs`; false when it has had a whole term more than its own. */
  #forgive(slot: number, key: string, untilMs: number): boolean {
    const nowMs = this.#clock.now();
    let lastMs = this.#lastChanceMs[slot] ?? 0;
    if (lastMs === 0) {
      const ttlMs = this.#deps.recordOf(key)?.lease?.ttlMs ?? 0;
      // After an absence longer than that, what was sent meanwhile is still read once.
      lastMs = Math.max((this.#dueMs[slot] ?? 0) + ttlMs, nowMs + TICK_MS);
      this.#lastChanceMs[slot] = lastMs;
    }
    const dueMs = Math.min(untilMs, lastMs);
    if (dueMs <= nowMs) return false;
    this.#dueMs[slot] = dueMs;
    this.#schedule(slot);
    return true;
  }

  #giveTerm(slot: number, { ttlMs }: LeaseSpec, nowMs: number): void {
    this.#dueMs[slot] = nowMs + ttlMs;
    this.#lastChanceMs[slot] = 0;
  }

  #schedule(slot: number): void {
    this.#wheel.schedule(slot, this.#dueMs[slot] ?? 0);
  }

  #add(key: string): number {
    const slot = this.#free.pop() ?? this.#keys.length;
    this.#keys[slot] = key;
    if (slot < this.#dueMs.length) return slot;
    const slots = Math.floor(this.#dueMs.length * 1.5);
    this.#dueMs = enlarged(this.#dueMs, new Float64Array(slots));
    this.#lastChanceMs = enlarged(this.#lastChanceMs, new Float64Array(slots));
    this.#marks = enlarged(this.#marks, new Uint8Array(slots));
    return slot;
  }

  #drop(slot: number): void {
    this.#wheel.cancel(slot);
    this.#keys[slot] = undefined;
    this.#free.push(slot);
  }
}

function enlarged<A extends Float64Array | Uint8Array>(present: A, larger: A): A {
  larger.set(present);
  return larger;
}
