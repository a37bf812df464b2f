import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import { systemClock } from '@portolan/client';
import { seededRandom } from '@portolan/testing';
import { afterEach, expect, test } from 'vitest';
import { type LoadPlan, runLoad } from './run-load.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const REQUEST = Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
const deps = { clock: systemClock, random: seededRandom(1) };

/** A server whose answers `reply` writes, one call a request. */
async function aServer(reply: (socket: Socket, count: number) => void): Promise<URL> {
  let count = 0;
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', () => reply(socket, ++count));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

function load(url: URL, over: Partial<LoadPlan> = {}) {
  const next = (sequence: number) => (sequence < 20 ? REQUEST : undefined);
  const { signal } = new AbortController();
  return runLoad({ url, connections: 2, next, signal, ...over }, deps);
}

test('every request is answered once, however the answer is split', async () => {
  const url = await aServer((socket) => {
    for (const byte of OK) socket.write(byte);
  });
  const result = await load(url);
  expect(result.requests).toBe(20);
  expect([...result.errors]).toEqual([]);
});

test('statuses and broken connections are counted, and the load goes on', async () => {
  const url = await aServer((socket, count) => {
    if (count === 3) socket.destroy();
    else if (count === 5) socket.write('HTTP/1.1 429 Too Many\r\nContent-Length: 0\r\n\r\n');
    else if (count === 7) socket.write(OK.replace('\r\n', '\r\nConnection: close\r\n'));
    else socket.write(OK);
  });
  const result = await load(url);
  expect(result.requests).toBe(19);
  expect(Object.fromEntries(result.errors)).toEqual({
    'the connection was closed': 1,
    'status 429': 1,
  });
});

test('at a given rate a late answer makes those behind it late as well', async () => {
  let first = true;
  const url = await aServer((socket) => {
    const delayMs = first ? 100 : 0;
    first = false;
    systemClock.setTimer(delayMs, () => socket.write(OK));
  });
  const result = await load(url, { connections: 1, perSecond: 1_000 });
  expect(result.requests).toBe(20);
  // Sent as fast as answers come, only one of twenty would have waited.
  expect(result.latency.percentileMs(0.5)).toBeGreaterThan(60);
});

test('ends at once when told to', async () => {
  const url = await aServer(() => undefined);
  const abort = new AbortController();
  const ending = load(url, { signal: abort.signal });
  systemClock.setTimer(20, () => abort.abort());
  expect((await ending).requests).toBe(0);
});
