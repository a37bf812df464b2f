import type { Clock, TimerHandle } from '@portolan/core';
import { seededRandom } from '@portolan/testing';
import { describe, expect, test } from 'vitest';
import { createOverloadGuard } from './overload-guard.ts';

/** A clock whose timers may fire late, as on a busy loop. */
class LateClock implements Clock {
  #nowMs = 0;
  #due: { atMs: number; callback: () => void } | undefined;

  now(): number {
    return this.#nowMs;
  }

  wallNow(): number {
    return this.#nowMs;
  }

  setTimer(delayMs: number, callback: () => void): TimerHandle {
    const due = { atMs: this.#nowMs + delayMs, callback };
    this.#due = due;
    return {
      cancel: () => {
        if (this.#due === due) this.#due = undefined;
      },
    };
  }

  get pending(): boolean {
    return this.#due !== undefined;
  }

  /** Fires the next timer that many milliseconds late. */
  fire(lateMs: number): void {
    const due = this.#due;
    if (!due) throw new Error('no timer');
    this.#due = undefined;
    this.#nowMs = due.atMs + lateMs;
    due.callback();
  }
}

function guarding(options: { maxRequests?: number; lagMs?: number } = {}) {
  const clock = new LateClock();
  const shed = { requests: 0, lag: 0 };
  const guard = createOverloadGuard(
    { maxRequests: 10, lagMs: 100, ...options },
    {
      clock,
      random: seededRandom(7),
      shed: (reason) => ({
        inc: () => {
          shed[reason] += 1;
        },
      }),
    },
  );
  return { clock, guard, shed };
}

/** Of a thousand requests one after another, the share that was admitted. */
function admitted(guard: { admit(): boolean; ended(): void }): number {
  let count = 0;
  for (let at = 0; at < 1_000; at++) {
    if (guard.admit()) count += 1;
    guard.ended();
  }
  return count / 1_000;
}

describe('the guard against overload', () => {
  test('admits as many at a time as allowed, and the next once one has ended', () => {
    const { guard, shed } = guarding();
    const first = Array.from({ length: 12 }, () => guard.admit());
    expect(first.filter(Boolean)).toHaveLength(10);
    expect(shed).toEqual({ requests: 2, lag: 0 });
    for (let at = 0; at < 2; at++) guard.ended();
    expect(guard.admit()).toBe(false);
    guard.ended();
    guard.ended();
    expect(guard.admit()).toBe(true);
  });

  test('takes a single pause for no overload', () => {
    const { clock, guard } = guarding();
    guard.admit();
    clock.fire(300);
    expect(guard.lagMs).toBeCloseTo(90);
    expect(admitted(guard)).toBe(1);
  });

  test('refuses more the longer the loop lags, and everything at twice the limit', () => {
    const { clock, guard, shed } = guarding();
    guard.admit();
    const shares: number[] = [];
    for (const lateMs of [100, 130, 160, 200]) {
      for (let at = 0; at < 30; at++) clock.fire(lateMs);
      shares.push(admitted(guard));
    }
    expect(shares[0]).toBe(1);
    expect(shares[1]).toBeCloseTo(0.7, 1);
    expect(shares[2]).toBeCloseTo(0.4, 1);
    expect(shares[3]).toBeLessThan(0.01);
    expect(shed.lag).toBeGreaterThan(1_000);
    for (let at = 0; at < 30; at++) clock.fire(0);
    expect(admitted(guard)).toBe(1);
  });

  test('does not look at the lag when told so, and leaves no timer', () => {
    const off = guarding({ lagMs: 0 });
    expect(admitted(off.guard)).toBe(1);
    expect(off.clock.pending).toBe(false);
    const { clock, guard } = guarding();
    guard.admit();
    guard.close();
    expect(clock.pending).toBe(false);
  });

  test('looks at it only while requests are under way', () => {
    const { clock, guard } = guarding();
    expect(clock.pending).toBe(false);
    guard.admit();
    clock.fire(50);
    expect(clock.pending).toBe(true);
    guard.ended();
    clock.fire(50);
    expect([clock.pending, guard.lagMs]).toEqual([false, 0]);
  });
});
