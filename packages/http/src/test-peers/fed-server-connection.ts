import { TurnableClock } from '@portolan/testing';
import type { RequestHead } from '../message/request-head.ts';
import { ServerConnection } from '../server/server-connection.ts';
import type { ServerExchange } from '../server/server-exchange.ts';
import { DEFAULT_SERVER_LIMITS, type HttpServerLimits } from '../server/server-limits.ts';
import { TimerWheel } from '../time/timer-wheel.ts';
import { feed, SilentSocket } from './silent-socket.ts';

/** Small enough that a message at a limit can be split at each of its bytes. */
export const SMALL_SERVER_LIMITS: HttpServerLimits = {
  ...DEFAULT_SERVER_LIMITS,
  headBytes: 300,
  targetBytes: 60,
  maxFields: 8,
  extensionBytes: 24,
  trailerBytes: 64,
  maxTrailers: 3,
};

/** When the handler asks for a body: as soon as it sees the head, or once every byte is there. */
export type Appetite = 'at once' | 'late';

/** Feeds those pieces, and the end of the input, to a real server connection; returns all that its handler and its peer saw. */
export function serve(pieces: readonly string[], appetite: Appetite, ends = true): string[] {
  const events: string[] = [];
  const bodies: Buffer[][] = [];
  const waiting: ServerExchange[] = [];
  const socket = new SilentSocket();
  let upgraded: string | undefined;
  const begin = (exchange: ServerExchange): void => {
    events.push(describeHead(exchange.head));
    const body: Buffer[] = [];
    bodies.push(body);
    const answer = (trailers: string): void => {
      events.push(`end${trailers}`);
      if (exchange.head.upgrade === undefined) exchange.send(200, '', Buffer.from('ok'));
      else upgraded = exchange.upgrade('x', '')?.surplus.toString('latin1') ?? '';
    };
    exchange.handler = {
      onBodyData(piece) {
        body.push(Buffer.from(piece));
      },
      onBodyEnd: (trailers) => answer(` ${JSON.stringify(trailers?.raw ?? [])}`),
      onAbort: (reason) => void events.push(`abort ${reason.message}`),
      onDrain: () => undefined,
    };
    if (!exchange.hasBody) answer('');
    else if (appetite === 'late') waiting.push(exchange);
    else exchange.resume();
  };
  const connection = new ServerConnection(
    socket.asSocket(),
    {
      limits: SMALL_SERVER_LIMITS,
      wheel: new TimerWheel(new TurnableClock()),
      draining: false,
      begin,
      failed(error) {
        throw error;
      },
      http2: true,
      now: () => 0,
      fault: ({ status, code }) => ({ status, lines: `Code: ${code}\r\n`, body: NO_BYTES }),
      speaksHttp2: () => void events.push('HTTP/2'),
      dateLine: () => '',
      closed: () => undefined,
    },
    {
      remoteAddress: '127.0.0.1',
      remotePort: 4_000,
      localAddress: '127.0.0.1',
      localPort: 80,
      tls: undefined,
    },
  );
  feed(pieces, (piece) => {
    if (upgraded === undefined) connection.takePiece(piece);
    else upgraded += piece.toString('latin1');
  });
  if (ends && upgraded === undefined) socket.emit('end');
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) next.resume();
  if (upgraded !== undefined) events.push(`upgraded ${JSON.stringify(upgraded)}`);
  for (const body of bodies) events.push(JSON.stringify(Buffer.concat(body).toString('latin1')));
  events.push(`sent ${JSON.stringify(socket.written)}`);
  events.push(socket.destroyed ? 'cut' : socket.writableEnded ? 'ended' : 'open');
  connection.destroy();
  return events;
}

function describeHead(head: RequestHead): string {
  const { method, target, minorVersion, host, framing, keepAlive, expectContinue, upgrade } = head;
  const facts = { method, target, minorVersion, host, framing, keepAlive, expectContinue, upgrade };
  return JSON.stringify({ ...facts, fields: head.raw });
}

const NO_BYTES = Buffer.alloc(0);
