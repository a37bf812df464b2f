import type { Clock, Registration, TimerHandle } from '@portolan/core';
import { TurnableClock } from '@portolan/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InstanceRecord } from '../catalogue/instance-record.ts';
import { shapeOf } from '../catalogue/registration-shape.ts';
import type { StoredStatus } from '../codec/status-codec.ts';
import { LeaseTable } from './lease-table.ts';

const SERVICE = { namespace: 'default', group: 'default', name: 'web' };

function aRecord(key: string, revision: number, ttlMs?: number, stored?: StoredStatus) {
  const registration: Registration = {
    id: key,
    service: SERVICE,
    address: '10.0.0.1',
    port: 80,
    tags: [],
    metadata: {},
    weight: 1,
    ...(ttlMs === undefined
      ? {}
      : { lease: { profile: 'custom', heartbeatMs: ttlMs / 3, ttlMs } as const }),
    checks: [],
    initialStatus: 'passing',
    registeredAtMs: 0,
  };
  return new InstanceRecord({
    key,
    service: SERVICE,
    address: registration.address,
    port: registration.port,
    registeredAtMs: registration.registeredAtMs,
    shape: shapeOf(registration),
    createRevision: 1,
    registrationRevision: revision,
    stored,
    statusRevision: 0,
    intent: { enabled: true },
    intentRevision: 0,
  });
}

/** A table with the records that its catalogue would hold. */
function aTableOn(clock: Clock, onExpired: (keys: readonly string[]) => void) {
  const records = new Map<string, InstanceRecord>();
  const table = new LeaseTable({ clock, recordOf: (key) => records.get(key), onExpired });
  /** As the catalogue does it: what it holds first, then who follows it. */
  const put = (key: string, after: InstanceRecord | undefined): void => {
    const before = records.get(key);
    if (after) records.set(key, after);
    else records.delete(key);
    table.follow({ key, before, after });
  };
  const renew = (key: string): ReturnType<LeaseTable['renew']> => {
    const record = records.get(key);
    return record ? table.renew(record) : 'none';
  };
  return { table, records, put, renew };
}

function aTable() {
  const clock = new TurnableClock();
  const expired: string[] = [];
  return { clock, expired, ...aTableOn(clock, (keys) => expired.push(...keys)) };
}

/** A clock whose timers come as late as the process is away. */
class AbsentClock implements Clock {
  #nowMs = 0;
  #timers: { readonly atMs: number; readonly callback: () => void }[] = [];

  now(): number {
    return this.#nowMs;
  }

  wallNow(): number {
    return this.#nowMs;
  }

  setTimer(delayMs: number, callback: () => void): TimerHandle {
    const timer = { atMs: this.#nowMs + delayMs, callback };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((each) => each !== timer);
      },
    };
  }

  /** Away for so long: what fell due comes only then, before anything that was sent meanwhile is read. */
  away(ms: number): void {
    this.#nowMs += ms;
    const due = this.#timers.filter(({ atMs }) => atMs <= this.#nowMs);
    this.#timers = this.#timers.filter(({ atMs }) => atMs > this.#nowMs);
    for (const { callback } of due) callback();
  }
}

describe('lease table', () => {
  it('does not take its own absence for silence: heartbeats that wait are read first', () => {
    const clock = new AbsentClock();
    const expired: string[] = [];
    const { table, put, renew } = aTableOn(clock, (keys) => expired.push(...keys));
    for (const key of ['living', 'dead']) {
      put(key, aRecord(key, 1, 1_000));
    }
    for (let turn = 0; turn < 20; turn++) {
      // Longer than the lease, again and again; then what was sent meanwhile is read.
      clock.away(1_500);
      expect(renew('living')).toBe('renewed');
    }
    expect(expired).toEqual(['dead']);
    table.close();
  });

  it('forgives no more than a term: who is dead is gone after two, however slow we are', () => {
    const clock = new AbsentClock();
    let goneAtMs: number | undefined;
    const { table, put } = aTableOn(clock, () => {
      goneAtMs = clock.now();
    });
    put('dead', aRecord('dead', 1, 6_000));
    while (goneAtMs === undefined && clock.now() < 60_000) clock.away(800);
    expect(goneAtMs).toBeGreaterThan(6_000);
    expect(goneAtMs).toBeLessThanOrEqual(12_000 + 2 * 800);
    table.close();
  });

  it('expires at once what fell due while we were there', () => {
    const clock = new AbsentClock();
    const expired: string[] = [];
    const { table, put } = aTableOn(clock, (keys) => expired.push(...keys));
    put('dead', aRecord('dead', 1, 1_000));
    for (let turn = 0; turn < 22; turn++) clock.away(50);
    expect(expired).toEqual(['dead']);
    table.close();
  });

  it('tells very many expiries in slices, says when it is done, and hears whoever comes meanwhile', async () => {
    const clock = new TurnableClock();
    const slices: { readonly expired: number; readonly isLast: boolean }[] = [];
    const keys = Array.from({ length: 5_000 }, (_, at) => `k${at}`);
    const { table, put, renew } = aTableOn(clock, (expired) => {
      slices.push({ expired: expired.length, isLast: !table.isExpiring });
      if (slices.length === 1) for (const key of keys.slice(-3_000)) renew(key);
    });
    for (const key of keys) put(key, aRecord(key, 1, 1_000));
    await clock.advance(1_100);
    expect(slices.at(-1)?.isLast).toBe(true);
    expect(slices.slice(0, -1).every(({ isLast }) => !isLast)).toBe(true);
    expect(slices.reduce((sum, { expired }) => sum + expired, 0)).toBe(2_000);
    expect(table.isExpired('k4999')).toBe(false);
    table.close();
  });

  it('does not take the time that its own slices take for an absence', () => {
    const clock = new AbsentClock();
    let expired = 0;
    const { table, put } = aTableOn(clock, (keys) => {
      expired += keys.length;
    });
    for (let at = 0; at < 20_000; at++) put(`k${at}`, aRecord(`k${at}`, 1, 1_000));
    clock.away(1_000);
    for (let slice = 0; slice < 10; slice++) clock.away(100);
    expect(expired).toBe(20_000);
    table.close();
  });

  it('tells an expiry once, and of a return after it', async () => {
    const { clock, expired, table, put, renew } = aTable();
    put('a', aRecord('a', 1, 1_000));
    expect(renew('a')).toBe('renewed');
    expect(renew('b')).toBe('none');
    await clock.advance(5_000);
    expect(expired).toEqual(['a']);
    expect(table.isSilent('a')).toBe(true);
    expect(renew('a')).toBe('returned');
    expect(renew('a')).toBe('renewed');
    await clock.advance(1_100);
    expect(expired).toEqual(['a', 'a']);
    table.close();
    expect(clock.pending).toBe(0);
  });

  it('takes a shorter term at once when the registration changes', async () => {
    const { clock, expired, put } = aTable();
    put('a', aRecord('a', 1, 90_000));
    put('a', aRecord('a', 2, 1_000));
    await clock.advance(1_060);
    expect(expired).toEqual(['a']);
  });

  it('keeps the term of an instance whose status changes, and forgets it with the lease', async () => {
    const { clock, expired, table, put, renew } = aTable();
    put('a', aRecord('a', 1, 1_000));
    await clock.advance(600);
    const stored = { status: 'warning', reason: '', protected: false, checks: {} } as const;
    put('a', aRecord('a', 1, 1_000, stored));
    expect(table.get('a')?.remainingMs).toBe(400);
    put('a', aRecord('a', 2, undefined));
    put('b', aRecord('b', 3, 1_000));
    await clock.advance(600);
    expect(expired).toEqual([]);
    expect(renew('a')).toBe('none');
    expect(table.get('a')).toBeUndefined();
    expect(table.size).toBe(1);
  });

  it('gives what protection keeps a full term, but waits to hear of it', async () => {
    const { clock, expired, table, put, renew } = aTable();
    const stored = { status: 'critical', reason: '', protected: true, checks: {} } as const;
    put('a', aRecord('a', 1, 1_000, stored));
    expect(table.isSilent('a')).toBe(true);
    await clock.advance(900);
    expect(expired).toEqual([]);
    expect(renew('a')).toBe('returned');
    expect(table.isSilent('a')).toBe(false);
  });

  it('agrees with a list of due times and keeps one timer, whatever is granted, renewed or dropped', async () => {
    const step = fc.record({
      do: fc.constantFrom('grant', 'renew', 'drop', 'wait'),
      key: fc.constantFrom('a', 'b', 'c', 'd'),
      ms: fc.integer({ min: 1, max: 4_000 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { clock, table, records, put, renew } = aTable();
        const due = new Map<string, number>();
        let revision = 0;
        for (const { do: what, key, ms } of steps) {
          const before = records.get(key);
          if (what === 'grant') {
            put(key, aRecord(key, ++revision, ms));
            due.set(key, clock.now() + ms);
          } else if (what === 'drop') {
            put(key, undefined);
            due.delete(key);
          } else if (what === 'renew') {
            const ttlMs = before?.instance.lease?.ttlMs;
            expect(renew(key) === 'none').toBe(ttlMs === undefined);
            if (ttlMs !== undefined) due.set(key, clock.now() + ttlMs);
          } else await clock.advance(ms);
          for (const [one, dueMs] of due) {
            if (clock.now() < dueMs) expect(table.isExpired(one)).toBe(false);
            if (clock.now() > dueMs + 50) expect(table.isExpired(one)).toBe(true);
          }
          expect(table.size).toBe(due.size);
          expect(clock.pending).toBeLessThanOrEqual(1);
        }
        table.close();
        expect(clock.pending).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});
