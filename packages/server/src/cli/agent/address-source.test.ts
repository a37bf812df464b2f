import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { systemClock } from '@portolan/client';
import { seededRandom } from '@portolan/testing';
import { describe, expect, test } from 'vitest';
import { createAddressSource } from './address-source.ts';

const random = seededRandom(1);

function open(urls: readonly string[], given?: string) {
  const said: string[] = [];
  const stopping = new AbortController();
  const source = createAddressSource(
    { given, urls, signal: stopping.signal },
    { clock: systemClock, random, log: (line) => void said.push(line) },
  );
  return { source, said, stop: () => stopping.abort() };
}

describe('the address to register', () => {
  test('is the given one, or loopback when the registry is there, without asking anybody', async () => {
    expect(open(['http://127.0.0.1:9'], '10.0.0.7').source.address).toBe('10.0.0.7');
    const { source, said } = open(['http://localhost:9']);
    expect(await source.found).toBe('127.0.0.1');
    expect(said).toHaveLength(1);
  });

  test('is found once the registry is back, and is not known before', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    // Mapped into IPv6, the address does not look like loopback, so it has to be reached.
    const { source, said } = open([`http://[::ffff:127.0.0.1]:${port}`]);
    while (said.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(source.address).toBeUndefined();
    const back = createServer((socket) => socket.destroy()).listen(port, '127.0.0.1');
    try {
      expect(await source.found).toBe('127.0.0.1');
      expect(source.address).toBe('127.0.0.1');
    } finally {
      back.close();
    }
  });

  test('is given up when the application ends', async () => {
    const { source, stop } = open(['http://[::ffff:127.0.0.1]:9']);
    stop();
    expect(await source.found).toBeUndefined();
  });
});
