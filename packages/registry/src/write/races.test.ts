import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  isRegistryError,
  NO_LOGGER,
  type RegistryEvent,
  type ServiceView,
  type Store,
} from '@portolan/core';
import { MemoryStore, settle, TurnableClock } from '@portolan/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openEmbeddedStore } from '../store/embedded-store.ts';
import {
  aCheck,
  anInstance,
  aWorld,
  aWorldOn,
  CALLER,
  everyView,
  ref,
  WEB,
  type World,
} from '../test-registry/registry-world.ts';

interface Racer {
  /** Turns of the microtask queue before it starts. */
  readonly after: number;
  readonly through: number;
  readonly id: number;
  /** Absent: it deregisters. */
  readonly port: number | undefined;
  /** Tells one registration of an id at a port from another. */
  readonly version: number;
}

type Told =
  | { readonly what: 'created' | 'updated' | 'unchanged'; readonly superseded: string | undefined }
  | { readonly what: 'deregistered' | 'refused' | 'unknown' };

const racer = fc.record({
  after: fc.nat(12),
  through: fc.nat(1),
  id: fc.nat(4),
  port: fc.oneof(
    { weight: 5, arbitrary: fc.nat(3) },
    { weight: 1, arbitrary: fc.constant(undefined) },
  ),
  version: fc.nat(1),
});
const field = fc.array(racer, { minLength: 2, maxLength: 24 });

async function run({ registry }: Pick<World, 'registry'>, one: Racer): Promise<Told> {
  for (let turn = 0; turn < one.after; turn++) await Promise.resolve();
  try {
    if (one.port === undefined) {
      await registry.deregister(ref(one.id));
      return { what: 'deregistered' };
    }
    const { port, version } = one;
    const input = anInstance(one.id, { port: 80 + port, lease: 'none', weight: 1 + version });
    const { created, changed, superseded } = await registry.register(input, CALLER);
    return { what: created ? 'created' : changed ? 'updated' : 'unchanged', superseded };
  } catch (error) {
    if (!isRegistryError(error)) throw error;
    if (error.code === 'INSTANCE_NOT_FOUND') return { what: 'unknown' };
    expect(error.code).toBe('ADDRESS_CONFLICT');
    return { what: 'refused' };
  }
}

function expectNoAddressTwice(views: readonly ServiceView[]): void {
  for (const { revision, instances } of views) {
    const places = instances.map(({ address, port }) => `${address}:${port}`);
    expect([revision, new Set(places).size]).toEqual([revision, places.length]);
  }
}

/** How often what was told, and how often it happened. */
function tally(told: readonly Told[], events: readonly RegistryEvent[]) {
  const count = (what: Told['what']) => told.filter((one) => one.what === what).length;
  const happened = (reason: string) =>
    events.filter((event) => event.type === 'instance-deregistered' && event.reason === reason);
  const superseded = told.flatMap((one) =>
    'superseded' in one && one.superseded ? [one.superseded] : [],
  );
  const gone = happened('superseded').map((event) =>
    'instance' in event ? event.instance.id : '',
  );
  return {
    told: {
      created: count('created'),
      updated: count('updated'),
      requested: count('deregistered'),
      superseded: superseded.sort(),
    },
    happened: {
      created: events.filter(({ type }) => type === 'instance-registered').length,
      updated: events.filter(({ type }) => type === 'instance-updated').length,
      requested: happened('requested').length,
      superseded: gone.sort(),
    },
  };
}

async function race(
  world: World<Store>,
  racers: readonly Racer[],
  policy: 'supersede' | 'reject',
): Promise<void> {
  const { registry, store } = world;
  const from = registry.revision;
  const told = await Promise.all(racers.map((one) => run(world, one)));
  const sums = tally(told, registry.events.since(from) ?? []);
  expect(sums.told).toEqual(sums.happened);
  // One write each, and none for who was told that nothing changed.
  const { created, updated, requested } = sums.told;
  expect(store.revision - from).toBe(created + updated + requested);
  if (policy === 'reject') expect(sums.happened.superseded).toEqual([]);
  else expect(told.some(({ what }) => what === 'refused')).toBe(false);
}

describe.each(['supersede', 'reject'] as const)('racing registrations under %s', (policy) => {
  it('leave one instance an address at every revision, and tell every caller what came of it', async () => {
    await fc.assert(
      fc.asyncProperty(field, async (racers) => {
        const world = await aWorld({ options: { onAddressConflict: policy } });
        await race(world, racers, policy);
        expectNoAddressTwice(await everyView(world.store));
        const places = new Set(racers.flatMap(({ port }) => (port === undefined ? [] : [port])));
        const held = world.registry.view(WEB)?.instances ?? [];
        expect(held.length).toBeLessThanOrEqual(Math.min(places.size, 5));
        if (racers.every(({ port }) => port !== undefined)) expect(held.length).toBeGreaterThan(0);
        await world.registry.close();
      }),
      { numRuns: 150 },
    );
  });

  it('do so over the store on disk, two hundred at a time', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'portolan-races-'));
    // Wide enough to hold the whole history, which is read at the end.
    const store = await openEmbeddedStore(
      { path: join(folder, 'data'), window: { maxChanges: 1_000_000 } },
      { logger: NO_LOGGER },
    );
    const world = await aWorldOn({ store, options: { onAddressConflict: policy } });
    const many = fc.array(racer, { minLength: 200, maxLength: 200 });
    try {
      await fc.assert(
        fc.asyncProperty(many, (racers) => race(world, racers, policy)),
        { numRuns: 8, endOnFailure: true },
      );
      expectNoAddressTwice(await everyView(store));
    } finally {
      await world.registry.close();
      await store.close();
      await rm(folder, { recursive: true, force: true });
    }
  }, 120_000);

  it('leave one an address for everybody when two registries write to one store', async () => {
    await fc.assert(
      fc.asyncProperty(field, async (racers) => {
        const store = new MemoryStore();
        const clock = new TurnableClock();
        const options = { onAddressConflict: policy };
        const worlds = [
          await aWorld({ store, clock, options, seed: 1 }),
          await aWorld({ store, clock, options, seed: 2 }),
        ] as const;
        const running = racers.map((one) => run(worlds[one.through] ?? worlds[0], one));
        let isOver = false;
        void Promise.all(running).then(() => (isOver = true));
        while (!isOver) await clock.advance(20);
        for (let turn = 0; turn < 20; turn++) await clock.advance(20);
        expectNoAddressTwice(await everyView(store));
        const [one, two] = worlds.map(({ registry }) => registry.view(WEB)?.instances ?? []);
        expect(one?.map(({ id, modifyRevision }) => [id, modifyRevision])).toEqual(
          two?.map(({ id, modifyRevision }) => [id, modifyRevision]),
        );
        // Who lost is gone from the store as well, and nothing of it is left.
        const { entries } = await store.list('');
        const keys = entries.map(({ key }) => key).filter((key) => !key.startsWith('intent/'));
        expect(keys.sort()).toEqual(one?.map(({ id }) => `instance/default/${id}`));
        for (const { registry } of worlds) await registry.close();
        expect(clock.pending).toBe(0);
      }),
      { numRuns: 150 },
    );
  });
});

describe('a removal and a health that cross each other', () => {
  it('leave nothing behind: the next of that name starts unknown and is probed into rotation', async () => {
    const world = await aWorld();
    const { registry, store, clock } = world;
    const input = () => anInstance(1, { lease: 'none', checks: [aCheck(1_001)] });
    await registry.register(input(), CALLER);
    const commit = store.commit.bind(store);
    let leaving: Promise<unknown> | undefined;
    store.commit = (ops, guards) => {
      const written = commit(ops, guards);
      if (ops[0]?.key === 'status/default/i1') leaving ??= registry.deregister(ref(1));
      return written;
    };
    await clock.advance(1_500);
    await leaving;
    expect(leaving).toBeDefined();
    expect((await store.list('')).entries).toEqual([]);
    const { instance } = await registry.register(input(), CALLER);
    expect(instance).toMatchObject({ status: 'unknown', routable: false });
    await clock.advance(1_500);
    expect(registry.instance(ref(1))).toMatchObject({ status: 'passing', routable: true });
    await registry.close();
  });

  it('do not let the health of an old address pass for that of a new one', async () => {
    const world = await aWorld();
    const { registry, store, clock, sick } = world;
    sick.add(1_002);
    const at = (port: number) => anInstance(1, { port, lease: 'none', checks: [aCheck(port)] });
    await registry.register(at(1_001), CALLER);
    const commit = store.commit.bind(store);
    let moving: Promise<unknown> | undefined;
    store.commit = (ops, guards) => {
      const written = commit(ops, guards);
      if (ops[0]?.key === 'status/default/i1') moving ??= registry.register(at(1_002), CALLER);
      return written;
    };
    await clock.advance(1_500);
    await moving;
    await settle();
    expect(moving).toBeDefined();
    for (const { instances } of await everyView(store)) {
      for (const { port, routable } of instances)
        expect([port, routable]).not.toEqual([1_002, true]);
    }
    await registry.close();
  });
});

describe('an identical registration and an expiry that cross each other', () => {
  it('leave the instance registered: what is told is what comes of the removal', async () => {
    const { registry, store, clock } = await aWorld();
    await registry.register(anInstance(1), CALLER);
    await registry.register(anInstance(2, { service: { ...WEB, name: 'api' } }), CALLER);
    const commit = store.commit.bind(store);
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    store.commit = async (ops, guards) => {
      if (ops.some(({ type }) => type === 'delete')) await gate;
      return commit(ops, guards);
    };
    await clock.advance(10_100);
    const again = registry.registerBatch([anInstance(1), anInstance(3)], CALLER);
    await clock.advance(100);
    open();
    await clock.advance(100);
    const items = await again;
    const told = items.map((item) => item.ok && [item.value.instance.id, item.value.created]);
    expect(told).toEqual([
      ['i1', true],
      ['i3', true],
    ]);
    expect(registry.instance(ref(1))).toBeDefined();
    expect(registry.instance(ref(2))).toBeUndefined();
    await registry.close();
  });
});

describe('what mass-loss protection puts back', () => {
  it('never takes the address from one that registers there in the same moment', async () => {
    let entered = 0;
    for (let turns = 0; turns < 60; turns++) {
      const world = await aWorld();
      const { registry, clock } = world;
      for (let at = 0; at < 6; at++) {
        await registry.register(anInstance(at), CALLER);
        await clock.advance(at === 2 ? 2_000 : 100);
      }
      // The first three are gone before it is known that the loss is a mass loss, and are put back then.
      const losing = clock.advance(12_000);
      registry.events.subscribe((events) => {
        entered += events.filter(({ type }) => type === 'protection-entered').length;
      });
      while (registry.instance(ref(0)) !== undefined) await Promise.resolve();
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      const heir = anInstance(9, { port: 1_000 });
      const { instance } = await registry.register(heir, CALLER);
      await losing;
      await registry.heartbeat(ref(9)).catch(() => undefined);
      expect(instance.id).toBe('i9');
      expectNoAddressTwice(await everyView(world.store));
      const reasons = (registry.events.since(0) ?? []).flatMap((event) =>
        event.type === 'instance-deregistered' && event.instance.id === 'i9' ? [event.reason] : [],
      );
      expect(reasons).not.toContain('superseded');
      await registry.close();
    }
    // Otherwise nothing was put back.
    expect(entered).toBeGreaterThan(0);
  });
});
