import type { TurnableClock } from '@portolan/testing';
import { createHttpServer, type HttpServer } from '../server/http-server.ts';
import type { ServerExchange } from '../server/server-exchange.ts';
import type { HttpServerLimits } from '../server/server-limits.ts';
import { dialRaw, type RawPeer, turnsUntil } from './raw-peer.ts';

/** A listening server whose exchanges and aborts are kept. */
export interface RunningServer {
  readonly server: HttpServer;
  readonly port: number;
  readonly exchanges: ServerExchange[];
  readonly aborts: string[];
  exchange(index: number): Promise<ServerExchange>;
}

/** Starts a server on a free port; exchanges take no body until `handle` says so. */
export async function startServer(
  clock: TurnableClock,
  limits: Partial<HttpServerLimits> = {},
  handle: (exchange: ServerExchange) => void = () => undefined,
): Promise<RunningServer> {
  const exchanges: ServerExchange[] = [];
  const aborts: string[] = [];
  const server = createHttpServer(
    {
      limits,
      http2: true,
      onExchange(exchange) {
        exchanges.push(exchange);
        exchange.handler = {
          onBodyData: () => undefined,
          onBodyEnd: () => undefined,
          onAbort: (reason) => void aborts.push(reason.message),
          onDrain: () => undefined,
        };
        handle(exchange);
      },
      renderFault: (error) => ({ headers: ['X-Fault', error.code], body: error.code }),
    },
    { clock },
  );
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  return {
    server,
    port,
    exchanges,
    aborts,
    async exchange(index) {
      await turnsUntil(() => exchanges.length > index);
      return exchanges[index] as ServerExchange;
    },
  };
}

/** A GET request with extra header lines. */
export const get = (target: string, lines = ''): string =>
  `GET ${target} HTTP/1.1\r\nHost: a\r\n${lines}\r\n`;

/** Answers with the request's target. */
export const echo = (exchange: ServerExchange): void =>
  exchange.reply(200, {}, exchange.head.target);

/** A peer that has sent `text`. */
export async function dialled(port: number, text: string, halfOpen = false): Promise<RawPeer> {
  const peer = await dialRaw(port, halfOpen);
  peer.send(text);
  return peer;
}
