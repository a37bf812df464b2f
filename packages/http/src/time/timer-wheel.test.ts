import { TurnableClock } from '@portolan/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TimerWheel, WheelTimer } from './timer-wheel.ts';

const TIMERS = 4;
const TICK_MS = 100;

type Step =
  | { readonly kind: 'arm'; readonly timer: number; readonly delayMs: number }
  | { readonly kind: 'disarm'; readonly timer: number }
  | { readonly kind: 'turn'; readonly ms: number };

const timer = fc.nat(TIMERS - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('arm' as const),
    timer,
    delayMs: fc.oneof(fc.nat(2_000), fc.nat(120_000)),
  }),
  fc.record({ kind: fc.constant('disarm' as const), timer }),
  fc.record({
    kind: fc.constant('turn' as const),
    ms: fc.oneof(fc.nat(500), fc.nat(60_000)),
  }),
);

describe('a timer wheel', () => {
  it('fires each deadline once, never early and at most two ticks late, whatever moved before', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const clock = new TurnableClock();
        const wheel = new TimerWheel(clock, TICK_MS);
        const due: (number | undefined)[] = Array.from({ length: TIMERS }, () => undefined);
        const timers = due.map(
          (_, index) =>
            new WheelTimer(() => {
              const deadline = due[index];
              expect(deadline).toBeDefined();
              expect(clock.now()).toBeGreaterThanOrEqual(deadline ?? 0);
              expect(clock.now()).toBeLessThanOrEqual((deadline ?? 0) + 2 * TICK_MS);
              due[index] = undefined;
            }),
        );
        for (const each of steps) {
          if (each.kind === 'turn') {
            await clock.advance(each.ms);
            for (const deadline of due) {
              if (deadline !== undefined) {
                expect(deadline + 2 * TICK_MS).toBeGreaterThan(clock.now());
              }
            }
            continue;
          }
          const target = timers[each.timer] as WheelTimer;
          if (each.kind === 'arm') {
            wheel.arm(target, each.delayMs);
            due[each.timer] = clock.now() + each.delayMs;
          } else {
            wheel.disarm(target);
            due[each.timer] = undefined;
          }
        }
        await clock.advance(240_000);
        expect(due.every((deadline) => deadline === undefined)).toBe(true);
        expect(wheel.waiting).toBe(0);
        expect(clock.pending).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  it('leaves nothing behind when it is closed', async () => {
    const clock = new TurnableClock();
    const wheel = new TimerWheel(clock);
    let fired = 0;
    wheel.arm(new WheelTimer(() => fired++), 100);
    wheel.close();
    await clock.advance(1_000);
    expect([fired, clock.pending, wheel.waiting]).toEqual([0, 0, 0]);
  });
});
