import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readUsualHead } from './usual-head.ts';

/** Near a head: JSON of the right kind, and anything that a byte makes of it. */
const head = fc
  .tuple(
    fc.oneof(fc.constantFrom('web', 'service-12', ''), fc.string({ unit: 'grapheme' })),
    fc.oneof(fc.constantFrom('10.0.0.1', '192.168.100.200', '::1'), fc.string()),
    fc.oneof(fc.nat(65_535), fc.double(), fc.integer()),
    fc.oneof(fc.maxSafeNat(), fc.nat(), fc.constantFrom(1_700_000_000_000)),
    fc.oneof(fc.constant(''), fc.constantFrom(' ', ',', ',["draining",""]', ',0')),
  )
  .map(
    ([name, address, port, at, more]) =>
      `[${JSON.stringify(name)},${JSON.stringify(address)},${JSON.stringify(port)},${at}${more}]`,
  );
const damaged = fc
  .tuple(
    head,
    fc.nat(60),
    fc.nat(3),
    fc.constantFrom('', '"', '\\', '0', '00', ',', '\n', '[', 'é'),
  )
  .map(([text, at, cut, put]) => text.slice(0, at) + put + text.slice(at + cut));

describe('the usual head of a registration', () => {
  it('is read as JSON reads it, or left to JSON', () => {
    let read = 0;
    fc.assert(
      fc.property(fc.oneof(head, damaged), fc.nat(5), (text, before) => {
        const from = before;
        const whole = `${'x'.repeat(before)}${text}[1,[],{}]`;
        const usual = readUsualHead(whole, from, from + text.length);
        if (!usual) return;
        read++;
        const { service, address, port, at } = usual;
        expect(JSON.parse(text)).toEqual([service, address, port, at]);
      }),
      { numRuns: 3_000 },
    );
    expect(read).toBeGreaterThan(100);
  });

  it('is what a registration without anything special has', () => {
    const text = '["web","192.168.100.200",8080,1700000000000]';
    expect(readUsualHead(text, 0, text.length)).toEqual({
      service: 'web',
      address: '192.168.100.200',
      port: 8_080,
      at: 1_700_000_000_000,
    });
    for (const odd of ['["web","::1",8080,1,["draining",""]]', '[["blue","web"],"::1",1,1]']) {
      expect(readUsualHead(odd, 0, odd.length), odd).toBeUndefined();
    }
  });
});
