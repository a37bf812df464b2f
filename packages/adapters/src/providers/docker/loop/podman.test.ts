import { createAddressPolicy, NO_LOGGER, NO_METRICS, type ProviderSnapshot } from '@portolan/core';
import { seededRandom, settle, TurnableClock } from '@portolan/testing';
import { describe, expect, it } from 'vitest';
import { networksByName } from '../address/networks-by-name.ts';
import { createDockerProvider } from '../docker-provider.ts';
import { parseContainer, parseSummaries, parseVersion } from '../engine/engine-json.ts';
import { MemoryEngine } from '../test-engine/memory-engine.ts';

async function pass(clock: TurnableClock, ms: number): Promise<void> {
  for (let step = 0; step < 20; step++) {
    await clock.advance(ms / 20);
    for (let turn = 0; turn < 40; turn++) await settle();
  }
}

/** An engine that names networks and tells what happens as Podman does. */
async function aPodman() {
  const clock = new TurnableClock();
  const engine = new MemoryEngine(clock);
  engine.facts = { apiVersion: '1.41', version: '4.3.1', hidden: false, silentStops: true };
  engine.networkList = [
    {
      id: '2f25',
      name: 'bridge',
      driver: 'bridge',
      scope: 'local',
      ingress: false,
      gateways: ['10.88.0.1'],
    },
  ];
  const run = (name: string, network = 'podman') =>
    engine.run(name, { attachments: [{ name: network, id: network, ipv4: '10.88.0.7' }] });
  const abort = new AbortController();
  let last: ProviderSnapshot = { instances: [], routes: [] };
  const provider = createDockerProvider(
    {
      name: 'docker',
      engine: { kind: 'unix', path: '/run/podman/podman.sock' },
      namespace: 'default',
      exposeByDefault: false,
      networks: [],
      gatewayOn: 'auto',
      swarm: true,
    },
    {
      clock,
      random: seededRandom(3),
      logger: NO_LOGGER,
      metrics: NO_METRICS,
      addressPolicy: createAddressPolicy({ allowLoopback: false, ownEndpoints: [] }),
      resolve: () => Promise.reject(new Error('no such name')),
      source: engine,
      ownIds: [],
    },
  );
  const running = provider.run((snapshot) => {
    last = snapshot;
  }, abort.signal);
  await pass(clock, 100);
  return {
    clock,
    engine,
    run,
    conditions: () => last.instances.map(({ condition }) => condition?.state ?? 'ready'),
    async stop() {
      abort.abort();
      await pass(clock, 1);
      await running;
      expect(clock.pending).toBe(0);
    },
  };
}

describe('Podman', () => {
  it('has its default network under another name than its containers say', async () => {
    const { engine, run, clock, conditions, stop } = await aPodman();
    run('web');
    engine.emit('start', 'web');
    await pass(clock, 200);
    expect(conditions()).toEqual(['ready']);
    await stop();
  });

  it('does not tell of a new network, which is asked for when a container is in one', async () => {
    const { engine, run, clock, conditions, stop } = await aPodman();
    engine.networkList.push({
      id: '12bd',
      name: 'shop',
      driver: 'bridge',
      scope: 'local',
      ingress: false,
      gateways: ['10.89.0.1'],
    });
    run('web', 'shop');
    engine.emit('start', 'web');
    await pass(clock, 200);
    expect(conditions()).toEqual(['ready']);
    await stop();
  });

  it('does not tell that a container is told to stop, which its list is asked for', async () => {
    const { engine, run, clock, conditions, stop } = await aPodman();
    run('web');
    engine.emit('start', 'web');
    await pass(clock, 200);
    engine.change('web', { stopping: true });
    await pass(clock, 700);
    expect(conditions()).toEqual(['draining']);
    engine.change('web', { stopping: false, state: 'exited' });
    engine.emit('die', 'web');
    await pass(clock, 10);
    expect(conditions()).toEqual([]);
    await stop();
  });

  it('is asked less often the longer it takes to answer', async () => {
    const { engine, clock, stop } = await aPodman();
    const containers = engine.containers.bind(engine);
    engine.containers = async () => {
      await new Promise<void>((resolve) => clock.setTimer(1_000, resolve));
      return containers();
    };
    const before = engine.asked.containers ?? 0;
    await pass(clock, 20_000);
    expect((engine.asked.containers ?? 0) - before).toBeLessThanOrEqual(4);
    await pass(clock, 2_000);
    await stop();
  });

  it('names the container as the actor of a network’s event, and calls its removal so', async () => {
    const { engine, run, clock, conditions, stop } = await aPodman();
    const { id } = run('web');
    engine.emit('start', 'web');
    await pass(clock, 200);
    engine.change('web', { attachments: [] });
    engine.emitAny({ type: 'network', action: 'disconnect', actorId: id, attributes: {} });
    await pass(clock, 200);
    expect(conditions()).toEqual([]);
    run('web');
    engine.emitAny({ type: 'network', action: 'connect', actorId: id, attributes: {} });
    await pass(clock, 200);
    expect(conditions()).toEqual(['ready']);
    engine.drop('web');
    engine.emitAny({ type: 'container', action: 'remove', actorId: id, attributes: {} });
    await pass(clock, 10);
    expect(conditions()).toEqual([]);
    await stop();
  });

  it('is known by its version, and has a state between the signal and the end', () => {
    const version = { ApiVersion: '1.41', MinAPIVersion: '1.24', Version: '4.3.1' };
    const podman = { ...version, Components: [{ Name: 'Podman Engine' }, { Name: 'Conmon' }] };
    expect(parseVersion(podman).silentStops).toBe(true);
    expect(parseVersion({ ...version, Components: [{ Name: 'Engine' }] }).silentStops).toBe(false);
    const state = { Status: 'stopping', Running: false, Health: { Status: '' } };
    expect(
      parseContainer({ Id: 'a', Name: '/web', State: state, Config: { StopSignal: '15' } }),
    ).toMatchObject({ state: 'running', stopping: true });
    expect(parseSummaries([{ Id: 'a', Names: ['/web'], State: 'stopping' }])).toMatchObject([
      { id: 'a', running: true, stopping: true },
    ]);
  });

  it('may have a network that is called like its default one in containers', () => {
    const named = (id: string, name: string) => ({
      id,
      name,
      driver: 'bridge',
      scope: 'local',
      ingress: false,
      gateways: [],
    });
    const networks = networksByName([named('1', 'bridge'), named('2', 'podman')]);
    expect(networks.get('podman')?.id).toBe('2');
    expect(networks.get('1')?.name).toBe('bridge');
  });
});
