import { createServer } from 'node:net';
import { connect } from 'node:tls';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseClientHello } from './client-hello.ts';

/** What a real client sends first. */
async function realHello(options: { servername?: string; ALPNProtocols?: string[] }) {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const first = new Promise<Buffer>((resolve) => {
    server.once('connection', (socket) => {
      socket.once('data', (piece: Buffer) => {
        resolve(piece);
        socket.destroy();
      });
    });
  });
  const client = connect({ host: '127.0.0.1', port, ...options });
  client.on('error', () => undefined);
  const hello = await first;
  client.destroy();
  server.close();
  return hello;
}

/** The same hello, its records cut to that many bytes each. */
function inRecordsOf(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const piece = message.subarray(at, at + size);
    records.push(Buffer.from([22, 3, 1, piece.length >> 8, piece.length & 255]), piece);
  }
  return Buffer.concat(records);
}

function code(bytes: Buffer): string | undefined {
  try {
    parseClientHello(bytes);
    return undefined;
  } catch (error) {
    return (error as { code: string }).code;
  }
}

let named: Buffer;
beforeAll(async () => {
  named = await realHello({ servername: 'Shop.Example', ALPNProtocols: ['h2', 'http/1.1'] });
});

describe('a TLS hello', () => {
  it('tells server name and protocols', () => {
    expect(parseClientHello(named)).toEqual({
      value: { serverName: 'shop.example', alpn: ['h2', 'http/1.1'] },
      length: named.length,
    });
  });

  it('may name no server', async () => {
    const anonymous = parseClientHello(await realHello({}));
    expect(anonymous?.value).toEqual({ serverName: undefined, alpn: [] });
  });

  it('is waited for at every split, and read however it was cut into records', () => {
    for (let cut = 0; cut < named.length; cut++) {
      expect(parseClientHello(named.subarray(0, cut))).toBeUndefined();
    }
    for (const size of [1, 2, 3, 7, 100]) {
      const cut = inRecordsOf(named, size);
      expect(parseClientHello(cut)?.value.serverName).toBe('shop.example');
      expect(parseClientHello(cut.subarray(0, cut.length - 1))).toBeUndefined();
    }
  });

  it.each([
    ['plain HTTP', 'GET / HTTP/1.1\r\n\r\n'],
    ['another record', '\x17\x03\x03\x00\x01a'],
    ['another message', '\x16\x03\x01\x00\x04\x02\x00\x00\x00'],
    ['an empty record', '\x16\x03\x01\x00\x00'],
    ['a record too long', '\x16\x03\x01\xff\xff'],
    ['a hello too long', '\x16\x03\x01\x00\x04\x01\xff\xff\xff'],
    ['SSL 2', '\x80\x2e\x01\x00\x02'],
    ['a hello without contents', '\x16\x03\x01\x00\x04\x01\x00\x00\x00'],
  ])('is not %s', (_what, text) => {
    expect(code(Buffer.from(text, 'latin1'))).toBe('CLIENT_HELLO_INVALID');
  });

  it('never makes the reader fail in any other way, whatever bytes are changed', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat({ max: 255 }), (at, byte) => {
        const changed = Buffer.from(named);
        changed[at % changed.length] = byte;
        expect(['CLIENT_HELLO_INVALID', undefined]).toContain(code(changed));
      }),
      { numRuns: 2_000 },
    );
  });
});
