import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Clock, NO_LOGGER, NO_METRICS } from '@portolan/core';
import { seededRandom } from '@portolan/testing';
import { createGateway } from '../gateway.ts';
import type { Gateway, GatewayDeps } from '../gateway-api.ts';
import type { GatewayOptions } from '../gateway-options.ts';
import { SettableCatalogue } from './settable-catalogue.ts';

const cleanups: (() => unknown)[] = [];

/** Runs at the end of the test, last one first. */
export function onCleanup(cleanup: () => unknown): void {
  cleanups.push(cleanup);
}

/** To be called after each test. */
export async function cleanUp(): Promise<void> {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}

export const realClock: Clock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  setTimer(delayMs, callback) {
    const timer = setTimeout(callback, delayMs).unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

export async function anUpstream(
  handler: Parameters<typeof createServer>[1],
): Promise<{ port: number; server: Server }> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, server };
}

export async function aGateway(options: GatewayOptions = {}, over: Partial<GatewayDeps> = {}) {
  const catalogue = new SettableCatalogue();
  const gateway: Gateway = createGateway(options, {
    catalogue,
    clock: realClock,
    random: seededRandom(1),
    logger: NO_LOGGER,
    metrics: NO_METRICS,
    addressPolicy: { check: () => ({ allowed: true }) },
    resolve: async () => ['127.0.0.1'],
    ...over,
  });
  const { port } = await gateway.listen('127.0.0.1', 0);
  cleanups.push(() => gateway.close());
  return { catalogue, gateway, port };
}

export interface Answer {
  status: number;
  headers: IncomingMessage['headers'];
  body: string;
}

export function ask(
  port: number,
  path: string,
  over: { method?: string; headers?: Record<string, string>; body?: string | Buffer } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        path,
        method: over.method ?? 'GET',
        headers: over.headers ?? {},
        agent: false,
      },
      (answer) => {
        const pieces: Buffer[] = [];
        answer.on('data', (piece: Buffer) => pieces.push(piece));
        answer.on('error', reject);
        answer.on('end', () =>
          resolve({
            status: answer.statusCode ?? 0,
            headers: answer.headers,
            body: Buffer.concat(pieces).toString(),
          }),
        );
      },
    );
    sent.on('error', reject);
    sent.end(over.body);
  });
}
