import { hashText } from '@portolan/core';
import { seededRandom } from '@portolan/testing';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseByWeight, chooseForCaller } from './choose-destination.ts';

const aDestination = (name: string, weight: number, hasEndpoints = true) => ({
  name,
  weight,
  identityHash: hashText(name),
  cluster: { hasEndpoints },
});

const callers = Array.from({ length: 20_000 }, (_, at) => `user-${at}`);

describe('the choice of a destination', () => {
  it('follows the weights, and gives the share of one without endpoints to the others', () => {
    const random = seededRandom(5);
    const share = (destinations: readonly ReturnType<typeof aDestination>[]): number => {
      let first = 0;
      for (let at = 0; at < 10_000; at++) {
        if (chooseByWeight(destinations, random)?.name === 'v1') first++;
      }
      return first / 10_000;
    };
    expect(share([aDestination('v1', 80), aDestination('v2', 20)])).toBeCloseTo(0.8, 1);
    expect(share([aDestination('v1', 80), aDestination('v2', 20, false)])).toBe(1);
    expect(chooseByWeight([aDestination('v1', 0)], random)).toBeUndefined();
    expect(chooseByWeight([aDestination('v1', 0), aDestination('v2', 0)], random)).toBeUndefined();
  });

  it('gives a caller the same destination every time, and callers together their shares', () => {
    const destinations = [aDestination('v1', 80), aDestination('v2', 15), aDestination('v3', 5)];
    const counts = new Map<string, number>();
    for (const caller of callers) {
      const name = chooseForCaller(destinations, caller)?.name ?? 'none';
      expect(chooseForCaller([...destinations].reverse(), caller)?.name).toBe(name);
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    expect((counts.get('v1') ?? 0) / callers.length).toBeCloseTo(0.8, 1);
    expect((counts.get('v2') ?? 0) / callers.length).toBeCloseTo(0.15, 1);
    expect((counts.get('v3') ?? 0) / callers.length).toBeCloseTo(0.05, 1);
  });

  it('moves callers only to a destination whose weight grew', () => {
    void fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 2, maxLength: 5 }),
        fc.nat({ max: 4 }),
        fc.integer({ min: 1, max: 100 }),
        (weights, which, growth) => {
          const grown = which % weights.length;
          const name = (at: number): string => `v${at}`;
          const before = weights.map((weight, at) => aDestination(name(at), weight));
          const after = weights.map((weight, at) =>
            aDestination(name(at), at === grown ? weight + growth : weight),
          );
          for (const caller of callers.slice(0, 200)) {
            const was = chooseForCaller(before, caller)?.name;
            const is = chooseForCaller(after, caller)?.name;
            if (is !== was) expect(is).toBe(name(grown));
          }
        },
      ),
    );
  });

  it('moves only the callers of a destination that lost its endpoints, and they come back', () => {
    const before = [aDestination('v1', 50), aDestination('v2', 30), aDestination('v3', 20)];
    const after = [aDestination('v1', 50), aDestination('v2', 30, false), aDestination('v3', 20)];
    for (const caller of callers.slice(0, 2_000)) {
      const was = chooseForCaller(before, caller)?.name;
      const is = chooseForCaller(after, caller)?.name;
      if (was === 'v2') expect(is).not.toBe('v2');
      else expect(is).toBe(was);
    }
  });

  it('gives nobody a destination of weight 0', () => {
    const destinations = [aDestination('v1', 100), aDestination('v2', 0)];
    for (const caller of callers.slice(0, 1_000)) {
      expect(chooseForCaller(destinations, caller)?.name).toBe('v1');
    }
    expect(chooseForCaller([aDestination('v2', 0)], 'a')).toBeUndefined();
  });
});
