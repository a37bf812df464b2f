import type { Balancer, Endpoint, Random } from '@portolan/core';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../random/seeded-random.ts';

/** An endpoint for tests; every one gets its own address unless told otherwise. */
export function anEndpoint(over: Partial<Endpoint> & { readonly id: string }): Endpoint {
  return { address: '10.0.0.1', port: 80, weight: 1, active: 0, ...over };
}

/** An endpoint per weight. */
export function endpointsWeighing(weights: readonly number[]): Endpoint[] {
  return weights.map((weight, at) => anEndpoint({ id: `e${at}`, port: 1_000 + at, weight }));
}

/** Picks `count` times with nothing tried and counts by id. */
export function pickShares(balancer: Balancer, count: number): Map<string, number> {
  const shares = new Map<string, number>();
  for (let turn = 0; turn < count; turn++) {
    const id = balancer.pick({ hash: turn, tried: [] })?.id ?? 'none';
    shares.set(id, (shares.get(id) ?? 0) + 1);
  }
  return shares;
}

const weightLists = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 12 });

/** What every balancer keeps. `tolerance` is the allowed relative error of a share over many picks. */
export function balancerContract(
  name: string,
  create: (random: Random) => Balancer,
  options: { readonly shareTolerance: number },
): void {
  describe(`${name} keeps the balancer contract`, () => {
    it('picks nothing from an empty list', () => {
      const balancer = create(seededRandom(1));
      expect(balancer.pick({ hash: 0, tried: [] })).toBeUndefined();
      balancer.update(endpointsWeighing([1]));
      balancer.update([]);
      expect(balancer.pick({ hash: 0, tried: [] })).toBeUndefined();
    });

    it('picks only what the last update listed', () => {
      void fc.assert(
        fc.property(weightLists, fc.nat({ max: 1_000_000 }), fc.nat(), (weights, seed, cut) => {
          const balancer = create(seededRandom(seed));
          const all = endpointsWeighing(weights);
          balancer.update(all);
          pickShares(balancer, 7);
          const kept = all.slice(0, (cut % all.length) + 1);
          balancer.update(kept);
          const ids = new Set(kept.map((endpoint) => endpoint.id));
          for (const id of pickShares(balancer, 50).keys()) expect(ids).toContain(id);
        }),
      );
    });

    it('avoids what was tried while another is left, and picks something all the same when none is', () => {
      void fc.assert(
        fc.property(
          weightLists,
          fc.nat({ max: 1_000_000 }),
          fc.array(fc.nat({ max: 11 })),
          (weights, seed, marks) => {
            const balancer = create(seededRandom(seed));
            const all = endpointsWeighing(weights);
            balancer.update(all);
            const tried = all.filter((_, at) => marks.includes(at));
            for (let turn = 0; turn < 20; turn++) {
              const picked = balancer.pick({ hash: turn, tried });
              expect(picked).toBeDefined();
              if (tried.length < all.length) expect(tried).not.toContain(picked);
            }
          },
        ),
      );
    });

    it('gives every endpoint its share by weight', () => {
      const weights = [1, 3, 6, 10];
      const balancer = create(seededRandom(7));
      balancer.update(endpointsWeighing(weights));
      const shares = pickShares(balancer, 20_000);
      for (const [at, weight] of weights.entries()) {
        const share = (shares.get(`e${at}`) ?? 0) / 20_000;
        expect(Math.abs(share / (weight / 20) - 1)).toBeLessThanOrEqual(options.shareTolerance);
      }
    });

    it('starves nobody when an update comes before every pick', () => {
      const balancer = create(seededRandom(3));
      const all = endpointsWeighing([5, 1, 1, 1]);
      const shares = new Map<string, number>();
      for (let turn = 0; turn < 800; turn++) {
        balancer.update([...all]);
        const id = balancer.pick({ hash: turn, tried: [] })?.id ?? 'none';
        shares.set(id, (shares.get(id) ?? 0) + 1);
      }
      for (const endpoint of all) {
        const expected = (800 * endpoint.weight) / 8;
        expect(shares.get(endpoint.id) ?? 0).toBeGreaterThan(expected * 0.7);
      }
    });
  });
}
