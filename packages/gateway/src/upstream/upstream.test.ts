import {
  DEFAULT_OUTLIER_OPTIONS,
  DEFAULT_RETRY_BUDGET,
  type Instance,
  NO_LOGGER,
  type ServiceView,
  toServiceView,
} from '@portolan/core';
import { seededRandom, TurnableClock } from '@portolan/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { anInstance } from '../test-rig/settable-catalogue.ts';
import { PLAIN_TRANSPORT } from '../transport/endpoint-transport.ts';
import { createUpstream } from './upstream.ts';

const service = { namespace: 'default', group: 'default', name: 'web' };

function anUpstream() {
  const asked: string[] = [];
  const upstream = createUpstream(
    service,
    { outlier: DEFAULT_OUTLIER_OPTIONS, retryBudget: DEFAULT_RETRY_BUDGET },
    {
      clock: new TurnableClock(),
      random: seededRandom(1),
      logger: NO_LOGGER,
      place: { zone: undefined, region: undefined },
      onEndpointAdded: () => undefined,
      policyOf: () => undefined,
      transportOf(_service, { id }) {
        asked.push(id);
        return PLAIN_TRANSPORT;
      },
      onTransportLeft: () => undefined,
      onEndpointGone: () => undefined,
      onEjected: () => undefined,
      onEmpty: () => undefined,
    },
  );
  return { upstream, asked };
}

const viewOf = (instances: readonly Instance[], revision = 1): ServiceView =>
  toServiceView(service, revision, instances);
const id = (at: number): string => `i-${String(at).padStart(3, '0')}`;

it('looks only at the instances that changed', () => {
  const { upstream, asked } = anUpstream();
  const all = Array.from({ length: 100 }, (_, at) => anInstance(1_000 + at, { id: id(at) }));
  upstream.apply(viewOf(all));
  expect(asked).toHaveLength(100);
  asked.length = 0;
  const changed = all
    .map((instance, at) => (at === 50 ? { ...instance, effectiveWeight: 7 } : instance))
    .filter((_, at) => at !== 3 && at !== 99);
  upstream.apply(viewOf([...changed, anInstance(2_000, { id: id(100) })]));
  expect(asked).toEqual([id(50), id(100)]);
  expect(upstream.endpoints).toHaveLength(99);
  expect(upstream.endpoints.find((endpoint) => endpoint.id === id(50))?.weight).toBe(7);
  asked.length = 0;
  upstream.apply(viewOf(changed), true);
  expect(asked).toHaveLength(98);
});

it('comes to the same endpoints as one that sees the newest view only', () => {
  const step = fc.record({
    present: fc.uniqueArray(fc.nat(12), { maxLength: 12 }),
    changed: fc.uniqueArray(fc.nat(12), { maxLength: 4 }),
    moved: fc.uniqueArray(fc.nat(12), { maxLength: 2 }),
    sorted: fc.boolean(),
    busy: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), (steps) => {
      const { upstream } = anUpstream();
      const instances = new Map<number, Instance>();
      let last: readonly Instance[] = [];
      for (const [round, { present, changed, moved, sorted, busy }] of steps.entries()) {
        for (const at of present) {
          const before = instances.get(at) ?? anInstance(1_000 + at, { id: id(at) });
          const weighed = changed.includes(at) ? { ...before, effectiveWeight: round } : before;
          instances.set(
            at,
            moved.includes(at) ? { ...weighed, port: 10_000 + 100 * round + at } : weighed,
          );
        }
        const order = sorted ? [...present].sort((a, b) => a - b) : present;
        last = order.map((at) => instances.get(at) as Instance);
        const [first] = upstream.endpoints;
        // One with a request under way stays known, but takes no more.
        if (busy && first) first.active = 1;
        upstream.apply(viewOf(last, round));
      }
      const wanted = last.filter(({ effectiveWeight }) => effectiveWeight > 0);
      const told = (list: Iterable<{ id: string; port: number }>) =>
        [...list].map((one) => `${one.id} ${one.port}`).sort();
      expect(told(upstream.endpoints)).toEqual(told(wanted));
      const weights = new Map(wanted.map((one) => [one.id, one.effectiveWeight]));
      for (const endpoint of upstream.endpoints) {
        expect(endpoint.draining).toBe(false);
        expect(endpoint.fullWeight).toBe(weights.get(endpoint.id));
      }
      const stays = new Set(upstream.endpoints);
      for (const endpoint of upstream.known) {
        expect(endpoint.draining).toBe(!stays.has(endpoint));
        // One that left with nothing under way is known no more.
        if (endpoint.draining) expect(endpoint.active).toBe(1);
      }
      upstream.close();
    }),
    { numRuns: 300 },
  );
});
