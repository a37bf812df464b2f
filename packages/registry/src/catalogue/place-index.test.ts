import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PlaceIndex, PlaceTable } from './place-index.ts';

const step = fc.record({
  do: fc.constantFrom('add', 'remove'),
  service: fc.nat(2),
  place: fc.oneof(fc.nat(5), fc.integer()),
  key: fc.constantFrom('a', 'b', 'c', 'd'),
});

describe('the places of services', () => {
  it('hold for each service whom a plain list of it holds, each once', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const table = new PlaceTable();
        const services = ['x', 'y', 'z'].map((id) => new PlaceIndex(table, id));
        const model = new Map<string, Set<string>>();
        for (const { do: what, service, place, key } of steps) {
          const at = `${service}/${place}`;
          const keys = model.get(at) ?? new Set();
          model.set(at, keys);
          if (what === 'add') {
            keys.add(key);
            services[service]?.add(place, key);
          } else {
            keys.delete(key);
            services[service]?.remove(place, key);
          }
        }
        for (const [at, keys] of model) {
          const [service, place] = at.split('/').map(Number);
          const held = services[service ?? 0]?.at(place ?? 0) ?? [];
          expect([...held].sort()).toEqual([...keys].sort());
        }
      }),
    );
  });
});
