import { type RegistrationInput, RegistryError } from '@portolan/core';
import { MemoryStore, settle } from '@portolan/testing';
import { describe, expect, it } from 'vitest';
import {
  aCheck,
  anInstance,
  aWorld,
  CALLER,
  everyView,
  ref,
  WEB,
  type World,
} from '../test-registry/registry-world.ts';

const SETTINGS = { namespace: 'default', group: 'default', service: 'web' };
const ID = 'default/default/web';

async function aTrio(
  more: Partial<RegistrationInput> = {},
  given: Parameters<typeof aWorld>[0] = {},
) {
  const world = await aWorld(given);
  for (let at = 1; at <= 3; at++) {
    await world.registry.register(anInstance(at, { exclusive: true, ...more }), CALLER);
  }
  return world;
}

function activeOf({ registry }: Pick<World, 'registry'>): string | undefined {
  const view = registry.view(WEB);
  const routable = view?.instances.filter((one) => one.routable).map((one) => one.id);
  const active = view?.exclusive?.active;
  expect(routable).toEqual(active === undefined ? [] : [active]);
  return active;
}

async function beat({ registry, clock }: World, ids: readonly number[], times: number) {
  for (let turn = 0; turn < times; turn++) {
    await clock.advance(3_000);
    for (const at of ids) await registry.renewBatch([ref(at)]);
  }
}

describe('an exclusive service', () => {
  it('has one active instance, the first that was registered; the others stand by and know it', async () => {
    const { registry } = await aWorld();
    const first = await registry.register(anInstance(1, { exclusive: true }), CALLER);
    expect(first.instance).toMatchObject({ routable: true, exclusive: { role: 'active' } });
    const second = await registry.register(anInstance(2), CALLER);
    const term = first.instance.exclusive?.term;
    expect(second.instance).toMatchObject({
      status: 'passing',
      routable: false,
      exclusive: { role: 'standby', term, active: 'i1' },
    });
    expect(registry.view(WEB)?.exclusive).toMatchObject({ active: 'i1', term, reason: 'vacant' });
    expect(registry.services()[0]).toMatchObject({ instances: 2, routable: 1, exclusive: true });
    const beat = await registry.heartbeat(ref(2));
    expect(beat.instance.exclusive).toEqual({ role: 'standby', term, active: 'i1' });
  });

  it('chooses by weight before age when it has to choose', async () => {
    const { registry } = await aTrio();
    await registry.setIntent(ref(3), { weight: 200 });
    expect(activeOf({ registry })).toBe('i1');
    await registry.deregister(ref(1));
    await settle();
    expect(activeOf({ registry })).toBe('i3');
  });

  it('says the same of an identical registration: no revision, no write', async () => {
    const { registry, store } = await aTrio();
    const { revision } = store;
    const again = await registry.register(anInstance(2, { exclusive: true }), CALLER);
    expect(again).toMatchObject({ changed: false, instance: { exclusive: { role: 'standby' } } });
    expect(store.revision).toBe(revision);
  });

  it.each([
    ['its lease ends', 'gone', (world: World) => beat(world, [2, 3], 4)],
    ['it is deregistered', 'gone', ({ registry }: World) => registry.deregister(ref(1))],
    [
      'it is disabled',
      'drained',
      ({ registry }: World) => registry.setIntent(ref(1), { enabled: false }),
    ],
    [
      'it is in maintenance',
      'drained',
      ({ registry }: World) => registry.setIntent(ref(1), { maintenance: { reason: 'disk' } }),
    ],
    [
      'its weight is 0',
      'drained',
      ({ registry }: World) => registry.setIntent(ref(1), { weight: 0 }),
    ],
    [
      'it says that it is critical',
      'unhealthy',
      ({ registry }: World) => registry.heartbeat(ref(1), { status: 'critical' }),
    ],
    [
      'another takes its address',
      'gone',
      ({ registry }: World) => registry.register(anInstance(9, { port: 1_001 }), CALLER),
    ],
    [
      'it moves to another service',
      'gone',
      ({ registry }: World) =>
        registry.register(anInstance(1, { service: { ...WEB, name: 'api' } }), CALLER),
    ],
  ] as const)('hands over when %s', async (_what, reason, lose) => {
    const world = await aTrio();
    const before = world.registry.view(WEB)?.exclusive?.term ?? 0;
    await lose(world);
    await settle();
    expect(activeOf(world)).toBe('i2');
    const term = world.registry.view(WEB)?.exclusive;
    expect(term?.term).toBeGreaterThan(before);
    const event = world.registry.events
      .since(before)
      ?.find(({ type }) => type === 'active-changed');
    expect(event).toMatchObject({ active: 'i2', previous: 'i1', revision: term?.term });
    expect(event).toMatchObject({ reason });
    await world.registry.close();
    expect(world.clock.pending).toBe(0);
  });

  it('is never without an active one when that one is taken out on purpose', async () => {
    const world = await aTrio();
    const { registry, store } = world;
    const from = registry.revision;
    await registry.deregister(ref(1));
    await registry.setIntent(ref(2), { maintenance: { reason: 'disk' } });
    expect(activeOf(world)).toBe('i3');
    const since = (await everyView(store)).filter(({ revision }) => revision > from);
    expect(since).toHaveLength(4);
    for (const { instances } of since) {
      expect(instances.filter(({ routable }) => routable)).toHaveLength(1);
    }
  });

  it('hands over when the check of the active one fails, and only a probed one takes over', async () => {
    const world = await aWorld();
    const { registry, clock, sick } = world;
    for (let at = 1; at <= 3; at++) {
      const checks = [aCheck(1_000 + at)];
      if (at === 2) sick.add(1_002);
      const input = anInstance(at, { exclusive: true, lease: 'none', checks });
      await registry.register(input, CALLER);
      await clock.advance(1_500);
    }
    expect(activeOf(world)).toBe('i1');
    sick.add(1_001);
    await clock.advance(4_000);
    expect(activeOf(world)).toBe('i3');
    await registry.close();
  });

  it('leaves one that returns on standby', async () => {
    const world = await aTrio();
    await beat(world, [2, 3], 4);
    expect(activeOf(world)).toBe('i2');
    await world.registry.register(anInstance(1), CALLER);
    await beat(world, [1, 2, 3], 10);
    expect(activeOf(world)).toBe('i2');
    await world.registry.setIntent(ref(2), { enabled: false });
    expect(activeOf(world)).toBe('i3');
    await world.registry.setIntent(ref(2), { enabled: true });
    expect(activeOf(world)).toBe('i3');
    await world.registry.close();
  });

  it('hands nothing over because the registry was restarted', async () => {
    const first = await aTrio();
    await first.registry.handOver(WEB, 'i3');
    const term = first.registry.view(WEB)?.exclusive;
    await first.registry.close();
    await first.clock.advance(600_000);
    const { store, clock } = first;
    const second = await aWorld({ store, clock });
    await settle();
    expect(second.registry.view(WEB)?.exclusive).toEqual(term);
    expect(activeOf(second)).toBe('i3');
    await beat(second, [1, 2, 3], 10);
    expect(second.registry.view(WEB)?.exclusive).toEqual(term);
    // The active one did not survive our absence: its term goes to the end of its lease, then another's begins.
    await beat(second, [1, 2], 5);
    expect(activeOf(second)).toBe('i1');
    await second.registry.close();
  });

  it('chooses anew from the store when the registry was away while the active one was lost', async () => {
    const first = await aTrio();
    await first.registry.close();
    await first.store.commit([{ type: 'delete', key: 'instance/default/i1' }]);
    const second = await aWorld({ store: first.store, clock: first.clock });
    await settle();
    expect(activeOf(second)).toBe('i2');
    await second.registry.close();
  });

  it('has nobody active while nobody can be, and says so', async () => {
    const world = await aTrio();
    for (const at of [2, 3, 1]) await world.registry.setIntent(ref(at), { enabled: false });
    expect(activeOf(world)).toBeUndefined();
    const vacant = world.registry.view(WEB)?.exclusive;
    expect(vacant).toMatchObject({ reason: 'drained' });
    expect(world.registry.instance(ref(1))?.exclusive).toEqual({
      role: 'standby',
      term: vacant?.term,
    });
    await world.registry.setIntent(ref(3), { enabled: true });
    expect(activeOf(world)).toBe('i3');
    await world.registry.close();
  });

  it('tries again until the store takes the hand-over', async () => {
    const world = await aTrio();
    const { registry, clock, store } = world;
    const commit = store.commit.bind(store);
    await registry.deregister(ref(1));
    store.commit = (ops, guards) =>
      ops.some(({ key }) => key.startsWith('term/'))
        ? Promise.reject(new RegistryError('STORE_FULL', { detail: 'full' }))
        : commit(ops, guards);
    await registry.deregister(ref(2));
    await beat(world, [3], 2);
    expect(registry.services()[0]).toMatchObject({ instances: 1, routable: 0 });
    store.commit = commit;
    await beat(world, [3], 5);
    expect(activeOf(world)).toBe('i3');
    await registry.close();
    expect(clock.pending).toBe(0);
  });
});

describe('whether a service is exclusive', () => {
  it('is settled by the first registration that asks for it and stays when that one leaves', async () => {
    const { registry } = await aWorld();
    await registry.register(anInstance(1), CALLER);
    await registry.register(anInstance(2), CALLER);
    expect(registry.services()[0]).toMatchObject({ routable: 2, exclusive: false });
    await registry.register(anInstance(3, { exclusive: true }), CALLER);
    expect(activeOf({ registry })).toBe('i1');
    await registry.deregister(ref(3));
    await settle();
    expect(activeOf({ registry })).toBe('i1');
    expect(registry.settingsDocuments.get(ID)).toMatchObject({ exclusive: true });
  });

  it('cannot be asked for against the settings: nothing is written, in a batch neither', async () => {
    const { registry, store } = await aWorld();
    await registry.settingsDocuments.put(ID, { ...SETTINGS, exclusive: false });
    const { revision } = store;
    const input = anInstance(1, { exclusive: true });
    await expect(registry.register(input, CALLER)).rejects.toMatchObject({
      code: 'EXCLUSIVE_CONFLICT',
    });
    expect(store.revision).toBe(revision);
    const items = await registry.registerBatch([input, anInstance(2)], CALLER);
    expect(items.map(({ ok }) => ok)).toEqual([false, true]);
    expect(registry.view(WEB)?.instances.map(({ id }) => id)).toEqual(['i2']);
  });

  it('is not settled by a registration that was refused for its address', async () => {
    const { registry } = await aWorld({ options: { onAddressConflict: 'reject' } });
    await registry.register(anInstance(1), CALLER);
    const items = await registry.registerBatch(
      [anInstance(2, { port: 1_001, exclusive: true }), anInstance(3)],
      CALLER,
    );
    expect(items.map(({ ok }) => ok)).toEqual([false, true]);
    expect(registry.settingsDocuments.list()).toEqual([]);
    expect(registry.services()[0]).toMatchObject({ routable: 2, exclusive: false });
  });

  it('changes at one revision for all its instances, in both directions', async () => {
    const { registry, store } = await aWorld();
    for (let at = 1; at <= 3; at++) await registry.register(anInstance(at), CALLER);
    await registry.settingsDocuments.put(ID, { ...SETTINGS, exclusive: true });
    await settle();
    expect(activeOf({ registry })).toBe('i1');
    await registry.settingsDocuments.delete(ID);
    await settle();
    expect(registry.services()[0]).toMatchObject({ routable: 3, exclusive: false });
    expect(registry.view(WEB)?.exclusive).toBeUndefined();
    for (const one of registry.view(WEB)?.instances ?? []) expect(one.exclusive).toBeUndefined();
    expect(await store.get(`term/${ID}`)).toBeUndefined();
    const counts = (await everyView(store)).map(
      (view) => view.instances.filter(({ routable }) => routable).length,
    );
    expect(counts).toEqual([1, 2, 3, 0, 1, 3]);
  });

  it('tells a reader that resumes from any revision', async () => {
    const { registry } = await aTrio();
    const before = registry.revision;
    await registry.handOver(WEB);
    const [view] = registry.viewsSince(before) ?? [];
    expect(view?.exclusive).toMatchObject({ active: 'i2', reason: 'requested' });
    expect(view?.instances.every(({ modifyRevision }) => modifyRevision > before)).toBe(true);
  });
});

describe('a hand-over by hand', () => {
  it('makes the named one active, or the next in line, and the former stands by', async () => {
    const world = await aTrio();
    const { registry } = world;
    const one = await registry.handOver(WEB, 'i3');
    expect(one).toMatchObject({ active: 'i3', reason: 'requested' });
    expect(activeOf(world)).toBe('i3');
    expect(await registry.handOver(WEB, 'i3')).toEqual(one);
    expect(await registry.handOver(WEB)).toMatchObject({ active: 'i1' });
    expect(activeOf(world)).toBe('i1');
  });

  it('is refused where it is not possible, and changes nothing', async () => {
    const { registry, store } = await aTrio();
    await registry.register(anInstance(4, { service: { ...WEB, name: 'api' } }), CALLER);
    await registry.setIntent(ref(3), { enabled: false });
    const { revision } = store;
    const api = { ...WEB, name: 'api' };
    await expect(registry.handOver(api)).rejects.toMatchObject({ code: 'SERVICE_NOT_EXCLUSIVE' });
    await expect(registry.handOver(WEB, 'i4')).rejects.toMatchObject({
      code: 'INSTANCE_NOT_FOUND',
    });
    const refused = registry.handOver(WEB, 'i3');
    await expect(refused).rejects.toMatchObject({ code: 'STANDBY_UNAVAILABLE' });
    await expect(refused).rejects.toThrow('it is disabled');
    expect(store.revision).toBe(revision);
    await registry.setIntent(ref(2), { enabled: false });
    await expect(registry.handOver(WEB)).rejects.toMatchObject({ code: 'STANDBY_UNAVAILABLE' });
  });
});

describe('an exclusive service and mass-loss protection', () => {
  async function aFleet(): Promise<World> {
    const world = await aWorld();
    for (let at = 1; at <= 6; at++) {
      await world.registry.register(anInstance(at, { exclusive: true }), CALLER);
    }
    return world;
  }

  it('goes to one that is heard, although the silent active one is kept', async () => {
    const world = await aFleet();
    await beat(world, [5], 4);
    await settle();
    expect(world.registry.view(WEB)?.protection).toMatchObject({ kept: 5 });
    expect(world.registry.instance(ref(1))).toMatchObject({ protected: true, routable: false });
    expect(activeOf(world)).toBe('i5');
    await beat(world, [1, 2, 3, 4, 5, 6], 4);
    expect(activeOf(world)).toBe('i5');
    await world.registry.close();
  });

  it('stays with the one that was heard last when nobody is, also over a restart', async () => {
    const world = await aFleet();
    await world.registry.handOver(WEB, 'i4');
    const term = world.registry.view(WEB)?.exclusive?.term;
    await world.clock.advance(11_000);
    await settle();
    expect(world.registry.view(WEB)?.protection).toMatchObject({ kept: 6 });
    expect(activeOf(world)).toBe('i4');
    await world.registry.close();
    const again = await aWorld({ store: world.store, clock: world.clock });
    await again.clock.advance(30_000);
    expect(again.registry.view(WEB)?.exclusive).toMatchObject({ active: 'i4', term });
    await again.registry.close();
  });
});

describe('several registries on one store', () => {
  it('agree on who is active, whoever writes it', async () => {
    const store = new MemoryStore();
    const one = await aTrio({}, { store, seed: 1 });
    const two = await aWorld({ store, clock: one.clock, seed: 2 });
    await one.registry.deregister(ref(1));
    await one.clock.advance(200);
    expect([activeOf(one), activeOf(two)]).toEqual(['i2', 'i2']);
    expect(one.registry.view(WEB)?.exclusive).toEqual(two.registry.view(WEB)?.exclusive);
    // Both saw the loss and both wrote; one commit won.
    const terms = (await everyView(store)).map((view) => view.exclusive?.term ?? 0);
    expect(new Set(terms).size).toBe(3);
    await Promise.all([one.registry.close(), two.registry.close()]);
    expect(one.clock.pending).toBe(0);
  });

  it('never make one active that is lost in the same moment', async () => {
    const world = await aTrio();
    const { store, registry, clock } = world;
    const commit = store.commit.bind(store);
    let raced = false;
    store.commit = (ops, guards) => {
      if (!raced && ops.some(({ key }) => key.startsWith('term/'))) {
        raced = true;
        void commit([{ type: 'delete', key: 'instance/default/i2' }]);
      }
      return commit(ops, guards);
    };
    await registry.deregister(ref(1));
    await clock.advance(200);
    expect(raced).toBe(true);
    expect(activeOf(world)).toBe('i3');
    for (const { exclusive, instances } of await everyView(store)) {
      if (exclusive?.active !== 'i2') continue;
      expect(instances.map(({ id }) => id)).toContain('i2');
    }
    await registry.close();
  });

  it('ends while the watch on the store is broken and a term waits to become visible', async () => {
    const { registry, clock, store } = await aTrio();
    const leaving = registry.deregister(ref(1));
    await leaving;
    store.breakWatches(new RegistryError('STORE_FAILED', { detail: 'broken' }));
    await clock.advance(100);
    await registry.close();
    expect(clock.pending).toBe(0);
  });
});
