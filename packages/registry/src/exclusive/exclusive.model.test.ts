import type { Instance, ServiceView } from '@portolan/core';
import { MemoryStore, TurnableClock } from '@portolan/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  anInstance,
  aWorld,
  CALLER,
  everyView,
  ref,
  WEB,
  type World,
} from '../test-registry/registry-world.ts';
import { isFit, successionOf } from './decide-term.ts';

const EXCLUSIVE = { namespace: 'default', group: 'default', service: 'web', exclusive: true };
const ID = 'default/default/web';
/** A planned loss may be some writes later than its hand-over, when others write meanwhile. */
const SOON = 10;

const at = fc.nat(4);
const write = fc.oneof(
  fc.record({
    do: fc.constant('register' as const),
    at,
    weight: fc.constantFrom(100, 100, 200, 0),
  }),
  fc.record({ do: fc.constant('deregister' as const), at }),
  fc.record({ do: fc.constant('intent' as const), at, enabled: fc.boolean() }),
  fc.record({
    do: fc.constant('report' as const),
    at,
    status: fc.constantFrom('passing' as const, 'warning' as const, 'critical' as const),
  }),
  fc.record({ do: fc.constant('hand-over' as const), at: fc.option(at, { nil: undefined }) }),
);
const lone = fc.oneof(
  { weight: 4, arbitrary: write },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('beat' as const), ids: fc.subarray([0, 1, 2, 3, 4]) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.integer({ min: 100, max: 11_000 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
);
type Write = typeof write extends fc.Arbitrary<infer T> ? T : never;

async function perform({ registry }: World, step: Write, lease?: 'none'): Promise<void> {
  switch (step.do) {
    case 'register': {
      const { weight } = step;
      await registry.register(anInstance(step.at, { weight, ...(lease && { lease }) }), CALLER);
      return;
    }
    case 'deregister':
      await registry.deregister(ref(step.at));
      return;
    case 'intent':
      await registry.setIntent(ref(step.at), { enabled: step.enabled });
      return;
    case 'report':
      await registry.heartbeat(ref(step.at), { status: step.status });
      return;
    case 'hand-over':
      await registry.handOver(WEB, step.at === undefined ? undefined : `i${step.at}`);
  }
}

/** Writes are refused for many good reasons here; what they leave behind is looked at. */
async function attempt(world: World, step: Write, lease?: 'none'): Promise<void> {
  await Promise.allSettled([perform(world, step, lease)]);
}

function activeIn({ instances }: ServiceView): readonly Instance[] {
  return instances.filter(({ exclusive }) => exclusive?.role === 'active');
}

/** What has to hold of every revision by itself, and of each to the one before. */
function checkHistory(views: readonly ServiceView[]): void {
  for (const [index, view] of views.entries()) {
    const { exclusive, instances } = view;
    const routable = instances.filter((one) => one.routable).map(({ id }) => id);
    expect(routable.length).toBeLessThanOrEqual(1);
    expect(activeIn(view).length).toBeLessThanOrEqual(1);
    for (const id of routable) expect(id).toBe(exclusive?.active);
    for (const one of instances) expect(one.exclusive?.term).toBe(exclusive?.term);
    const before = views[index - 1];
    if (!before?.exclusive || !exclusive || before.exclusive.term === exclusive.term) continue;
    expect(exclusive.term).toBeLessThanOrEqual(view.revision);
    expect(exclusive.term).toBeGreaterThan(before.exclusive.term);
    const former = before.instances.find(({ id }) => id === before.exclusive?.active);
    if (exclusive.reason === 'requested') continue;
    const isLost = views
      .slice(index - 1, index + SOON)
      .some(({ instances: then }) => !then.some((one) => one.id === former?.id && isFit(one)));
    expect(former === undefined || isLost).toBe(true);
    // Who decides may not have seen what others wrote a moment before.
    const firsts = views
      .slice(Math.max(0, index - SOON), index)
      .map((seen) => successionOf(seen.instances).find(({ id }) => id !== former?.id)?.id);
    expect(firsts).toContain(exclusive.active);
  }
}

function checkSettled({ registry }: World): void {
  const view = registry.view(WEB);
  if (!view || view.instances.length === 0) return;
  const active = view.exclusive?.active;
  const routable = view.instances.filter((one) => one.routable).map(({ id }) => id);
  expect(routable).toEqual(active === undefined ? [] : [active]);
  if (view.instances.some(isFit)) expect(active).toBeDefined();
}

describe('an exclusive service', () => {
  it('has at most one active instance at every revision, and one whenever one is fit, over leases and restarts', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(lone, { maxLength: 30 }), async (steps) => {
        let world = await aWorld();
        const { clock, store } = world;
        await world.registry.settingsDocuments.put(ID, EXCLUSIVE);
        for (const step of steps) {
          if (step.do === 'beat') await world.registry.renewBatch(step.ids.map(ref));
          else if (step.do === 'wait') await clock.advance(step.ms);
          else if (step.do === 'restart') {
            const before = world.registry.view(WEB)?.exclusive;
            await world.registry.close();
            world = await aWorld({ clock, store });
            expect(world.registry.view(WEB)?.exclusive ?? before).toEqual(before);
          } else await attempt(world, step);
          await clock.advance(100);
          checkSettled(world);
        }
        await world.registry.close();
        expect(clock.pending).toBe(0);
        checkHistory(await everyView(store));
      }),
      { numRuns: 200 },
    );
  });

  it('has at most one active instance at every revision while two registries race on one store', async () => {
    const races = fc.array(
      fc.array(fc.record({ through: fc.nat(1), step: write }), { minLength: 1, maxLength: 6 }),
      { maxLength: 12 },
    );
    await fc.assert(
      fc.asyncProperty(races, async (rounds) => {
        const store = new MemoryStore();
        const clock = new TurnableClock();
        const worlds = [
          await aWorld({ store, clock, seed: 1 }),
          await aWorld({ store, clock, seed: 2 }),
        ] as const;
        await worlds[0].registry.settingsDocuments.put(ID, EXCLUSIVE);
        for (const round of rounds) {
          const racing = round.map(({ through, step }) =>
            attempt(worlds[through] ?? worlds[0], step, 'none'),
          );
          let isOver = false;
          void Promise.all(racing).then(() => (isOver = true));
          while (!isOver) await clock.advance(20);
          for (let turn = 0; turn < 20; turn++) await clock.advance(20);
          for (const world of worlds) checkSettled(world);
          const [one, two] = worlds.map(({ registry }) => registry.view(WEB)?.exclusive);
          expect(one).toEqual(two);
        }
        for (const { registry } of worlds) await registry.close();
        expect(clock.pending).toBe(0);
        checkHistory(await everyView(store));
      }),
      { numRuns: 200 },
    );
  });
});
