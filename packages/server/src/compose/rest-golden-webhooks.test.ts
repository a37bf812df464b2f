import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createWebhookDispatcher, type WebhookDispatcher } from '@portolan/adapters';
import { type Clock, createAddressPolicy, NO_LOGGER } from '@portolan/core';
import { seededRandom, settle } from '@portolan/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createNativeApi, type NativeApi } from './test-rest/native-api.ts';

const SECRET = 'a-long-shared-secret';

interface Delivery {
  readonly id: string;
  readonly signature: string;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look at the wire, whatever it holds
  readonly body: any;
}

/** A receiver on a real socket; `answers` are given in turn, then 204. `hang` never answers. */
interface Receiver {
  readonly url: string;
  readonly deliveries: Delivery[];
  readonly answers: (number | 'hang')[];
  /** Resolves when so many were received. */
  received(count: number): Promise<void>;
  close(): Promise<void>;
}

async function startReceiver(): Promise<Receiver> {
  const deliveries: Delivery[] = [];
  const answers: (number | 'hang')[] = [];
  let wake: () => void = () => undefined;
  const server: Server = createServer((request, response) => {
    void read(request).then((text) => {
      deliveries.push({
        id: String(request.headers['x-portolan-delivery']),
        signature: String(request.headers['x-portolan-signature']),
        text,
        body: JSON.parse(text),
      });
      const answer = answers.shift() ?? 204;
      if (answer !== 'hang') response.writeHead(answer).end();
      wake();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    deliveries,
    answers,
    async received(count) {
      while (deliveries.length < count) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function read(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const part of request.setEncoding('utf8')) text += part;
  return text;
}

let api: NativeApi;
let receiver: Receiver;
let dispatcher: WebhookDispatcher;
/** The wait between two tries that is under way. */
let backoffMs: number | undefined;
const TIMEOUT_MS = 4_000;

/** The turned clock, seen to tell a wait between tries from the time limit of one. */
function watchedClock(): Clock {
  return {
    now: () => api.clock.now(),
    wallNow: () => api.clock.wallNow(),
    setTimer(delayMs, callback) {
      const timer = api.clock.setTimer(delayMs, callback);
      if (delayMs === TIMEOUT_MS) return timer;
      backoffMs = delayMs;
      return {
        cancel() {
          backoffMs = undefined;
          timer.cancel();
        },
      };
    },
  };
}

beforeEach(async () => {
  api = await createNativeApi();
  backoffMs = undefined;
  receiver = await startReceiver();
  dispatcher = createWebhookDispatcher(
    { maxAttempts: 3, maxWaiting: 5, timeoutMs: TIMEOUT_MS },
    {
      registry: api.registry,
      clock: watchedClock(),
      random: seededRandom(3),
      logger: NO_LOGGER,
      addressPolicy: createAddressPolicy({ allowLoopback: true, ownEndpoints: [] }),
      resolve: async () => '127.0.0.1',
    },
  );
});
afterEach(async () => {
  await dispatcher.close();
  await receiver.close();
  await api.close();
  expect(api.clock.pending).toBe(0);
});

async function subscribe(extra: object = {}, url = receiver.url): Promise<void> {
  const body = JSON.stringify({ url, secret: SECRET, ...extra });
  const reply = await api.call({ method: 'PUT', target: '/api/v1/webhooks/hook', body });
  expect(reply.status).toBeLessThan(300);
}

async function register(port: number, service = 'web'): Promise<void> {
  const body = JSON.stringify({ service, address: '127.0.0.1', port, lease: 'none' });
  await api.call({ method: 'POST', target: '/register', body });
}

/** Lets sockets and promises move until something shows; the clock stays. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

/** Lets the wait before the next try pass; resolves with how long it was. */
async function passBackoff(): Promise<number> {
  await until(() => backoffMs !== undefined);
  const waitedMs = backoffMs ?? 0;
  await api.clock.advance(waitedMs - 1);
  expect(backoffMs).toBe(waitedMs);
  await api.clock.advance(1);
  return waitedMs;
}

const portsOf = (delivery: Delivery | undefined): number[] =>
  delivery?.body.events.map((event: { instance: { port: number } }) => event.instance.port);

it('calls with what changed, in order, one delivery at a time, signed over the exact body', async () => {
  await subscribe();
  for (let port = 1; port <= 4; port++) await register(port);
  await until(() => receiver.deliveries.flatMap(portsOf).length === 4);
  expect(receiver.deliveries.flatMap(portsOf)).toEqual([1, 2, 3, 4]);
  for (const { signature, text, id, body } of receiver.deliveries) {
    const [, seconds, mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(signature) ?? [];
    expect(Number(seconds)).toBe(Math.floor(api.clock.wallNow() / 1_000));
    expect(mac).toBe(createHmac('sha256', SECRET).update(`${seconds}.${text}`).digest('hex'));
    expect(text).not.toContain(SECRET);
    expect(body.id).toBe(id);
    expect(body.revision).toBe(body.events.at(-1).revision);
  }
});

it('tells only what was asked for', async () => {
  await subscribe({ service: 'web', events: ['instance-deregistered'] });
  await register(1);
  await register(2, 'other');
  await api.call({ method: 'DELETE', target: '/register/other-127.0.0.1-2' });
  await api.call({ method: 'DELETE', target: '/register/web-127.0.0.1-1' });
  await receiver.received(1);
  expect(receiver.deliveries).toHaveLength(1);
  expect(receiver.deliveries[0]?.body.events).toMatchObject([
    { type: 'instance-deregistered', reason: 'requested', instance: { service: 'web' } },
  ]);
});

it('tries again under the same id, later each time, and keeps the order meanwhile', async () => {
  await subscribe();
  receiver.answers.push(500, 429, 204);
  await register(1);
  await receiver.received(1);
  await register(2);
  const firstMs = await passBackoff();
  expect(firstMs).toBeGreaterThanOrEqual(500);
  expect(firstMs).toBeLessThan(1_000);
  await receiver.received(2);
  const secondMs = await passBackoff();
  expect(secondMs).toBeGreaterThanOrEqual(1_000);
  expect(secondMs).toBeLessThan(2_000);
  await receiver.received(4);
  expect(receiver.deliveries.map(portsOf)).toEqual([[1], [1], [1], [2]]);
  expect(new Set(receiver.deliveries.slice(0, 3).map(({ id }) => id)).size).toBe(1);
  expect(dispatcher.failures('hook')).toEqual([]);
});

it('gives up after the last try, lists the failure, and goes on with the next', async () => {
  await subscribe();
  receiver.answers.push(503, 503, 503);
  await register(1);
  for (let attempt = 1; attempt <= 3; attempt++) {
    await receiver.received(attempt);
    if (attempt < 3) await passBackoff();
  }
  await until(() => dispatcher.failures('hook').length > 0);
  expect(dispatcher.failures('hook')).toMatchObject([
    { attempts: 3, outcome: 'failed', reason: 'answered 503', revision: 2 },
  ]);
  await register(2);
  await receiver.received(4);
  expect(portsOf(receiver.deliveries[3])).toEqual([2]);
});

it('does not try again what will not change, and follows no redirect', async () => {
  await subscribe();
  receiver.answers.push(404, 302);
  await register(1);
  await until(() => dispatcher.failures('hook').length === 1);
  await register(2);
  await until(() => dispatcher.failures('hook').length === 2);
  expect(dispatcher.failures('hook').map(({ reason, attempts }) => [reason, attempts])).toEqual([
    ['answered 302', 1],
    ['answered 404', 1],
  ]);
});

it('ends an attempt that gets no answer in its time', async () => {
  await subscribe();
  receiver.answers.push('hang', 204);
  await register(1);
  await receiver.received(1);
  await api.clock.advance(TIMEOUT_MS);
  await passBackoff();
  await receiver.received(2);
  expect(receiver.deliveries.map(portsOf)).toEqual([[1], [1]]);
});

it('drops what finds no room, as one failure that counts, and delivers what waited', async () => {
  await subscribe();
  receiver.answers.push('hang');
  await register(1);
  await receiver.received(1);
  for (let port = 2; port <= 20; port++) await register(port);
  expect(dispatcher.failures('hook')).toMatchObject([
    { outcome: 'dropped', attempts: 0, reason: '14 events dropped: 5 were waiting already' },
  ]);
  await api.clock.advance(TIMEOUT_MS);
  await passBackoff();
  await receiver.received(3);
  expect(receiver.deliveries.map(portsOf)).toEqual([[1], [1], [2, 3, 4, 5, 6]]);
});

it('leaves no event lying that comes just as the lane runs dry', async () => {
  await subscribe();
  for (let port = 1; port <= 60; port++) {
    await register(port);
    // Somewhere between the answer and the end of the lane's run, another place each time.
    for (let turns = 0; turns < port % 12; turns++) await Promise.resolve();
    await until(() => receiver.deliveries.flatMap(portsOf).length >= port - 1);
  }
  await until(() => receiver.deliveries.flatMap(portsOf).length === 60);
  expect(receiver.deliveries.flatMap(portsOf)).toEqual(
    Array.from({ length: 60 }, (_, at) => at + 1),
  );
});

it('stops with its webhook, and tells one of the same id nothing from before', async () => {
  await subscribe();
  receiver.answers.push(500);
  await register(1);
  await receiver.received(1);
  await until(() => backoffMs !== undefined);
  await api.call({ method: 'DELETE', target: '/api/v1/webhooks/hook' });
  await subscribe();
  await register(2);
  await receiver.received(2);
  await passBackoff();
  await settle();
  expect(receiver.deliveries.map(portsOf)).toEqual([[1], [2]]);
});

it('closes at once in the middle of an attempt and of a wait', async () => {
  await subscribe();
  receiver.answers.push('hang');
  await register(1);
  await receiver.received(1);
  await dispatcher.close();
  expect(api.clock.pending).toBe(0);
  await register(2);
  await settle();
  expect(receiver.deliveries).toHaveLength(1);
});

it('dials nothing that the address policy forbids', async () => {
  await subscribe({}, 'http://169.254.169.254/latest/');
  await register(1);
  await passBackoff();
  await passBackoff();
  await until(() => dispatcher.failures('hook').length > 0);
  expect(dispatcher.failures('hook')[0]?.reason).toContain('not dialled');
});
