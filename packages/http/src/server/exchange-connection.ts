import type { Socket } from 'node:net';
import type { MessageWriter } from '../message/message-writer.ts';
import type { ConnectionFacts } from './connection-facts.ts';

/** What an exchange needs of the connection that carries it. */
export interface ExchangeConnection {
  readonly facts: ConnectionFacts;
  readonly writer: MessageWriter;
  readonly responseEnded: boolean;
  readonly needsDrain: boolean;
  /** Whether this exchange is the one under way. */
  carries(exchange: object): boolean;
  /** Whether a response begun now may leave the connection open. */
  mayKeepAlive(): boolean;
  /** The exchange wants its body now. */
  continueBody(): void;
  /** A write met back-pressure. */
  awaitDrain(): void;
  completeResponse(): void;
  handOver(): { socket: Socket; surplus: Buffer };
  /** `Date: …` with its CRLF. */
  dateLine(): string;
  destroy(): void;
  /** Like `destroy`, but the exchange is told. */
  abort(reason: Error): void;
}
