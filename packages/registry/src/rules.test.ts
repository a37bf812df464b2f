import {
  createAddressPolicy,
  type HealthProbe,
  NO_LOGGER,
  NO_METRICS,
  type ProbeResult,
  type RegistrationInput,
  type Registry,
  RegistryError,
  type ServiceView,
  toAsciiTexts,
} from '@portolan/core';
import { MemoryStore, seededRandom, settle, TurnableClock } from '@portolan/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RegistryOptionsInput } from './options/registry-options.ts';
import { createRegistry } from './registry.ts';

const WEB = { namespace: 'default', group: 'default', name: 'web' };
const CALLER = { trusted: false };
const LEASE = { ttlMs: 10_000, heartbeatMs: 3_000 };

const renewIds = (registry: Registry, numbers: readonly number[]) =>
  registry.renewIds(WEB.namespace, toAsciiTexts(numbers.map((at) => `i${at}`)));

interface World {
  readonly store?: MemoryStore;
  readonly clock?: TurnableClock;
  readonly options?: RegistryOptionsInput;
}

async function aWorld({
  store = new MemoryStore(),
  clock = new TurnableClock(),
  options = {},
}: World = {}) {
  const sick = new Set<number>();
  const probe: HealthProbe = {
    kind: 'tcp',
    check: async ({ port }): Promise<ProbeResult> => ({
      status: sick.has(port) ? 'critical' : 'passing',
      output: `at ${clock.now()}`,
      durationMs: 1,
    }),
  };
  const registry = await createRegistry(options, {
    store,
    clock,
    random: seededRandom(11),
    logger: NO_LOGGER,
    metrics: NO_METRICS,
    probes: [probe],
    addressPolicy: createAddressPolicy({ allowLoopback: true, ownEndpoints: [] }),
    nextTurn: () => Promise.resolve(),
    preflight: async (_address, port) => (sick.has(port) ? 'connection refused' : undefined),
  });
  return { registry, clock, store, sick };
}

function anInstance(at: number, more: Partial<RegistrationInput> = {}): RegistrationInput {
  return {
    service: WEB,
    id: `i${at}`,
    address: '127.0.0.1',
    port: 1_000 + at,
    lease: LEASE,
    ...more,
  };
}

function aCheck(port: number) {
  return {
    id: 'port',
    probe: { kind: 'tcp', host: '127.0.0.1', port },
    intervalMs: 1_000,
    timeoutMs: 500,
  } as const;
}

const ref = (at: number) => ({ namespace: 'default', id: `i${at}` });

describe('rule 1: identity', () => {
  it('names an instance after service, address and port when it names itself not', async () => {
    const { registry } = await aWorld();
    const { id: _, ...nameless } = anInstance(1);
    const { instance } = await registry.register(nameless, CALLER);
    expect(instance.id).toBe('web-127.0.0.1-1001');
  });

  it('changes nothing for an identical registration: no revision, no write, nobody woken', async () => {
    const { registry, store } = await aWorld();
    await registry.register(anInstance(1), CALLER);
    let woken = 0;
    registry.subscribe(() => woken++);
    const { revision } = store;
    expect(await registry.register(anInstance(1), CALLER)).toMatchObject({ changed: false });
    expect([store.revision, registry.revision, woken]).toEqual([revision, revision, 0]);
  });

  it('lets the newer registration of an address and port supersede', async () => {
    const { registry } = await aWorld();
    await registry.register(anInstance(1, { port: 80 }), CALLER);
    const outcome = await registry.register(anInstance(2, { port: 80 }), CALLER);
    expect(outcome.superseded).toBe('i1');
    expect(registry.view(WEB)?.instances.map((one) => one.id)).toEqual(['i2']);
  });

  it('refuses the newer one when told to', async () => {
    const { registry } = await aWorld({ options: { onAddressConflict: 'reject' } });
    await registry.register(anInstance(1, { port: 80 }), CALLER);
    await expect(registry.register(anInstance(2, { port: 80 }), CALLER)).rejects.toBeInstanceOf(
      RegistryError,
    );
    expect(registry.instance(ref(1))).toBeDefined();
  });

  it('finds an instance by its address, whatever its id, until it is gone', async () => {
    const { registry } = await aWorld();
    await registry.register(anInstance(1), CALLER);
    const at = (port: number, service = WEB) => registry.instanceAt(service, '127.0.0.1', port)?.id;
    expect([at(1_001), at(1_002), at(1_001, { ...WEB, name: 'other' })]).toEqual([
      'i1',
      undefined,
      undefined,
    ]);
    await registry.register(anInstance(2, { port: 1_001 }), CALLER);
    expect(at(1_001)).toBe('i2');
    await registry.deregister(ref(2));
    expect(at(1_001)).toBeUndefined();
    await registry.close();
  });

  it('lets two racing registrations of one address not both win', async () => {
    const { registry } = await aWorld();
    await Promise.allSettled([
      registry.register(anInstance(1, { port: 80 }), CALLER),
      registry.register(anInstance(2, { port: 80 }), CALLER),
    ]);
    expect(registry.view(WEB)?.instances).toHaveLength(1);
  });
});

describe('rule 2: readiness first', () => {
  it('routes to an instance with a check only after its first probe passed', async () => {
    const { registry, clock, sick } = await aWorld();
    sick.add(1_001);
    await registry.register(anInstance(1, { lease: 'none', checks: [aCheck(1_001)] }), CALLER);
    expect(registry.instance(ref(1))).toMatchObject({ status: 'unknown', routable: false });
    await clock.advance(900);
    expect(registry.instance(ref(1))?.routable).toBe(false);
    sick.clear();
    await clock.advance(2_000);
    expect(registry.instance(ref(1))?.routable).toBe(true);
    await registry.close();
  });

  it('routes to an instance with only a lease at once', async () => {
    const { registry } = await aWorld();
    const { instance } = await registry.register(anInstance(1), CALLER);
    expect(instance.routable).toBe(true);
  });

  it('refuses what does not pass its preflight', async () => {
    const { registry, sick } = await aWorld();
    sick.add(1_001);
    await expect(
      registry.register(anInstance(1, { preflight: true }), CALLER),
    ).rejects.toMatchObject({ code: 'PREFLIGHT_FAILED' });
  });
});

describe('rule 3: leases', () => {
  it('writes nothing for a heartbeat', async () => {
    const { registry, store, clock } = await aWorld();
    await registry.register(anInstance(1), CALLER);
    const { revision } = store;
    for (let beat = 0; beat < 10; beat++) {
      await clock.advance(3_000);
      await registry.heartbeat(ref(1));
    }
    expect(store.revision).toBe(revision);
    expect(registry.instance(ref(1))).toBeDefined();
  });

  it.each(['heartbeat', 'batch', 'ids'] as const)(
    'never takes out what it told by %s that it was heard, however close to the end of its term',
    async (how) => {
      const outcomes = new Set<boolean>();
      for (let turns = 0; turns < 80; turns++) {
        const { registry, clock } = await aWorld();
        await registry.register(anInstance(1), CALLER);
        const expiring = clock.advance(LEASE.ttlMs + 50);
        for (let turn = 0; turn < turns; turn++) await Promise.resolve();
        const late = clock.now() >= LEASE.ttlMs;
        const heard = {
          heartbeat: () =>
            registry.heartbeat(ref(1)).then(
              () => true,
              () => false,
            ),
          // Those who hold the reference look for it among the unknown.
          batch: async () => {
            const asked = ref(1);
            return !(await registry.renewBatch([asked])).includes(asked);
          },
          ids: async () => (await renewIds(registry, [1])).length === 0,
        };
        const renewed = await heard[how]();
        await expiring;
        await settle();
        if (late) {
          expect(registry.instance(ref(1)) !== undefined).toBe(renewed);
          outcomes.add(renewed);
        }
        await registry.close();
      }
      // Otherwise the moment that matters was missed.
      expect(outcomes).toContain(false);
    },
  );

  it('keeps an instance whose place was taken and taken back within one batch', async () => {
    const { registry } = await aWorld();
    await registry.register(anInstance(1, { port: 80 }), CALLER);
    const items = await registry.registerBatch(
      [anInstance(2, { port: 80 }), anInstance(1, { port: 80 })],
      CALLER,
    );
    expect(items).toMatchObject([
      { ok: true, value: { created: true, superseded: ref(1).id } },
      { ok: true, value: { changed: true, created: false, superseded: ref(2).id } },
    ]);
    expect(registry.view(WEB)?.instances.map(({ id }) => id)).toEqual([ref(1).id]);
    await registry.close();
  });

  it('lets two instances change places within one batch', async () => {
    const { registry } = await aWorld();
    await registry.register(anInstance(1, { port: 80 }), CALLER);
    await registry.register(anInstance(2, { port: 81 }), CALLER);
    const items = await registry.registerBatch(
      [anInstance(1, { port: 81 }), anInstance(2, { port: 80 })],
      CALLER,
    );
    expect(items.map((item) => item.ok && item.value.changed)).toEqual([true, true]);
    expect(registry.view(WEB)?.instances.map(({ id, port }) => [id, port])).toEqual([
      [ref(1).id, 81],
      [ref(2).id, 80],
    ]);
    await registry.close();
  });

  it('gives every lease one full term after a restart', async () => {
    const first = await aWorld();
    await first.registry.register(anInstance(1), CALLER);
    await first.clock.advance(9_000);
    await first.registry.close();
    const { store, clock } = first;
    await clock.advance(60_000);
    const { registry } = await aWorld({ store, clock });
    expect(registry.lease(ref(1))?.remainingMs).toBe(10_000);
    await clock.advance(9_900);
    expect(registry.instance(ref(1))).toBeDefined();
    await clock.advance(300);
    expect(registry.instance(ref(1))).toBeUndefined();
    await registry.close();
    expect(clock.pending).toBe(0);
  });

  it('expires 20,000 leases of one second in bounded commits, and writes get in between', async () => {
    const { registry, clock, store } = await aWorld();
    for (let from = 0; from < 20_000; from += 1_000) {
      const inputs = Array.from({ length: 1_000 }, (_, at) =>
        anInstance(from + at, {
          port: 1 + (at % 3),
          service: { ...WEB, name: `s${Math.floor((from + at) / 3)}` },
          address: `10.${Math.floor(from / 1_000)}.${Math.floor(at / 250)}.${at % 250}`,
        }),
      );
      await clock.advance(50);
      const items = await registry.registerBatch(inputs, CALLER);
      expect(items.every((item) => item.ok)).toBe(true);
    }
    const before = store.revision;
    await clock.advance(8_500);
    let written = 0;
    for (let at = 0; at < 40; at++) {
      await clock.advance(50);
      await registry.register(
        anInstance(50_000 + at, { port: 9_000 + at, address: '10.99.0.1', lease: 'none' }),
        CALLER,
      );
      written++;
    }
    await clock.advance(1_000);
    for (let turn = 0; turn < 200; turn++) await settle();
    expect(registry.services()).toHaveLength(1);
    expect(registry.view(WEB)?.instances).toHaveLength(40);
    const commits = store.revision - before - written;
    expect(commits).toBeGreaterThanOrEqual(20_000 / 128);
    expect(commits).toBeLessThan(400);
    await registry.close();
  }, 30_000);
});

describe('rule 4: checks', () => {
  it('wakes nobody while a probe says the same in other words', async () => {
    const { registry, clock, store } = await aWorld();
    await registry.register(anInstance(1, { lease: 'none', checks: [aCheck(1_001)] }), CALLER);
    await clock.advance(500);
    const { revision } = store;
    await clock.advance(30_000);
    expect(store.revision).toBe(revision);
    expect(registry.checks(ref(1))[0]?.output).not.toBe('');
    await registry.close();
  });
});

describe('rule 5: mass-loss protection', () => {
  it('keeps a service whose instances all expire, and removes those that were deregistered', async () => {
    const { registry, clock } = await aWorld();
    for (let at = 0; at < 8; at++) await registry.register(anInstance(at), CALLER);
    await registry.deregister(ref(7));
    await clock.advance(11_000);
    await settle();
    expect(registry.services()[0]).toMatchObject({ instances: 7, routable: 7, protected: true });
    await registry.deregister(ref(0));
    expect(registry.view(WEB)?.instances).toHaveLength(6);
    await registry.close();
  });

  it('stays on over a restart', async () => {
    const first = await aWorld();
    for (let at = 0; at < 8; at++) await first.registry.register(anInstance(at), CALLER);
    await first.clock.advance(12_000);
    await first.registry.close();
    const { registry } = await aWorld({ store: first.store, clock: first.clock });
    await first.clock.advance(30_000);
    expect(registry.services()[0]).toMatchObject({ routable: 8, protected: true });
    for (let beat = 0; beat < 5; beat++) {
      for (let at = 0; at < 8; at++) await registry.heartbeat(ref(at));
      await first.clock.advance(2_000);
    }
    expect(registry.services()[0]).toMatchObject({ routable: 8, protected: false });
    await registry.close();
  });
});

describe('rule 6: an unknown id is told to register again', () => {
  it('by heartbeat and by batch', async () => {
    const { registry } = await aWorld();
    await expect(registry.heartbeat(ref(1))).rejects.toMatchObject({ code: 'INSTANCE_NOT_FOUND' });
    await registry.register(anInstance(2), CALLER);
    expect(await registry.renewBatch([ref(1), ref(2)])).toEqual([ref(1)]);
    expect(await renewIds(registry, [2, 3, 2, 1])).toEqual(['i3', 'i1']);
    expect(await registry.renewIds('elsewhere', toAsciiTexts(['i2']))).toEqual(['i2']);
  });
});

describe('rule 7: watch', () => {
  it('brings a reader from any revision to the present state', async () => {
    const { registry } = await aWorld();
    const revisions: number[] = [];
    for (let at = 0; at < 5; at++) {
      await registry.register(anInstance(at, { service: { ...WEB, name: `s${at % 2}` } }), CALLER);
      revisions.push(registry.revision);
    }
    await registry.deregister(ref(1));
    const state = new Map<string, ServiceView>();
    for (const view of registry.viewsSince(revisions[3] ?? 0) ?? []) {
      state.set(view.service.name, view);
    }
    expect([...state.keys()].sort()).toEqual(['s0', 's1']);
    expect(state.get('s1')?.instances.map((one) => one.id)).toEqual(['i3']);
    expect(registry.viewsSince(registry.revision)).toEqual([]);
  });
});

describe('rule 8: metadata', () => {
  it('makes one label set of tags and metadata and keeps to its limits', async () => {
    const { registry } = await aWorld();
    const input = anInstance(1, { tags: ['zone:a', 'plain'], metadata: { version: '2' } });
    const { instance } = await registry.register(input, CALLER);
    expect(instance.labels).toMatchObject({ zone: 'a', version: '2' });
    const tooLong = anInstance(2, { metadata: { key: 'x'.repeat(513) } });
    await expect(registry.register(tooLong, CALLER)).rejects.toBeInstanceOf(RegistryError);
  });
});

describe('rule 9: intent is stored apart from the lease', () => {
  it('survives a changed registration and a restart', async () => {
    const { registry, store, clock } = await aWorld();
    await registry.register(anInstance(1), CALLER);
    await registry.setIntent(ref(1), { enabled: false });
    await registry.register(anInstance(1, { metadata: { version: '2' } }), CALLER);
    expect(registry.instance(ref(1))?.routable).toBe(false);
    await registry.close();
    const again = await aWorld({ store, clock });
    expect(again.registry.instance(ref(1))?.intent.enabled).toBe(false);
  });
});

describe('rule 10: a failing store changes nothing', () => {
  it('refuses the write, serves reads and renews leases', async () => {
    const { registry, store, clock } = await aWorld();
    await registry.register(anInstance(1), CALLER);
    const view = registry.view(WEB);
    store.failCommitsWith(new RegistryError('STORE_FULL', { detail: 'full' }));
    await expect(registry.register(anInstance(2), CALLER)).rejects.toMatchObject({
      code: 'STORE_FULL',
    });
    await expect(registry.deregister(ref(1))).rejects.toMatchObject({ code: 'STORE_FULL' });
    expect(registry.view(WEB)).toBe(view);
    await clock.advance(9_000);
    await registry.heartbeat(ref(1));
    await clock.advance(9_000);
    expect(registry.view(WEB)).toBe(view);
    store.failCommitsWith(undefined);
    await registry.register(anInstance(2), CALLER);
    expect(registry.view(WEB)?.instances).toHaveLength(2);
  });
});

const step = fc.oneof(
  fc.record({ do: fc.constant('register' as const), at: fc.nat(5) }),
  fc.record({ do: fc.constant('heartbeat' as const), at: fc.nat(5) }),
  fc.record({ do: fc.constant('deregister' as const), at: fc.nat(5) }),
  fc.record({ do: fc.constant('wait' as const), at: fc.integer({ min: 1, max: 110 }) }),
  fc.record({ do: fc.constant('restart' as const), at: fc.constant(0) }),
);

describe('registry', () => {
  it('agrees with a list of due times under any order of registering, renewing, waiting and restarting', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const options = { protection: { enabled: false } };
        let { registry, clock, store } = await aWorld({ options });
        const due = new Map<number, number>();
        for (const { do: what, at } of steps) {
          if (what === 'register') {
            await registry.register(anInstance(at), CALLER);
            due.set(at, clock.now() + LEASE.ttlMs);
          } else if (what === 'heartbeat') {
            const asked = at % 2 === 0 ? [at] : [0, at, 3];
            const unknown = await renewIds(registry, asked);
            expect(unknown).toEqual(asked.filter((one) => !due.has(one)).map((one) => `i${one}`));
            for (const one of asked) if (due.has(one)) due.set(one, clock.now() + LEASE.ttlMs);
          } else if (what === 'deregister') {
            const [outcome] = await Promise.allSettled([registry.deregister(ref(at))]);
            expect(outcome?.status === 'fulfilled').toBe(due.delete(at));
          } else if (what === 'restart') {
            await registry.close();
            expect(clock.pending).toBe(0);
            ({ registry, clock, store } = await aWorld({ options, clock, store }));
            for (const one of due.keys()) due.set(one, clock.now() + LEASE.ttlMs);
          } else {
            await clock.advance(at * 100);
            for (let turn = 0; turn < 5; turn++) await settle();
            // Between the due time and one tick of the wheel after it, both answers are right.
            for (const [one, dueMs] of due) {
              const isPresent = registry.instance(ref(one)) !== undefined;
              if (clock.now() < dueMs) expect(isPresent).toBe(true);
              if (clock.now() > dueMs + 50) expect(isPresent).toBe(false);
              if (!isPresent) due.delete(one);
            }
          }
          const present = [...(registry.view(WEB)?.instances ?? [])].map((one) => one.id);
          expect(present).toEqual([...due.keys()].sort().map((one) => `i${one}`));
        }
        await registry.close();
      }),
      { numRuns: 150 },
    );
  });
});
