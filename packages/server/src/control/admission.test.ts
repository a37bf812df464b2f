import { type Clock, isRegistryError, NO_METRICS, type RequestClass } from '@portolan/core';
import { seededRandom, TurnableClock } from '@portolan/testing';
import { describe, expect, test } from 'vitest';
import { createAdmission } from './admission.ts';

const ALL: readonly RequestClass[] = ['essential', 'heartbeat', 'write', 'read'];

function admitting(
  options: { requests?: number; bytes?: number; lagMs?: number } = {},
  clock?: Clock,
) {
  return createAdmission(
    { requests: 100, bytes: 1_000, lagMs: 0, ...options },
    {
      name: 'test',
      clock: clock ?? new TurnableClock(),
      random: seededRandom(3),
      metrics: NO_METRICS,
    },
  );
}

/** Of a thousand requests of a kind, the share that was admitted. */
function share(admission: ReturnType<typeof admitting>, kind: RequestClass): number {
  let count = 0;
  for (let at = 0; at < 1_000; at++) {
    try {
      admission.enter(kind);
    } catch (error) {
      if (!isRegistryError(error)) throw error;
      expect(error.code).toBe('CONTROL_OVERLOADED');
      expect([1_000, 2_000, 3_000]).toContain(error.retryAfterMs);
      continue;
    }
    admission.leave(kind);
    count += 1;
  }
  return count / 1_000;
}

const shares = (admission: ReturnType<typeof admitting>) =>
  ALL.map((kind) => share(admission, kind));

describe('the admission of the control port', () => {
  test('refuses reads first, then writes, then heartbeats, and never what it is observed by', () => {
    const admission = admitting();
    const seen: number[][] = [];
    for (const held of [1_000, 1_500, 2_000, 3_000, 4_000, 8_000, 12_000, 16_000]) {
      admission.hold(held);
      seen.push(shares(admission).map((figure) => Math.round(figure * 2) / 2));
      admission.leave('read', held);
    }
    expect(seen).toEqual([
      [1, 1, 1, 1],
      [1, 1, 1, 0.5],
      [1, 1, 1, 0],
      [1, 1, 0.5, 0],
      [1, 1, 0, 0],
      [1, 1, 0, 0],
      [1, 0.5, 0, 0],
      [1, 0, 0, 0],
    ]);
    expect(admission.pressure).toBe(0);
  });

  test('counts writes that wait, and not reads, which may wait for a change for minutes', () => {
    const admission = admitting();
    for (let at = 0; at < 500; at++) admission.enter('read');
    expect(admission.pressure).toBe(0);
    for (let at = 0; at < 200; at++) admission.enter('write');
    expect(admission.pressure).toBe(2);
    expect(share(admission, 'read')).toBe(0);
    for (let at = 0; at < 200; at++) admission.leave('write');
    expect(share(admission, 'read')).toBe(1);
  });

  test('looks at the lag of the loop while requests come, and leaves no timer', () => {
    let nowMs = 0;
    let due: (() => void) | undefined;
    const clock: Clock = {
      now: () => nowMs,
      wallNow: () => nowMs,
      setTimer(_delayMs, callback) {
        due = callback;
        return { cancel: () => (due = undefined) };
      },
    };
    const fire = (): void => {
      const callback = due;
      due = undefined;
      callback?.();
    };
    const admission = admitting({ lagMs: 100 }, clock);
    admission.enter('write');
    for (let at = 0; at < 40; at++) {
      nowMs += 100 + 250;
      fire();
    }
    expect(admission.pressure).toBeCloseTo(2.5, 1);
    expect(shares(admission)).toEqual([1, 1, expect.closeTo(0.75, 1), 0]);
    admission.leave('write');
    nowMs += 100;
    fire();
    fire();
    expect([admission.pressure, due]).toEqual([0, undefined]);
    admission.enter('read');
    expect(due).toBeDefined();
    admission.close();
    expect(due).toBeUndefined();
  });
});
