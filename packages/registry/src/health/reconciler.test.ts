import {
  createAddressPolicy,
  type HealthProbe,
  NO_LOGGER,
  NO_METRICS,
  type ProbeResult,
  type RegistrationInput,
  RegistryError,
} from '@portolan/core';
import { MemoryStore, seededRandom, settle, TurnableClock } from '@portolan/testing';
import { describe, expect, it } from 'vitest';
import type { RegistryOptionsInput } from '../options/registry-options.ts';
import { createRegistry } from '../registry.ts';

const SERVICE = { namespace: 'default', group: 'default', name: 'web' };
const CALLER = { trusted: false };

async function aRegistry(
  options: RegistryOptionsInput = {},
  store = new MemoryStore(),
  nextTurn?: () => Promise<void>,
) {
  const clock = new TurnableClock();
  const sick = new Set<number>();
  const probe: HealthProbe = {
    kind: 'tcp',
    check: async (target): Promise<ProbeResult> => ({
      status: sick.has(target.port) ? 'critical' : 'passing',
      output: '',
      durationMs: 1,
    }),
  };
  const registry = await createRegistry(options, {
    store,
    clock,
    random: seededRandom(7),
    logger: NO_LOGGER,
    metrics: NO_METRICS,
    probes: [probe],
    addressPolicy: createAddressPolicy({ allowLoopback: true, ownEndpoints: [] }),
    ...(nextTurn === undefined ? {} : { nextTurn }),
  });
  return { registry, clock, store, sick };
}

function anInstance(at: number, more: Partial<RegistrationInput> = {}): RegistrationInput {
  return {
    service: SERVICE,
    id: `i${at}`,
    address: '127.0.0.1',
    port: 1_000 + at,
    lease: { ttlMs: 10_000, heartbeatMs: 3_000 },
    ...more,
  };
}

const ref = (at: number) => ({ namespace: 'default', id: `i${at}` });

describe('health reconciler', () => {
  it('removes an instance nobody has heard of and says why', async () => {
    const { registry, clock } = await aRegistry();
    await registry.register(anInstance(1), CALLER);
    await clock.advance(9_900);
    expect(registry.instance(ref(1))).toBeDefined();
    await clock.advance(200);
    await settle();
    expect(registry.instance(ref(1))).toBeUndefined();
    const last = registry.events.since(0)?.at(-1);
    expect(last).toMatchObject({ type: 'instance-deregistered', reason: 'expired' });
    await registry.close();
    expect(clock.pending).toBe(0);
  });

  it('keeps all when most expire at once, lets a heartbeat bring them back, and leaves by itself', async () => {
    const { registry, clock } = await aRegistry();
    for (let at = 0; at < 10; at++) await registry.register(anInstance(at), CALLER);
    await clock.advance(11_000);
    await clock.advance(10);
    const view = registry.view(SERVICE);
    expect(view?.instances).toHaveLength(10);
    expect(view?.protection).toMatchObject({ kept: 10 });
    expect(view?.instances.every((one) => one.routable && one.protected)).toBe(true);
    for (let beat = 0; beat < 5; beat++) {
      for (let at = 0; at < 10; at++) await registry.heartbeat(ref(at));
      await clock.advance(2_000);
    }
    expect(registry.view(SERVICE)?.protection).toBeUndefined();
    expect(registry.view(SERVICE)?.instances.every((one) => one.status === 'passing')).toBe(true);
    await registry.close();
    expect(clock.pending).toBe(0);
  });

  it('takes back what was deleted one by one before the loss was known to be a mass loss', async () => {
    const { registry, clock } = await aRegistry();
    for (let at = 0; at < 10; at++) {
      await registry.register(anInstance(at), CALLER);
      await clock.advance(900);
    }
    await clock.advance(4_000);
    expect(registry.view(SERVICE)?.instances.length).toBeLessThan(10);
    await clock.advance(8_000);
    expect(registry.view(SERVICE)?.instances).toHaveLength(10);
    expect(registry.services()[0]).toMatchObject({ routable: 10, protected: true });
    await registry.close();
  });

  it('believes a scale-down after the rest was steady', async () => {
    const { registry, clock } = await aRegistry();
    for (let at = 0; at < 10; at++) await registry.register(anInstance(at), CALLER);
    for (let beat = 0; beat < 60; beat++) {
      await clock.advance(3_000);
      await registry.renewBatch([ref(0), ref(1)]);
    }
    expect(registry.view(SERVICE)?.instances.map((one) => one.id)).toEqual(['i0', 'i1']);
    expect(registry.view(SERVICE)?.protection).toBeUndefined();
    await registry.close();
  });

  it('gives up what it kept at its pace, however often somebody writes meanwhile', async () => {
    const { registry, clock } = await aRegistry({ protection: { maxDurationMs: 5_000 } });
    for (let at = 0; at < 10; at++) await registry.register(anInstance(at), CALLER);
    await clock.advance(11_000);
    expect(registry.view(SERVICE)?.protection).toMatchObject({ kept: 10 });
    const service = { ...SERVICE, name: 'busy' };
    for (let at = 100; at < 200; at++) {
      await clock.advance(300);
      await registry.register(anInstance(at, { service, lease: 'none' }), CALLER);
    }
    expect(registry.view(SERVICE)?.instances).toHaveLength(0);
    await registry.close();
    expect(clock.pending).toBe(0);
  });

  it('lets others write, and be heard, between slices of a storm of expiries', async () => {
    const COUNT = 12_000;
    const late = Array.from({ length: 100 }, (_, at) => ref(COUNT - 1 - at));
    const left: number[] = [];
    const nextTurn = async (): Promise<void> => {
      if (left.length > 0) return;
      left.push(Number.NaN);
      const service = { ...SERVICE, name: 'meanwhile' };
      await registry.register(anInstance(COUNT, { service, lease: 'none' }), CALLER);
      await registry.renewBatch(late);
      left[0] = registry.services().reduce((sum, { instances }) => sum + instances, 0);
    };
    const { registry, clock } = await aRegistry({}, new MemoryStore(), nextTurn);
    // Three a service: too few for mass-loss protection.
    for (let from = 0; from < COUNT; from += 1_000) {
      const batch = Array.from({ length: 1_000 }, (_, at) =>
        anInstance(from + at, {
          service: { ...SERVICE, name: `s${Math.floor((from + at) / 3)}` },
        }),
      );
      const items = await registry.registerBatch(batch, CALLER);
      expect(items.every(({ ok }) => ok)).toBe(true);
    }
    await clock.advance(10_100);
    for (let turn = 0; turn < 1_000; turn++) await settle();
    expect(left[0]).toBeGreaterThan(COUNT / 2);
    expect(registry.services().reduce((sum, { instances }) => sum + instances, 0)).toBe(101);
    for (const one of late) expect(registry.instance(one)).toBeDefined();
    await registry.close();
    expect(clock.pending).toBe(0);
  });

  it('judges as one loss what expires together, however many that are', async () => {
    const COUNT = 5_000;
    const { registry, clock } = await aRegistry({}, new MemoryStore(), () => Promise.resolve());
    for (let from = 0; from < COUNT; from += 1_000) {
      const batch = Array.from({ length: 1_000 }, (_, at) => anInstance(from + at));
      await registry.registerBatch(batch, CALLER);
    }
    const { revision } = registry;
    await clock.advance(10_100);
    for (let turn = 0; turn < 1_000; turn++) await settle();
    expect(registry.view(SERVICE)?.protection).toMatchObject({ kept: COUNT });
    const types = new Set(registry.events.since(revision)?.map(({ type }) => type));
    expect(types).not.toContain('instance-deregistered');
    await registry.close();
    expect(clock.pending).toBe(0);
  });

  it('loses no transition while the store refuses, and changes nothing in memory until it is written', async () => {
    const { registry, clock, store } = await aRegistry();
    await registry.register(anInstance(1), CALLER);
    await registry.register(anInstance(2, { service: { ...SERVICE, name: 'api' } }), CALLER);
    store.failCommitsWith(new RegistryError('STORE_FULL', { detail: 'full' }));
    await clock.advance(15_000);
    expect(registry.instance(ref(1))).toBeDefined();
    await registry.heartbeat(ref(2));
    store.failCommitsWith(undefined);
    await clock.advance(10_000);
    expect(registry.instance(ref(1))).toBeUndefined();
    await registry.close();
    expect(clock.pending).toBe(0);
  });

  it('takes an instance out after fall failures and removes it after deregisterAfter', async () => {
    const { registry, clock, sick } = await aRegistry();
    const check = {
      id: 'port',
      probe: { kind: 'tcp', host: '127.0.0.1', port: 1_001 },
      intervalMs: 1_000,
      timeoutMs: 500,
      rise: 2,
      fall: 3,
      deregisterAfterMs: 5_000,
    } as const;
    await registry.register(anInstance(1, { lease: 'none', checks: [check] }), CALLER);
    expect(registry.instance(ref(1))?.routable).toBe(false);
    await clock.advance(100);
    expect(registry.instance(ref(1))?.routable).toBe(true);
    sick.add(1_001);
    await clock.advance(2_000);
    expect(registry.instance(ref(1))?.status).toBe('passing');
    await clock.advance(1_500);
    expect(registry.instance(ref(1))?.status).toBe('critical');
    await clock.advance(6_000);
    expect(registry.instance(ref(1))).toBeUndefined();
    expect(registry.events.since(0)?.at(-1)).toMatchObject({ reason: 'check' });
    await registry.close();
  });

  it('lets a registration or a heartbeat that came first win over the expiry', async () => {
    const { registry, clock } = await aRegistry();
    await registry.register(anInstance(1), CALLER);
    await registry.register(anInstance(2, { service: { ...SERVICE, name: 'api' } }), CALLER);
    await clock.advance(9_990);
    const again = registry.register(anInstance(1, { metadata: { version: '2' } }), CALLER);
    await registry.renewBatch([ref(2)]);
    await clock.advance(60);
    await again;
    await clock.advance(5_000);
    expect(registry.instance(ref(1))?.metadata).toEqual({ version: '2' });
    expect(registry.instance(ref(2))).toBeDefined();
    await registry.close();
  });

  it('gives way to another process that wrote the instance first', async () => {
    const { registry, clock, store } = await aRegistry();
    await registry.register(anInstance(1), CALLER);
    const entry = await store.get('instance/default/i1');
    const commit = store.commit.bind(store);
    let raced = false;
    store.commit = (ops, guards) => {
      if (!raced && ops.some((op) => op.type === 'delete')) {
        raced = true;
        void commit([{ type: 'put', key: 'instance/default/i1', value: entry?.value ?? '' }]);
      }
      return commit(ops, guards);
    };
    await clock.advance(15_000);
    expect(raced).toBe(true);
    expect(registry.instance(ref(1))).toBeDefined();
    await clock.advance(6_000);
    expect(registry.instance(ref(1))).toBeUndefined();
    await registry.close();
  });

  it('closes while the watch on the store is broken and a deletion waits to become visible', async () => {
    const { registry, clock, store } = await aRegistry();
    await registry.register(anInstance(1), CALLER);
    await clock.advance(9_900);
    store.breakWatches(new RegistryError('STORE_FAILED', { detail: 'broken' }));
    await clock.advance(150);
    expect(registry.instance(ref(1))).toBeDefined();
    await registry.close();
    expect(clock.pending).toBe(0);
  });

  it('removes the loser of a race between two processes for one address', async () => {
    const { registry, clock, store } = await aRegistry();
    await registry.register(anInstance(1), CALLER);
    const entry = await store.get('instance/default/i1');
    const value = (entry?.value ?? '').replace('"id":"i1"', '"id":"i9"');
    await store.commit([{ type: 'put', key: 'instance/default/i9', value }]);
    await clock.advance(100);
    expect(registry.view(SERVICE)?.instances.map((one) => one.id)).toEqual(['i9']);
    const events = registry.events.since(0) ?? [];
    expect(events.at(-1)).toMatchObject({ reason: 'superseded' });
    await registry.close();
  });
});
