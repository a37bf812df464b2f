import { DEFAULT_SERVER_LIMITS, parseRequestHead } from '@portolan/http';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ForwardingContext, toRequestLines } from './request-headers.ts';

const CERTIFICATE = { subject: 'CN=alice,O=Example', fingerprint: 'ab12' };

function linesOf(received: string, over: Partial<ForwardingContext> = {}): string[] {
  const bytes = Buffer.from(`GET / HTTP/1.1\r\nHost: shop.example\r\n${received}\r\n`, 'latin1');
  const head = parseRequestHead(bytes, 0, bytes.length, DEFAULT_SERVER_LIMITS);
  if (!head) throw new Error('not a whole head');
  const text = toRequestLines(head, {
    peer: { ip: '192.0.2.1', forwardedFor: '192.0.2.1', trusted: false },
    requestId: 'r-1',
    keepsRequestId: false,
    host: 'shop.example',
    prefix: '',
    port: 443,
    secure: true,
    protocol: 'HTTP/1.1',
    clientCertificate: undefined,
    maxForwards: undefined,
    upgrade: false,
    ...over,
  });
  return text.split('\r\n').slice(0, -1);
}

const told = (lines: readonly string[]): string[] =>
  lines.filter((line) => line.toLowerCase().startsWith('x-forwarded-client-cert'));

describe('the client certificate', () => {
  it('is told to the service in the form of Envoy', () => {
    expect(told(linesOf('', { clientCertificate: CERTIFICATE }))).toEqual([
      'X-Forwarded-Client-Cert: Hash=ab12;Subject="CN=alice,O=Example"',
    ]);
  });

  it('that a stranger claims in a header is not', () => {
    const claimed = 'X-Forwarded-Client-Cert: Hash=00;Subject="CN=root"\r\n';
    expect(told(linesOf(claimed))).toEqual([]);
    expect(told(linesOf(claimed, { clientCertificate: CERTIFICATE }))).toHaveLength(1);
  });

  it('that a trusted proxy was shown stays, and its own comes with it', () => {
    const claimed = 'X-Forwarded-Client-Cert: Hash=00;Subject="CN=bob"\r\n';
    const peer = { ip: '10.0.0.1', forwardedFor: '10.0.0.1', trusted: true };
    const lines = told(linesOf(claimed, { peer, clientCertificate: CERTIFICATE }));
    expect(lines).toHaveLength(2);
    expect(lines.join()).toContain('CN=bob');
    expect(lines.join()).toContain('CN=alice');
  });

  it('cannot end its text or its line, whatever its names hold', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        const clientCertificate = { subject: `CN=${name}`, fingerprint: 'ab12' };
        const plain = linesOf('', { clientCertificate: CERTIFICATE });
        const lines = linesOf('', { clientCertificate });
        expect(lines).toHaveLength(plain.length);
        const [line = ''] = told(lines);
        expect(line).toMatch(
          /^X-Forwarded-Client-Cert: Hash=ab12;Subject="CN=[\x20-\x21\x23-\x5b\x5d-\x7e]*"$/,
        );
        const subject = /Subject="(.*)"$/.exec(line)?.[1] ?? '';
        expect(decodeURIComponent(subject)).toBe(`CN=${name.toWellFormed()}`);
      }),
    );
  });
});
