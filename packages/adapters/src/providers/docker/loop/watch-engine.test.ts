import {
  createAddressPolicy,
  type Metrics,
  NO_LOGGER,
  NO_METRICS,
  type ProviderSnapshot,
} from '@portolan/core';
import { seededRandom, settle, TurnableClock } from '@portolan/testing';
import { providerContract } from '@portolan/testing/contracts/provider-contract';
import { describe, expect, it } from 'vitest';
import { createDockerProvider, type DockerProviderOptions } from '../docker-provider.ts';
import { MemoryEngine } from '../test-engine/memory-engine.ts';

const OPTIONS: DockerProviderOptions = {
  name: 'docker',
  engine: { kind: 'unix', path: '/var/run/docker.sock' },
  namespace: 'default',
  exposeByDefault: false,
  networks: [],
  gatewayOn: 'auto',
  swarm: true,
};

/** Remembers what was counted and set, by name. */
function aMeter() {
  const values = new Map<string, number>();
  const collectors: (() => void)[] = [];
  const metrics: Metrics = {
    ...NO_METRICS,
    counter: ({ name }) => ({
      labels: () => ({ inc: (by = 1) => values.set(name, (values.get(name) ?? 0) + by) }),
    }),
    gauge: ({ name }) => ({ labels: () => ({ set: (value) => values.set(name, value) }) }),
    onCollect: (callback) => void collectors.push(callback),
  };
  const read = (name: string) => {
    for (const collect of collectors) collect();
    return values.get(name) ?? 0;
  };
  return { metrics, read };
}

/** Lets every chain of promises run to its next timer. */
async function settleAll(): Promise<void> {
  for (let turn = 0; turn < 60; turn++) await settle();
}

/** Turns the clock in steps, and lets what falls due finish in each. */
async function pass(clock: TurnableClock, ms: number): Promise<void> {
  const steps = Math.min(40, Math.max(1, Math.ceil(ms / 10)));
  await settleAll();
  for (let step = 0; step < steps; step++) {
    await clock.advance(ms / steps);
    await settleAll();
  }
}

function aWorld(clock = new TurnableClock(), engine = new MemoryEngine(clock)) {
  const meter = aMeter();
  const snapshots: ProviderSnapshot[] = [];
  const abort = new AbortController();
  const make = () =>
    createDockerProvider(OPTIONS, {
      clock,
      random: seededRandom(5),
      logger: NO_LOGGER,
      metrics: meter.metrics,
      addressPolicy: createAddressPolicy({ allowLoopback: true, ownEndpoints: [] }),
      resolve: () => Promise.reject(new Error('no such name')),
      source: engine,
      ownIds: [],
    });
  const provider = make();
  return {
    clock,
    engine,
    meter,
    make,
    provider,
    snapshots,
    last: () => snapshots.at(-1)?.instances ?? [],
    conditions: () =>
      Object.fromEntries(
        (snapshots.at(-1)?.instances ?? []).map((one) => [one.service.name, one.condition?.state]),
      ),
    async start() {
      void provider.run((snapshot) => void snapshots.push(snapshot), abort.signal);
      await pass(clock, 100);
    },
    async stop() {
      abort.abort();
      await settleAll();
      expect(clock.pending).toBe(0);
    },
  };
}

providerContract('the Docker provider', () => {
  const { clock, engine, make } = aWorld();
  return {
    clock,
    make,
    add: (name) => {
      engine.run(name);
      if (!engine.away) engine.emit('start', name);
    },
    remove: (name) => {
      engine.drop(name);
      if (!engine.away) engine.emit('destroy', name);
    },
    goAway: () => {
      engine.away = true;
      engine.cut();
    },
    comeBack: () => {
      engine.away = false;
    },
  };
});

describe('following an engine', () => {
  it('says why it is away, and forgets it when it is back', async () => {
    const world = aWorld();
    world.engine.away = true;
    await world.start();
    expect(world.provider.view()).toMatchObject({
      connected: false,
      problem: 'connect ECONNREFUSED',
    });
    world.engine.away = false;
    await pass(world.clock, 15_000);
    expect(world.provider.view()).toMatchObject({ connected: true });
    expect(world.provider.view().problem).toBeUndefined();
    await world.stop();
  });

  it('asks for a swarm once the engine manages one, and only then', async () => {
    const world = aWorld();
    await world.start();
    world.engine.emitAny({ type: 'node', action: 'create', actorId: 'n', attributes: {} });
    await pass(world.clock, 1_000);
    expect(world.engine.asked.events).toBe(1);
    world.engine.facts = { ...world.engine.facts, swarm: { nodeId: 'n' } };
    world.engine.emitAny({ type: 'node', action: 'update', actorId: 'n', attributes: {} });
    await pass(world.clock, 1_000);
    expect(world.engine.asked.events).toBe(2);
    expect(world.engine.asked.swarm).toBeGreaterThan(0);
    await world.stop();
  });

  it('subscribes before it lists, and takes in what happened in between', async () => {
    const world = aWorld();
    world.engine.run('web');
    const list = world.engine.containers.bind(world.engine);
    let subscribed = 0;
    world.engine.containers = async () => {
      subscribed = world.engine.asked.events ?? 0;
      const seen = await list();
      // Between the list and its inspection: only the buffered event can tell.
      world.engine.emit('kill', 'web', { signal: '15' });
      return seen;
    };
    await world.start();
    expect(subscribed).toBe(1);
    expect(world.conditions()).toEqual({ web: 'draining' });
    await world.stop();
  });

  it('drains a container with the very event that tells of its signal, before anything is asked', async () => {
    const world = aWorld();
    world.engine.run('web');
    await world.start();
    const before = world.engine.asked.inspect;
    world.engine.emit('kill', 'web', { signal: '15' });
    await settleAll();
    expect(world.conditions()).toEqual({ web: 'draining' });
    expect(world.engine.asked.inspect).toBe(before);
    world.engine.change('web', { state: 'exited', attachments: [] });
    world.engine.emit('die', 'web');
    await pass(world.clock, 30);
    expect(world.last()).toEqual([]);
    await world.stop();
  });

  it.each([
    ['1', undefined, undefined],
    ['10', undefined, undefined],
    ['28', undefined, undefined],
    ['28', 'SIGWINCH', 'draining'],
    ['10', '10', 'draining'],
    ['9', undefined, 'draining'],
    ['SIGQUIT', undefined, 'draining'],
  ])('takes signal %s with STOPSIGNAL %s for %s', async (signal, stopSignal, state) => {
    const world = aWorld();
    world.engine.run('web', stopSignal === undefined ? {} : { stopSignal });
    await world.start();
    world.engine.emit('kill', 'web', { signal });
    await pass(world.clock, 200);
    expect(world.conditions()).toEqual({ web: state });
    await world.stop();
  });

  it('believes a container again that ignored its signal, but not before long', async () => {
    const world = aWorld();
    world.engine.run('web');
    await world.start();
    world.engine.emit('kill', 'web', { signal: '15' });
    await pass(world.clock, 500_000);
    expect(world.conditions()).toEqual({ web: 'draining' });
    await pass(world.clock, 200_000);
    expect(world.conditions()).toEqual({ web: undefined });
    await world.stop();
  });

  it('ends draining when the container was started anew', async () => {
    const world = aWorld();
    world.engine.run('web');
    await world.start();
    world.engine.emit('kill', 'web', { signal: '15' });
    await pass(world.clock, 1_000);
    world.engine.emit('die', 'web');
    await pass(world.clock, 1_000);
    world.engine.change('web', { startedAtMs: world.clock.wallNow() });
    world.engine.emit('start', 'web');
    await pass(world.clock, 100);
    expect(world.conditions()).toEqual({ web: undefined });
    await world.stop();
  });

  it('looks only at the container that an event is about, once for many events', async () => {
    const world = aWorld();
    for (let at = 0; at < 50; at++) world.engine.run(`web${at}`);
    await world.start();
    const inspected = world.engine.asked.inspect ?? 0;
    const listed = world.engine.asked.containers;
    for (let turn = 0; turn < 20; turn++) world.engine.emit('update', 'web7');
    await pass(world.clock, 100);
    expect((world.engine.asked.inspect ?? 0) - inspected).toBe(1);
    expect(world.engine.asked.containers).toBe(listed);
    await world.stop();
  });

  it('does not let a late look undo what an event said meanwhile', async () => {
    const world = aWorld();
    world.engine.run('web');
    await world.start();
    const gate = Promise.withResolvers<void>();
    world.engine.hold = () => gate.promise;
    world.engine.emit('update', 'web');
    await pass(world.clock, 60);
    world.engine.change('web', { state: 'exited', attachments: [] });
    world.engine.emit('die', 'web');
    await pass(world.clock, 10);
    expect(world.last()).toEqual([]);
    world.engine.hold = undefined;
    gate.resolve();
    await settleAll();
    expect(world.snapshots.slice(-2).flatMap(({ instances }) => instances)).toEqual([]);
    await pass(world.clock, 200);
    expect(world.last()).toEqual([]);
    await world.stop();
  });

  it('finds a change that no event told of, counts it and subscribes anew', async () => {
    const world = aWorld();
    world.engine.run('web');
    await world.start();
    world.engine.run('silent');
    await pass(world.clock, 55_000);
    expect(world.last().map(({ service }) => service.name)).toEqual(['silent', 'web']);
    expect(world.meter.read('portolan_discovery_missed_events_total')).toBe(1);
    expect(world.engine.asked.events).toBe(2);
    await pass(world.clock, 55_000);
    expect(world.engine.asked.events).toBe(2);
    await world.stop();
  });

  it('looks again at what happened while a whole list was looked at, and goes on comparing', async () => {
    const world = aWorld();
    world.engine.run('web');
    await world.start();
    world.engine.change('web', { labels: { 'portolan.port': '80', 'portolan.service': 'shop' } });
    let held = 0;
    world.engine.hold = async () => {
      if (held++ === 0) world.engine.emit('attach', 'web');
      await settleAll();
    };
    await pass(world.clock, 60_000);
    expect(held).toBeGreaterThan(0);
    expect(world.last().map(({ service }) => service.name)).toEqual(['shop']);
    const listed = world.engine.asked.containers ?? 0;
    await pass(world.clock, 110_000);
    expect(world.engine.asked.containers).toBeGreaterThanOrEqual(listed + 2);
    await world.stop();
  });

  it('does not look at a container because commands run in it, as its health check does', async () => {
    const world = aWorld();
    world.engine.run('web');
    await world.start();
    const looked = world.engine.asked.inspect;
    for (const action of ['exec_create: sh -c check', 'exec_start: sh -c check', 'exec_die']) {
      world.engine.emit(action, 'web');
    }
    await pass(world.clock, 60_000);
    expect(world.engine.asked.inspect).toBe(looked);
    await world.stop();
  });

  it('asks a daemon that is silent whether it is there, and opens anew when it does not answer', async () => {
    const world = aWorld();
    await world.start();
    await pass(world.clock, 31_000);
    expect(world.engine.asked.ping).toBe(1);
    expect(world.engine.asked.events).toBe(1);
    world.engine.mute = true;
    await pass(world.clock, 36_000);
    world.engine.mute = false;
    await pass(world.clock, 15_000);
    expect(world.engine.asked.events).toBe(2);
    await world.stop();
  });

  it('asks for what it missed by the time of the last event, and takes that one only once', async () => {
    const world = aWorld();
    world.engine.run('web');
    await world.start();
    world.engine.emit('kill', 'web', { signal: '15' });
    await pass(world.clock, 10);
    world.engine.change('web', { startedAtMs: world.clock.wallNow() });
    world.engine.cut('ended');
    await pass(world.clock, 15_000);
    expect(world.engine.subscriptions).toHaveLength(2);
    expect(world.engine.subscriptions[1]).toMatch(/^\d{19}$/);
    expect(world.conditions()).toEqual({ web: undefined });
    await world.stop();
  });

  it('tells for how long it has not heard its source, and waits longer each time', async () => {
    const world = aWorld();
    world.engine.run('web');
    await world.start();
    expect(world.meter.read('portolan_discovery_stale_seconds')).toBe(0);
    world.engine.away = true;
    world.engine.cut();
    const before = world.engine.asked.connect ?? 0;
    await pass(world.clock, 60_000);
    expect(world.meter.read('portolan_discovery_stale_seconds')).toBeGreaterThan(59);
    const tries = (world.engine.asked.connect ?? 0) - before;
    expect(tries).toBeGreaterThan(5);
    expect(tries).toBeLessThan(60);
    expect(world.last()).toHaveLength(1);
    world.engine.away = false;
    await pass(world.clock, 11_000);
    expect(world.meter.read('portolan_discovery_stale_seconds')).toBe(0);
    await world.stop();
  });

  it('doubts a daemon that comes back without most of its containers, and asks it again', async () => {
    const world = aWorld();
    for (const name of ['a', 'b', 'c', 'd']) world.engine.run(name);
    await world.start();
    const all = new Map(world.engine.containersById);
    world.engine.away = true;
    world.engine.cut();
    await pass(world.clock, 1_000);
    world.engine.containersById.clear();
    world.engine.away = false;
    await pass(world.clock, 1_500);
    for (const [id, container] of all) world.engine.containersById.set(id, container);
    await pass(world.clock, 20_000);
    expect(world.snapshots.every(({ instances }) => instances.length === 4)).toBe(true);
    await world.stop();
  });

  it('holds a container back that dies again and again, and lets it in once it stays up', async () => {
    const world = aWorld();
    world.engine.run('web');
    await world.start();
    const restart = async () => {
      world.engine.change('web', { state: 'restarting', attachments: [] });
      world.engine.emit('die', 'web');
      await pass(world.clock, 1_000);
      world.engine.run('web', { startedAtMs: world.clock.wallNow() });
      world.engine.emit('start', 'web');
      await pass(world.clock, 100);
    };
    await restart();
    await restart();
    expect(world.last()).toHaveLength(1);
    await restart();
    expect(world.last()).toHaveLength(0);
    expect(world.provider.view().containers[0]).toMatchObject({
      standing: 'unroutable',
      reason: expect.stringContaining('it died 3 times within 60 s'),
    });
    await pass(world.clock, 10_100);
    expect(world.last()).toHaveLength(1);
    await world.stop();
  });

  it('follows pause, rename, health and networks', async () => {
    const world = aWorld();
    world.engine.run('web', { health: 'starting' });
    await world.start();
    expect(world.conditions()).toEqual({ web: 'starting' });
    world.engine.change('web', { health: 'healthy' });
    world.engine.emit('health_status: healthy', 'web');
    await pass(world.clock, 100);
    expect(world.conditions()).toEqual({ web: undefined });
    world.engine.change('web', { health: 'unhealthy' });
    world.engine.emit('health_status: unhealthy', 'web');
    await pass(world.clock, 100);
    expect(world.conditions()).toEqual({ web: 'unhealthy' });
    world.engine.change('web', { health: 'healthy', state: 'paused' });
    world.engine.emit('pause', 'web');
    await pass(world.clock, 100);
    expect(world.conditions()).toEqual({ web: 'paused' });
    world.engine.change('web', { state: 'running', name: 'shop' });
    world.engine.emitAny({
      type: 'container',
      action: 'rename',
      actorId: 'web'.padEnd(64, '0'),
      attributes: {},
    });
    await pass(world.clock, 100);
    expect(world.conditions()).toEqual({ shop: undefined });
    world.engine.change('shop', {
      attachments: [{ name: 'bridge', id: 'net-bridge', ipv4: '172.17.0.99' }],
    });
    world.engine.emitAny({
      type: 'network',
      action: 'connect',
      actorId: 'net-bridge',
      attributes: { container: 'web'.padEnd(64, '0') },
    });
    await pass(world.clock, 100);
    expect(world.last()[0]).toMatchObject({ address: '172.17.0.99' });
    await world.stop();
  });

  it('publishes hundreds of stops in a few snapshots', async () => {
    const world = aWorld();
    for (let at = 0; at < 300; at++) world.engine.run(`web${at}`);
    await world.start();
    const before = world.snapshots.length;
    for (let at = 0; at < 300; at++) world.engine.emit('kill', `web${at}`, { signal: '15' });
    await pass(world.clock, 40);
    expect(world.last().every(({ condition }) => condition?.state === 'draining')).toBe(true);
    expect(world.snapshots.length - before).toBeLessThan(5);
    await world.stop();
  });
});
