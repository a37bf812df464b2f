import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Cidr, cidrContains, matchesCidr, parseCidr } from './cidr.ts';
import { formatIp, type IpAddress } from './ip-address.ts';

const anIpv4 = fc
  .array(fc.integer({ min: 0, max: 255 }), { minLength: 4, maxLength: 4 })
  .map((bytes): IpAddress => ({ family: 4, bytes }));

function toNumber(ip: IpAddress): number {
  return ip.bytes.reduce((sum, byte) => sum * 256 + byte, 0);
}

describe('parseCidr', () => {
  test.each(['10.0.0.0/8', '0.0.0.0/0', '::/0', 'fc00::/7', '10.1.2.3', '::1', '::1/128'])(
    'reads %s',
    (text) => {
      expect(parseCidr(text)).toBeDefined();
    },
  );

  test.each([
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/',
    '10.0.0.0/08',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '10.0.0.0/255.0.0.0',
    '10/8',
    '/8',
    'internal',
    '',
  ])('refuses "%s"', (text) => {
    expect(parseCidr(text)).toBeUndefined();
  });

  test('refuses bits behind the prefix', () => {
    expect(parseCidr('10.0.0.1/8')).toBeUndefined();
    expect(parseCidr('fc00::1/7')).toBeUndefined();
  });

  test('reads a mapped network as the IPv4 network', () => {
    expect(parseCidr('::ffff:10.0.0.0/104')).toEqual(parseCidr('10.0.0.0/8'));
    expect(parseCidr('::ffff:0:0/80')).toBeUndefined();
  });
});

describe('cidrContains', () => {
  test('agrees with integer arithmetic', () => {
    fc.assert(
      fc.property(anIpv4, anIpv4, fc.integer({ min: 0, max: 32 }), (seed, ip, prefixLength) => {
        const size = 2 ** (32 - prefixLength);
        const first = Math.floor(toNumber(seed) / size) * size;
        const bytes = [24, 16, 8, 0].map((shift) => Math.floor(first / 2 ** shift) % 256);
        const cidr = parseCidr(`${bytes.join('.')}/${prefixLength}`) as Cidr;
        const inside = toNumber(ip) >= first && toNumber(ip) < first + size;
        expect(cidrContains(cidr, ip)).toBe(inside);
        expect(cidrContains(cidr, seed)).toBe(true);
      }),
    );
  });
});

describe('matchesCidr', () => {
  const cidrs = ['10.0.0.0/8', 'fc00::/7'].map((text) => parseCidr(text) as Cidr);

  test('counts a mapped address as the IPv4 address it carries', () => {
    fc.assert(
      fc.property(anIpv4, (ip) => {
        const text = formatIp(ip);
        expect(matchesCidr(`::ffff:${text}`, cidrs)).toBe(matchesCidr(text, cidrs));
      }),
    );
  });

  test('never matches across families, nor what is no address', () => {
    const everything4 = [parseCidr('0.0.0.0/0') as Cidr];
    expect(matchesCidr('::1', everything4)).toBe(false);
    expect(matchesCidr('10.0.0.1', [parseCidr('::/0') as Cidr])).toBe(false);
    expect(matchesCidr('localhost', everything4)).toBe(false);
    expect(matchesCidr('', everything4)).toBe(false);
    expect(matchesCidr('10.0.0.1', [])).toBe(false);
  });
});
