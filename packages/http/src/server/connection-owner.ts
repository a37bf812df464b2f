import type { HttpProtocolError } from '../protocol/protocol-error.ts';
import type { TimerWheel } from '../time/timer-wheel.ts';
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

/** What a connection needs of its server. */
export interface ConnectionOwner {
  readonly limits: HttpServerLimits;
  readonly wheel: TimerWheel;
  readonly draining: boolean;
  begin(exchange: ServerExchange): void;
  /** A handler threw at a piece of the body. */
  failed(error: unknown, exchange: ServerExchange | undefined): void;
  /** The whole reply to a fault, with `Connection: close`. */
  faultReply(error: HttpProtocolError): string;
  dateLine(): string;
  closed(connection: OwnedConnection): void;
}
