import { settle } from '@portolan/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_REGISTRY_OPTIONS } from '../options/registry-options.ts';
import {
  anInstance,
  aWorld,
  CALLER,
  LEASE,
  ref,
  WEB,
  type World,
} from '../test-registry/registry-world.ts';

const OPTIONS = DEFAULT_REGISTRY_OPTIONS.protection;
const BEAT_MS = 3_000;

async function aFleet(size: number): Promise<World> {
  const world = await aWorld();
  for (let at = 0; at < size; at++) await world.registry.register(anInstance(at), CALLER);
  return world;
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => from + at);

/** These are heard for so long; whoever has to register again does. */
async function hear({ registry, clock }: World, ids: readonly number[], ms: number) {
  for (const endMs = clock.now() + ms; clock.now() < endMs; ) {
    const unknown = await registry.renewBatch(ids.map(ref));
    for (const { id } of unknown) await registry.register(anInstance(Number(id.slice(1))), CALLER);
    await clock.advance(Math.min(BEAT_MS, endMs - clock.now()));
  }
  await settle();
}

function stateOf({ registry }: World) {
  const summary = registry.services()[0];
  return {
    instances: summary?.instances ?? 0,
    routable: summary?.routable ?? 0,
    protected: summary?.protected ?? false,
    kept: registry.view(WEB)?.protection?.kept ?? 0,
  };
}

/** How long it takes to evict so many, by the documented pace: a tenth a second, at least one. */
function evictionMs(kept: number): number {
  let seconds = 0;
  for (let left = kept; left > 0; seconds++)
    left -= Math.max(1, Math.ceil(left * OPTIONS.evictShare));
  return (seconds + 1) * 1_000;
}

describe('a scale-down', () => {
  it('by deregistration is never protected, one by one or all at once, down to nothing', async () => {
    const world = await aFleet(20);
    let entered = 0;
    world.registry.events.subscribe((events) => {
      entered += events.filter(({ type }) => type === 'protection-entered').length;
    });
    await Promise.all(range(4, 20).map((at) => world.registry.deregister(ref(at))));
    expect(stateOf(world)).toEqual({ instances: 4, routable: 4, protected: false, kept: 0 });
    for (const at of range(0, 4)) await world.registry.deregister(ref(at));
    await world.clock.advance(120_000);
    expect([entered, world.registry.services()]).toEqual([0, []]);
    await world.registry.close();
  });

  it('by disappearance is protected, and believed when the rest was steady for its time', async () => {
    const world = await aFleet(40);
    await hear(world, range(0, 10), LEASE.ttlMs + 2_000);
    expect(stateOf(world)).toEqual({ instances: 40, routable: 40, protected: true, kept: 30 });
    await hear(world, range(0, 10), OPTIONS.steadyMs - 15_000);
    expect(stateOf(world)).toMatchObject({ instances: 40, protected: true });
    await hear(world, range(0, 10), 15_000 + LEASE.ttlMs + evictionMs(30));
    expect(stateOf(world)).toEqual({ instances: 10, routable: 10, protected: false, kept: 0 });
    await world.registry.close();
  });

  it('to nothing by disappearance is believed after the longest time', async () => {
    const world = await aFleet(10);
    await world.clock.advance(LEASE.ttlMs + OPTIONS.maxDurationMs - 10_000);
    expect(stateOf(world)).toMatchObject({ instances: 10, protected: true });
    await world.clock.advance(20_000 + evictionMs(10));
    expect(world.registry.services()).toEqual([]);
    await world.registry.close();
    expect(world.clock.pending).toBe(0);
  });

  it('of which a part comes back ends early once three quarters are heard', async () => {
    const world = await aFleet(20);
    await world.clock.advance(LEASE.ttlMs + 1_000);
    expect(stateOf(world)).toMatchObject({ routable: 20, kept: 20 });
    await hear(world, range(0, 14), 6_000);
    expect(stateOf(world)).toMatchObject({ instances: 20, kept: 6 });
    await hear(world, range(0, 15), 3_000 + evictionMs(5));
    expect(stateOf(world)).toEqual({ instances: 15, routable: 15, protected: false, kept: 0 });
    await world.registry.close();
  });

  it('within a protection takes out what was deregistered at once', async () => {
    const world = await aFleet(20);
    await world.clock.advance(LEASE.ttlMs + 1_000);
    await world.registry.deregister(ref(3));
    expect(stateOf(world)).toMatchObject({
      instances: 19,
      routable: 19,
      protected: true,
      kept: 19,
    });
    await world.registry.close();
  });
});

describe('protection that is switched off', () => {
  it('gives up what it keeps at the pace of an eviction, also when more is lost meanwhile', async () => {
    const world = await aFleet(12);
    await hear(world, [0, 1], LEASE.ttlMs + 2_000);
    expect(stateOf(world)).toMatchObject({ instances: 12, kept: 10 });
    world.registry.updateOptions({ protection: { enabled: false } });
    await hear(world, [0], LEASE.ttlMs + 2_000 + evictionMs(10));
    expect(stateOf(world)).toEqual({ instances: 1, routable: 1, protected: false, kept: 0 });
    await world.registry.close();
  });
});

describe('a restart within protection', () => {
  it('keeps what was kept, waits for it anew, and loses none that returns', async () => {
    const first = await aFleet(12);
    await first.clock.advance(LEASE.ttlMs + 60_000);
    await first.registry.close();
    await first.clock.advance(30_000);
    const second = await aWorld({ store: first.store, clock: first.clock });
    expect(stateOf(second)).toMatchObject({ routable: 12, kept: 12 });
    await hear(second, [0, 1], LEASE.ttlMs + 30_000);
    expect(stateOf(second)).toMatchObject({ routable: 12, kept: 10 });
    await hear(second, range(0, 12), 9_000);
    expect(stateOf(second)).toEqual({ instances: 12, routable: 12, protected: false, kept: 0 });
    await second.registry.close();
  });

  it('believes the loss in the end, counted from the restart', async () => {
    const first = await aFleet(12);
    await first.clock.advance(LEASE.ttlMs + OPTIONS.maxDurationMs / 2);
    await first.registry.close();
    const second = await aWorld({ store: first.store, clock: first.clock });
    await second.clock.advance(OPTIONS.maxDurationMs - 5_000);
    expect(stateOf(second)).toMatchObject({ routable: 12, protected: true });
    await second.clock.advance(10_000 + evictionMs(12));
    expect(second.registry.services()).toEqual([]);
    await second.registry.close();
    expect(second.clock.pending).toBe(0);
  });

  it('goes on evicting one that had begun', async () => {
    const first = await aFleet(40);
    await hear(first, range(0, 10), LEASE.ttlMs + OPTIONS.steadyMs + 6_000);
    const { kept } = stateOf(first);
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThan(30);
    await first.registry.close();
    const second = await aWorld({ store: first.store, clock: first.clock });
    await hear(second, range(0, 10), OPTIONS.steadyMs + LEASE.ttlMs + evictionMs(kept));
    expect(stateOf(second)).toEqual({ instances: 10, routable: 10, protected: false, kept: 0 });
    await second.registry.close();
  });
});

const SIZE = 12;
const step = fc.oneof(
  fc.record({ do: fc.constant('silence' as const), ids: fc.subarray(range(0, SIZE)) }),
  fc.record({ do: fc.constant('return' as const), ids: fc.subarray(range(0, SIZE)) }),
  fc.record({ do: fc.constant('leave' as const), id: fc.nat(SIZE - 1) }),
  fc.record({ do: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 200 }) }),
  fc.record({ do: fc.constant('restart' as const) }),
);

describe('mass-loss protection', () => {
  it('never costs a living instance its place, never keeps a deregistered one, and ends in time, whatever happens', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        let world = await aFleet(SIZE);
        const living = new Set(range(0, SIZE));
        const left = new Set<number>();
        const look = (): void => {
          for (const at of living) expect(world.registry.instance(ref(at))?.routable).toBe(true);
          for (const at of left) expect(world.registry.instance(ref(at))).toBeUndefined();
        };
        for (const one of steps) {
          if (one.do === 'silence') for (const at of one.ids) living.delete(at);
          if (one.do === 'return') {
            for (const at of one.ids) {
              living.add(at);
              left.delete(at);
            }
            await hear(world, [...living], 1);
          }
          if (one.do === 'leave' && world.registry.instance(ref(one.id))) {
            await world.registry.deregister(ref(one.id));
            living.delete(one.id);
            left.add(one.id);
          }
          if (one.do === 'wait') await hear(world, [...living], one.seconds * 1_000);
          if (one.do === 'restart') {
            const { store, clock } = world;
            await world.registry.close();
            world = await aWorld({ store, clock });
          }
          look();
        }
        await hear(world, [...living], LEASE.ttlMs + OPTIONS.maxDurationMs + evictionMs(SIZE));
        look();
        expect(stateOf(world)).toMatchObject({ instances: living.size, protected: false });
        await world.registry.close();
        expect(world.clock.pending).toBe(0);
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});
