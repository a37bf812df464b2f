import {
  type Condition,
  createAddressPolicy,
  type HealthProbe,
  NO_LOGGER,
  NO_METRICS,
  type ProbeResult,
  type RegistrationInput,
} from '@portolan/core';
import { MemoryStore, seededRandom, TurnableClock } from '@portolan/testing';
import { describe, expect, it } from 'vitest';
import { createRegistry } from '../registry.ts';

const SERVICE = { namespace: 'default', group: 'default', name: 'web' };
const CALLER = { trusted: true };

async function aWorld(store = new MemoryStore()) {
  const clock = new TurnableClock();
  const silent = new Set<number>();
  const probe: HealthProbe = {
    kind: 'tcp',
    check: async ({ port }): Promise<ProbeResult> => ({
      status: silent.has(port) ? 'critical' : 'passing',
      output: '',
      durationMs: 1,
    }),
  };
  const registry = await createRegistry(
    {},
    {
      store,
      clock,
      random: seededRandom(3),
      logger: NO_LOGGER,
      metrics: NO_METRICS,
      probes: [probe],
      addressPolicy: createAddressPolicy({ allowLoopback: true, ownEndpoints: [] }),
    },
  );
  const register = (many: number, condition?: Condition) =>
    registry.registerBatch(
      Array.from({ length: many }, (_, at) => anInstance(at, condition)),
      CALLER,
    );
  const routable = () =>
    registry.view(SERVICE)?.instances.filter((instance) => instance.routable).length ?? 0;
  return { registry, clock, store, silent, register, routable };
}

function anInstance(at: number, condition?: Condition): RegistrationInput {
  const port = 1_000 + at;
  return {
    service: SERVICE,
    id: `i${at}`,
    address: '127.0.0.1',
    port,
    lease: 'none',
    owner: 'docker',
    checks: [{ id: 'port', probe: { kind: 'tcp', host: '127.0.0.1', port } }],
    ...(condition === undefined ? {} : { condition }),
  };
}

describe('a condition', () => {
  it('takes all of a service out at once when they drain, which is nobody’s loss', async () => {
    const { registry, clock, register, routable } = await aWorld();
    await register(8);
    await clock.advance(50);
    expect(routable()).toBe(8);
    await register(8, { state: 'draining', reason: 'the container was told to stop' });
    expect(routable()).toBe(0);
    expect(registry.view(SERVICE)?.instances[0]).toMatchObject({
      status: 'passing',
      statusReason: 'the container was told to stop',
    });
    await clock.advance(1_000);
    expect(registry.view(SERVICE)?.protection).toBeUndefined();
    await registry.close();
  });

  it('lets the checks of draining instances fail without calling it a loss', async () => {
    const { registry, clock, silent, register, routable } = await aWorld();
    await register(8);
    await clock.advance(50);
    await register(8, { state: 'draining', reason: 'stopping' });
    for (let at = 0; at < 8; at++) silent.add(1_000 + at);
    await clock.advance(60_000);
    expect(registry.view(SERVICE)?.protection).toBeUndefined();
    expect(routable()).toBe(0);
    await registry.close();
  });

  it('keeps serving when all turn unhealthy at once, as with any other check', async () => {
    const { registry, clock, register, routable } = await aWorld();
    await register(8);
    await clock.advance(50);
    await register(8, { state: 'unhealthy', reason: 'HEALTHCHECK fails' });
    await clock.advance(50);
    expect(routable()).toBe(8);
    expect(registry.view(SERVICE)?.protection).toMatchObject({ kept: 8 });
    await register(8);
    await clock.advance(50);
    expect(registry.view(SERVICE)?.instances.every((one) => !one.protected)).toBe(true);
    await registry.close();
  });

  it('holds a starting instance back although its own check passes, and lets it in afterwards', async () => {
    const { registry, clock, register, routable } = await aWorld();
    await register(1, { state: 'starting', reason: 'HEALTHCHECK has not passed yet' });
    await clock.advance(30_000);
    expect(routable()).toBe(0);
    expect(registry.view(SERVICE)?.instances[0]).toMatchObject({
      status: 'unknown',
      statusReason: 'HEALTHCHECK has not passed yet',
    });
    await register(1);
    await clock.advance(1);
    expect(routable()).toBe(1);
    await registry.close();
  });

  it('survives a restart with its owner, and an identical one writes nothing', async () => {
    const { registry, store, register } = await aWorld();
    await register(2, { state: 'paused', reason: 'paused' });
    const { revision } = registry;
    await register(2, { state: 'paused', reason: 'paused' });
    expect(registry.revision).toBe(revision);
    await registry.close();
    const again = await aWorld(store);
    expect(again.registry.view(SERVICE)?.instances[1]).toMatchObject({
      owner: 'docker',
      condition: { state: 'paused', reason: 'paused' },
      routable: false,
    });
    await again.registry.close();
  });
});

describe('a new instance', () => {
  it('is asked again in a hurry until it answers, and then at its interval', async () => {
    const { registry, clock, silent, register, routable } = await aWorld();
    silent.add(1_000);
    await register(1);
    await clock.advance(650);
    silent.delete(1_000);
    await clock.advance(100);
    expect(routable()).toBe(1);
    silent.add(1_000);
    await clock.advance(5_000);
    expect(registry.checks({ namespace: 'default', id: 'i0' })[0]?.consecutiveFailures).toBe(0);
    await registry.close();
  });
});
