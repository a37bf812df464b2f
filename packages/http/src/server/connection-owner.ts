import type { Socket } from 'node:net';
import type { HttpProtocolError } from '../protocol/protocol-error.ts';
import type { TimerWheel } from '../time/timer-wheel.ts';
import type { ConnectionFacts } from './connection-facts.ts';
import type { ServerExchange } from './server-exchange.ts';
import type { HttpServerLimits } from './server-limits.ts';

/** What a server needs of each of its connections, whatever protocol it speaks. */
export interface OwnedConnection {
  readonly remoteAddress: string;
  /** Whether an exchange or a head is under way. */
  readonly busy: boolean;
  /** Ends the connection when it is idle; else it ends after its exchanges. */
  drain(): void;
  /** Cuts the connection and tells its exchanges. */
  abort(reason: Error): void;
}

/** A whole reply, but for its framing and connection fields. */
export interface Reply {
  readonly status: number;
  /** Whole header lines. */
  readonly lines: string;
  readonly body: Buffer;
}

/** What a connection needs of its server. */
export interface ConnectionOwner {
  readonly limits: HttpServerLimits;
  readonly wheel: TimerWheel;
  readonly draining: boolean;
  begin(exchange: ServerExchange): void;
  /** A handler threw at a piece of the body. */
  failed(error: unknown, exchange: ServerExchange | undefined): void;
  /** Whether a plain connection may open with the preface of HTTP/2. */
  readonly http2: boolean;
  /** Monotonic, in milliseconds. */
  now(): number;
  /** What a client is told of a fault, which is counted. */
  fault(error: HttpProtocolError): Reply;
  /** The client opened with the preface of HTTP/2, which is back in the socket: another connection takes its place. */
  speaksHttp2(connection: OwnedConnection, socket: Socket, facts: ConnectionFacts): void;
  dateLine(): string;
  closed(connection: OwnedConnection): void;
}
