import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatIp, isIpv4Mapped, parseIp, unmapIp } from './ip-address.ts';

const byte = fc.integer({ min: 0, max: 255 });
const ipv4 = fc
  .array(byte, { minLength: 4, maxLength: 4 })
  .map((bytes) => ({ family: 4 as const, bytes }));
// Zeros are over-represented, so that compressed forms of every shape appear.
const ipv6 = fc
  .array(fc.oneof(fc.constant(0), byte), { minLength: 16, maxLength: 16 })
  .map((bytes) => ({ family: 6 as const, bytes }));

describe('parseIp', () => {
  test('reads back every address that formatIp writes', () => {
    fc.assert(
      fc.property(fc.oneof(ipv4, ipv6), (ip) => {
        expect(parseIp(formatIp(ip))).toEqual(ip);
      }),
    );
  });

  test('never throws, and what it accepts has one canonical form', () => {
    const alphabet = fc.constantFrom(...'0123456789abcdefxX.:%[]/ -'.split(''));
    fc.assert(
      fc.property(fc.string({ unit: alphabet, maxLength: 24 }), (text) => {
        const ip = parseIp(text);
        if (!ip) return;
        const canonical = formatIp(ip);
        const again = parseIp(canonical);
        expect(again).toEqual(ip);
        expect(again && formatIp(again)).toBe(canonical);
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ['::', new Array(16).fill(0)],
    ['::1', [...new Array(15).fill(0), 1]],
    ['1::', [0, 1, ...new Array(14).fill(0)]],
    ['1:2:3:4:5:6:7:8', [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]],
    ['1:2:3:4:5:6:7::', [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 0]],
    ['64:ff9b::1.2.3.4', [0, 0x64, 0xff, 0x9b, ...new Array(8).fill(0), 1, 2, 3, 4]],
    ['1:2:3:4:5:6:1.2.3.4', [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 1, 2, 3, 4]],
    ['FE80::A', [0xfe, 0x80, ...new Array(13).fill(0), 10]],
  ])('reads %s', (text, bytes) => {
    expect(parseIp(text)).toEqual({ family: 6, bytes });
  });

  test.each([
    '',
    '1.2.3',
    '127.1',
    '2130706433',
    '0x7f.1',
    '0x7f.0.0.1',
    '0177.0.0.1',
    '127.0.0.01',
    '00.0.0.0',
    '256.0.0.1',
    '1.2.3.4.5',
    '1.2.3.4 ',
    ' 1.2.3.4',
    '1.2.3.4\n',
    '+1.2.3.4',
    '1..2.3',
    '１.2.3.4',
    '1.2.3.4:80',
    'localhost',
    '[::]',
    '[::1]',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4::5:6:7:8',
    '::12345',
    '::g',
    'fe80::1%eth0',
    'fe80::1%25eth0',
    '::1.2.3',
    '::01.2.3.4',
    '1.2.3.4::',
    '::1.2.3.4:5',
    '1:2:3:4:5:6:7:1.2.3.4',
    ':1:2:3:4:5:6:7:8',
  ])('refuses "%s"', (text) => {
    expect(parseIp(text)).toBeUndefined();
  });
});

describe('formatIp', () => {
  test.each([
    ['2001:0db8:0000:0000:0001:0000:0000:0001', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['ABCD::', 'abcd::'],
    ['::ffff:7f00:1', '::ffff:127.0.0.1'],
  ])('writes %s as %s', (text, canonical) => {
    const ip = parseIp(text);
    expect(ip && formatIp(ip)).toBe(canonical);
  });
});

describe('unmapIp', () => {
  test('turns every mapped form into the IPv4 address and leaves others alone', () => {
    fc.assert(
      fc.property(fc.oneof(ipv4, ipv6), (ip) => {
        const mapped = ip.family === 4 ? parseIp(`::ffff:${formatIp(ip)}`) : undefined;
        if (mapped) {
          expect(isIpv4Mapped(mapped)).toBe(true);
          expect(unmapIp(mapped)).toEqual(ip);
        } else if (!isIpv4Mapped(ip)) {
          expect(unmapIp(ip)).toBe(ip);
        }
      }),
    );
  });
});
