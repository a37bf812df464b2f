import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { proxyHeader } from '../client/proxy-header.ts';
import { MAX_PROXY_HEADER_BYTES, parseProxyHeader } from './proxy-protocol.ts';

const port = fc.integer({ min: 0, max: 65_535 });
const ipv4 = fc.ipV4();
const ipv6 = fc.array(fc.integer({ min: 0, max: 65_535 }), { minLength: 8, maxLength: 8 });
const SIGNATURE = '\r\n\r\n\0\r\nQUIT\n';

function code(bytes: Buffer | string): string | undefined {
  try {
    parseProxyHeader(Buffer.from(bytes as string, 'latin1'));
    return undefined;
  } catch (error) {
    return (error as { code: string }).code;
  }
}

describe('the PROXY protocol header', () => {
  it('is read back as it was written, in both versions, at any split, with what follows left alone', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(1 as const, 2 as const),
        fc.oneof(fc.tuple(ipv4, ipv4), fc.tuple(ipv6, ipv6)),
        port,
        port,
        fc.nat(),
        (version, [from, to], sourcePort, destinationPort, cut) => {
          const text = (address: string | number[]): string =>
            typeof address === 'string'
              ? address
              : address.map((group) => group.toString(16)).join(':');
          const header = proxyHeader(version, {
            sourceAddress: text(from),
            destinationAddress: text(to),
            sourcePort,
            destinationPort,
          });
          const bytes = Buffer.concat([header, Buffer.from('GET /')]);
          expect(parseProxyHeader(bytes.subarray(0, cut % header.length))).toBeUndefined();
          const opening = parseProxyHeader(bytes);
          expect(opening?.length).toBe(header.length);
          const source = opening?.value;
          expect([source?.sourcePort, source?.destinationPort]).toEqual([
            sourcePort,
            destinationPort,
          ]);
          expect(
            proxyHeader(version, source).equals(version === 2 ? header : proxyHeader(1, source)),
          ).toBe(true);
          if (typeof from === 'string') expect(source?.sourceAddress).toBe(from);
        },
      ),
    );
  });

  it.each([
    ['PROXY UNKNOWN\r\n', 15],
    ['PROXY UNKNOWN ffff::1 whatever 1 2\r\n', 36],
    [`${SIGNATURE}\x20\x00\x00\x00`, 16],
    [`${SIGNATURE}\x21\x31\x00\x02ab`, 18],
  ])('may say that there is nothing to tell: %j', (text, length) => {
    expect(parseProxyHeader(Buffer.from(text, 'latin1'))).toEqual({ value: undefined, length });
  });

  it('may carry more behind the addresses', () => {
    const text = `${SIGNATURE}\x21\x11\x00\x10\x01\x02\x03\x04\x05\x06\x07\x08\x00\x50\x01\xbb\x04\x00\x01\x00`;
    expect(parseProxyHeader(Buffer.from(text, 'latin1'))).toEqual({
      value: {
        sourceAddress: '1.2.3.4',
        sourcePort: 80,
        destinationAddress: '5.6.7.8',
        destinationPort: 443,
      },
      length: 32,
    });
  });

  it.each([
    'GET / HTTP/1.1\r\n',
    'PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n',
    'PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n',
    'PROXY TCP4 1.2.3.4 ::1 1 2\r\n',
    'PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n',
    'PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n',
    'PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n',
    'PROXY  TCP4 1.2.3.4 5.6.7.8 1 2\r\n',
    'PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n',
    `PROXY TCP6 ${'f'.repeat(110)}`,
    '\r\n\r\n\0\r\nQUIX\n',
    `${SIGNATURE}\x11\x11\x00\x00`,
    `${SIGNATURE}\x22\x11\x00\x00`,
    `${SIGNATURE}\x21\x11\x00\x04abcd`,
    `${SIGNATURE}\x21\x11\xff\xff`,
  ])('is refused when it is broken: %j', (text) => {
    expect(code(text)).toBe('PROXY_HEADER_INVALID');
  });

  it('is never waited for beyond its bound', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: MAX_PROXY_HEADER_BYTES }), (bytes) => {
        let waits = false;
        try {
          waits = parseProxyHeader(Buffer.from(bytes)) === undefined;
        } catch {
          waits = false;
        }
        expect(waits).toBe(false);
      }),
      { numRuns: 20 },
    );
  });
});
