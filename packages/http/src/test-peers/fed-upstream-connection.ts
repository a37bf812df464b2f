import { TurnableClock } from '@portolan/testing';
import { DEFAULT_POOL_LIMITS } from '../client/connection-pool.ts';
import { UpstreamConnection } from '../client/upstream-connection.ts';
import { UpstreamExchange } from '../client/upstream-exchange.ts';
import { NO_BODY } from '../message/framing.ts';
import type { ResponseHead } from '../message/response-head.ts';
import { TimerWheel } from '../time/timer-wheel.ts';
import { feed, SilentSocket } from './silent-socket.ts';

const LIMITS = {
  ...DEFAULT_POOL_LIMITS,
  headBytes: 300,
  maxFields: 8,
  extensionBytes: 24,
  trailerBytes: 64,
  maxTrailers: 3,
};

/** How the request was made that the response answers. */
export interface AskedBy {
  readonly method?: string;
  readonly upgrade?: string;
}

/** Feeds those pieces and the end of the input to a real upstream connection; returns all that its handler saw. */
export function answer(pieces: readonly string[], { method = 'GET', upgrade }: AskedBy): string[] {
  const events: string[] = [];
  const socket = new SilentSocket();
  const body: Buffer[] = [];
  let upgraded: string | undefined;
  const exchange = new UpstreamExchange({
    onReady: (ready) => ready.sendHead(method, '/', 'Host: a\r\n', NO_BODY, upgrade),
    onInformational: (head) => void events.push(`interim ${describeHead(head)}`),
    onHead: (head) => void events.push(describeHead(head)),
    onData(piece) {
      body.push(Buffer.from(piece));
    },
    onEnd: (trailers) => void events.push(`end ${JSON.stringify(trailers?.raw ?? [])}`),
    onError: ({ code, protocolCode }) => void events.push(`error ${code} ${protocolCode}`),
    onUpgrade(head, _socket, surplus) {
      events.push(`upgrade ${describeHead(head)}`);
      upgraded = surplus.toString('latin1');
    },
    onDrain: () => undefined,
  });
  const connection = new UpstreamConnection(socket.asSocket(), {
    limits: LIMITS,
    wheel: new TimerWheel(new TurnableClock()),
    released: () => undefined,
    closed: () => undefined,
  });
  connection.carry(exchange);
  feed(pieces, (piece) => {
    if (upgraded !== undefined) upgraded += piece.toString('latin1');
    else if (!socket.destroyed) connection.takePiece(piece);
  });
  if (upgraded !== undefined) events.push(`upgraded ${JSON.stringify(upgraded)}`);
  else if (!socket.destroyed) socket.emit('end');
  events.push(`body ${JSON.stringify(Buffer.concat(body).toString('latin1'))}`);
  events.push(connection.usable ? 'usable' : 'gone');
  connection.destroy();
  return events;
}

function describeHead(head: ResponseHead): string {
  const { status, reason, minorVersion, framing, declared, keepAlive } = head;
  const facts = { status, reason, minorVersion, framing, declared, keepAlive };
  return JSON.stringify({ ...facts, fields: head.raw });
}
