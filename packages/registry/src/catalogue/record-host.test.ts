import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toAddress, toHost } from './record-host.ts';

describe('an address as a record holds it', () => {
  it('is a number for an IPv4 address, and comes back as it was written', () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        const host = toHost(address);
        expect(host).toBeTypeOf('number');
        expect(Object.is((host as number) | 0, host)).toBe(true);
        expect(toAddress(host)).toBe(address);
      }),
    );
    for (const address of ['0.0.0.0', '127.255.255.255', '128.0.0.0', '255.255.255.255']) {
      expect(toAddress(toHost(address))).toBe(address);
    }
  });

  it('stays as it is when it is anything else, also what only looks like IPv4', () => {
    const odd = fc.constantFrom('010.0.0.1', '1.2.3', '256.0.0.1', '1.2.3.4.5', '1.2.3.4 ', '');
    fc.assert(
      fc.property(fc.oneof(fc.ipV6(), fc.domain(), odd), (address) => {
        expect(toHost(address)).toBe(address);
        expect(toAddress(address)).toBe(address);
      }),
    );
  });
});
