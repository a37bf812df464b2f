import { type AddressPolicy, NO_LOGGER, NO_METRICS } from '@portolan/core';
import { MemoryStore, seededRandom, settle, TurnableClock } from '@portolan/testing';
import { expect, test } from 'vitest';
import { createRegistry } from './registry.ts';

const anywhere: AddressPolicy = { check: () => ({ allowed: true }) };
const service = { namespace: 'default', group: 'default', name: 'web' };
const untrusted = { trusted: false };

test('a registration is visible when acknowledged, expires with its lease, and leaves no timer at close', async () => {
  const clock = new TurnableClock();
  const store = new MemoryStore();
  const registry = await createRegistry(
    {},
    {
      store,
      clock,
      random: seededRandom(1),
      logger: NO_LOGGER,
      metrics: NO_METRICS,
      probes: [],
      addressPolicy: anywhere,
    },
  );
  const first = await registry.register(
    { service, address: '10.0.0.1', port: 80, lease: 'fast' },
    untrusted,
  );
  expect(first).toMatchObject({ created: true, changed: true });
  const ref = { namespace: 'default', id: 'web-10.0.0.1-80' };
  expect(registry.instance(ref)?.routable).toBe(true);
  const again = await registry.register(
    { service, address: '10.0.0.1', port: 80, lease: 'fast' },
    untrusted,
  );
  expect(again.changed).toBe(false);
  expect(registry.revision).toBe(first.instance.modifyRevision);
  await clock.advance(9_000);
  await registry.heartbeat(ref);
  await clock.advance(9_000);
  expect(registry.instance(ref)).toBeDefined();
  await clock.advance(2_000);
  await settle();
  expect(registry.instance(ref)).toBeUndefined();
  await registry.close();
  expect(clock.pending).toBe(0);
});
