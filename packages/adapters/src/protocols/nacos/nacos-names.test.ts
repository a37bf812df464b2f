import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeName, encodeName } from './nacos-names.ts';

describe('a Nacos name', () => {
  it.each([
    ['orders', 'orders'],
    ['providers:com.example.Api:1.0.0:', 'providers:com.example.Api:1.0.0@3a'],
    ['a/b', 'a@2fb'],
    ['订单', '@e8@ae@a2@e5@8d@95'],
    ['a@b', 'a@b'],
    ['a@3a', 'a@403a'],
  ])('%s is written as %s, and read back', (name, written) => {
    expect(encodeName(name)).toBe(written);
    expect(decodeName(written)).toBe(name);
  });

  it('is read back whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }), (name) => {
        expect(decodeName(encodeName(name))).toBe(name);
      }),
    );
  });

  it('of others that only looks written so is left as it is', () => {
    for (const name of ['a@zz', 'a@ff', 'x@61y']) expect(decodeName(name)).toBe(name);
  });
});
