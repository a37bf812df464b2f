import {
  createAddressPolicy,
  NO_LOGGER,
  NO_METRICS,
  type ProvidedInstance,
  type Provider,
  type ProviderSnapshot,
  type Route,
} from '@portolan/core';
import { MemoryStore, seededRandom, settle, TurnableClock } from '@portolan/testing';
import { describe, expect, it } from 'vitest';
import { createRegistry } from '../registry.ts';
import { createProviderAggregator } from './aggregator.ts';

const SERVICE = { namespace: 'default', group: 'default', name: 'web' };
const CALLER = { trusted: false };

async function aWorld(store = new MemoryStore()) {
  const clock = new TurnableClock();
  const shared = {
    clock,
    random: seededRandom(2),
    logger: NO_LOGGER,
    metrics: NO_METRICS,
  };
  const registry = await createRegistry(
    {},
    {
      ...shared,
      store,
      probes: [],
      addressPolicy: createAddressPolicy({ allowLoopback: true, ownEndpoints: [] }),
    },
  );
  const aggregator = createProviderAggregator({}, { ...shared, registry });
  const start = (name = 'docker') => {
    let publish: (snapshot: ProviderSnapshot) => void = () => undefined;
    const provider: Provider = {
      name,
      run: (given, signal) => {
        publish = given;
        return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
      },
    };
    const first = aggregator.start(provider);
    return {
      first,
      /** Publishes, and waits until it is in the registry. */
      async says(instances: readonly ProvidedInstance[], routes: readonly Route[] = []) {
        publish({ instances, routes });
        for (let turn = 0; turn < 40; turn++) await settle();
        await clock.advance(25);
        for (let turn = 0; turn < 40; turn++) await settle();
      },
    };
  };
  return {
    registry,
    aggregator,
    store,
    clock,
    start,
    ids: () => registry.view(SERVICE)?.instances.map(({ id }) => id) ?? [],
    async close() {
      await aggregator.close();
      await registry.close();
    },
  };
}

function anInstance(at: number, more: Partial<ProvidedInstance> = {}): ProvidedInstance {
  return { service: SERVICE, id: `i${at}`, address: '10.0.0.1', port: at, lease: 'none', ...more };
}

function aRoute(name: string, more: Partial<Route> = {}): Route {
  return {
    name,
    namespace: 'default',
    hosts: [`${name}.example`],
    matches: [],
    destinations: [
      { service: 'web', namespace: 'default', group: 'default', subset: {}, weight: 1 },
    ],
    ...more,
  };
}

describe('the aggregator', () => {
  it('brings in what is new, changes what changed and removes what is gone', async () => {
    const world = await aWorld();
    const docker = world.start();
    await docker.says([anInstance(1), anInstance(2)], [aRoute('a')]);
    expect(world.ids()).toEqual(['i1', 'i2']);
    expect(world.registry.view(SERVICE)?.instances[0]?.owner).toBe('docker');
    await docker.says([anInstance(2, { weight: 7 }), anInstance(3)], [aRoute('b')]);
    expect(world.ids()).toEqual(['i2', 'i3']);
    expect(world.registry.view(SERVICE)?.instances[0]?.weight).toBe(7);
    expect(world.registry.routes().map(({ name, owner }) => [name, owner])).toEqual([
      ['b', 'docker'],
    ]);
    await world.close();
  });

  it('writes nothing where nothing changed, also after a restart', async () => {
    const world = await aWorld();
    const docker = world.start();
    await docker.says([anInstance(1)], [aRoute('a')]);
    const { revision } = world.registry;
    await docker.says([anInstance(1)], [aRoute('a')]);
    await world.clock.advance(61_000);
    await docker.says([anInstance(1)], [aRoute('a')]);
    expect(world.registry.revision).toBe(revision);
    await world.close();
    const again = await aWorld(world.store);
    await again.start().says([anInstance(1)], [aRoute('a')]);
    expect(again.registry.revision).toBe(revision);
    await again.close();
  });

  it('removes what a former run left, only once its provider published, and only its own', async () => {
    const before = await aWorld();
    await before.start().says([anInstance(1), anInstance(2)], [aRoute('a')]);
    await before.start('other').says([anInstance(3)]);
    await before.registry.register(anInstance(4), CALLER);
    await before.close();
    const world = await aWorld(before.store);
    const docker = world.start();
    for (let turn = 0; turn < 40; turn++) await settle();
    expect(world.ids()).toEqual(['i1', 'i2', 'i3', 'i4']);
    await docker.says([anInstance(2)]);
    expect(world.ids()).toEqual(['i2', 'i3', 'i4']);
    expect(world.registry.routes()).toEqual([]);
    await world.close();
  });

  it('leaves an instance that registered itself at the same address, and takes its place when it goes', async () => {
    const world = await aWorld();
    const own = { ...anInstance(1), id: 'mine' };
    await world.registry.register(own, CALLER);
    const docker = world.start();
    await docker.says([anInstance(1)]);
    expect(world.ids()).toEqual(['mine']);
    expect([...world.aggregator.refusals('docker')]).toEqual([
      ['default/i1', '10.0.0.1:1 is instance mine already, which somebody registered'],
    ]);
    await world.registry.deregister({ namespace: 'default', id: 'mine' });
    await docker.says([anInstance(1)]);
    expect(world.ids()).toEqual(['i1']);
    expect(world.aggregator.refusals('docker').size).toBe(0);
    await world.close();
  });

  it('gives way to an application that registers itself afterwards, without taking turns', async () => {
    const world = await aWorld();
    const docker = world.start();
    await docker.says([anInstance(1)]);
    await world.registry.register({ ...anInstance(1), id: 'mine' }, CALLER);
    expect(world.ids()).toEqual(['mine']);
    const { revision } = world.registry;
    await docker.says([anInstance(1)]);
    await docker.says([]);
    expect(world.ids()).toEqual(['mine']);
    expect(world.registry.revision).toBe(revision);
    await world.close();
  });

  it('keeps what an operator wants of an instance through changes and restarts of it', async () => {
    const world = await aWorld();
    const docker = world.start();
    await docker.says([anInstance(1)]);
    const ref = { namespace: 'default', id: 'i1' };
    await world.registry.setIntent(ref, { maintenance: { reason: 'look at it' } });
    await docker.says([anInstance(1, { condition: { state: 'draining', reason: 'stop' } })]);
    await docker.says([]);
    await docker.says([anInstance(1)]);
    expect(world.registry.instance(ref)).toMatchObject({
      intent: { maintenance: { reason: 'look at it' } },
      routable: false,
    });
    await world.close();
  });

  it('leaves a route that was changed through the API, and says so', async () => {
    const world = await aWorld();
    const docker = world.start();
    await docker.says([anInstance(1)], [aRoute('a')]);
    await world.registry.routeDocuments.put('default/a', aRoute('a', { hosts: ['mine.example'] }));
    await docker.says([anInstance(1)], [aRoute('a', { priority: 4 })]);
    expect(world.registry.routes()[0]?.hosts).toEqual(['mine.example']);
    expect(world.aggregator.refusals('docker').get('route default/a')).toMatch(/API/);
    await docker.says([anInstance(1)]);
    expect(world.registry.routes()).toHaveLength(1);
    await world.close();
  });

  it('tells why the registry refuses an instance, and keeps the others', async () => {
    const world = await aWorld();
    const docker = world.start();
    await docker.says([anInstance(1), anInstance(2, { address: '8.8.8.8' })]);
    expect(world.ids()).toEqual(['i1']);
    expect(world.aggregator.refusals('docker').get('default/i2')).toMatch(
      /8\.8\.8\.8 is in no allowed network/,
    );
    await world.close();
  });

  it('brings back what somebody removed or changed, at the next full turn', async () => {
    const world = await aWorld();
    const docker = world.start();
    await docker.says([anInstance(1), anInstance(2)]);
    await world.registry.deregister({ namespace: 'default', id: 'i1' });
    await world.registry.patch({ namespace: 'default', id: 'i2' }, { weight: 1 });
    await docker.says([anInstance(1), anInstance(2)]);
    expect(world.ids()).toEqual(['i1', 'i2']);
    await world.clock.advance(61_000);
    await docker.says([anInstance(1), anInstance(2)]);
    expect(world.registry.instance({ namespace: 'default', id: 'i2' })?.weight).toBe(100);
    await world.close();
  });

  it('resolves its start with the first state, and ends with nothing left', async () => {
    const world = await aWorld();
    const docker = world.start();
    let done = false;
    void docker.first.then(() => {
      done = true;
    });
    await settle();
    expect(done).toBe(false);
    await docker.says([]);
    expect(done).toBe(true);
    await world.close();
    expect(world.clock.pending).toBe(0);
  });
});
