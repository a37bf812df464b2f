import { TurnableClock } from '@portolan/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TimerWheel, WheelNode } from './timer-wheel.ts';

class Numbered extends WheelNode {
  readonly number: number;
  constructor(number: number) {
    super();
    this.number = number;
  }
}

const step = fc.oneof(
  fc.record({
    do: fc.constant('schedule' as const),
    node: fc.nat(9),
    inMs: fc.oneof(fc.nat(50), fc.nat(5_000), fc.nat(900_000), fc.nat(80_000_000)),
  }),
  fc.record({ do: fc.constant('cancel' as const), node: fc.nat(9), inMs: fc.constant(0) }),
  fc.record({
    do: fc.constant('advance' as const),
    node: fc.constant(0),
    inMs: fc.oneof(fc.nat(30), fc.nat(10_000), fc.nat(1_000_000)),
  }),
);

describe('timer wheel', () => {
  it('fires what a plain list of due times fires: never early, at most a tick late, and once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const clock = new TurnableClock();
        const due = new Map<number, number>();
        const nodes = Array.from({ length: 10 }, (_, at) => new Numbered(at));
        const wheel = new TimerWheel<Numbered>(
          {
            tickMs: 10,
            onDue: (fired) => {
              for (const { number } of fired) {
                const dueMs = due.get(number);
                expect(dueMs).toBeDefined();
                expect(clock.now()).toBeGreaterThanOrEqual(dueMs ?? 0);
                expect(clock.now() - (dueMs ?? 0)).toBeLessThanOrEqual(10);
                due.delete(number);
              }
            },
          },
          clock,
        );
        for (const { do: what, node, inMs } of steps) {
          const one = nodes[node];
          if (!one) continue;
          if (what === 'advance') await clock.advance(inMs);
          else if (what === 'cancel') {
            wheel.cancel(one);
            due.delete(node);
          } else {
            wheel.schedule(one, clock.now() + inMs);
            due.set(node, clock.now() + inMs);
          }
          expect(wheel.size).toBe(due.size);
          expect(clock.pending).toBeLessThanOrEqual(1);
          for (const dueMs of due.values()) expect(clock.now()).toBeLessThanOrEqual(dueMs + 10);
        }
        wheel.close();
        expect(clock.pending).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  it('hands over what falls due together in slices, and what is cancelled or put off meanwhile in none', async () => {
    const clock = new TurnableClock();
    const slices: number[] = [];
    const nodes = Array.from({ length: 10_000 }, (_, at) => new Numbered(at));
    const fired = new Map<number, number>();
    const wheel = new TimerWheel<Numbered>(
      {
        tickMs: 10,
        onDue: (due) => {
          slices.push(due.length);
          for (const { number } of due) fired.set(number, clock.now());
          if (slices.length > 1) return;
          for (const node of nodes.slice(-100)) wheel.cancel(node);
          for (const node of nodes.slice(-200, -100)) wheel.schedule(node, 5_000);
        },
      },
      clock,
    );
    for (const node of nodes) wheel.schedule(node, 1_000);
    await clock.advance(1_000);
    expect(Math.max(...slices)).toBeLessThanOrEqual(2_000);
    expect(fired.size).toBe(9_800);
    expect(new Set(fired.values())).toEqual(new Set([1_000]));
    await clock.advance(4_000);
    expect(fired.size).toBe(9_900);
    expect(wheel.size).toBe(0);
    expect(clock.pending).toBe(0);
    wheel.close();
  });

  it('goes on when the clock jumps far, as after a suspended laptop', async () => {
    const clock = new TurnableClock();
    let fired = 0;
    const wheel = new TimerWheel({ tickMs: 10, onDue: (nodes) => (fired += nodes.length) }, clock);
    wheel.schedule(new WheelNode(), 86_400_000);
    await clock.advance(86_400_010);
    expect(fired).toBe(1);
    wheel.close();
  });
});
