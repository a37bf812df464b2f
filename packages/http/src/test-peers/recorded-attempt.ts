import type { Socket } from 'node:net';
import type { ConnectionPool } from '../client/connection-pool.ts';
import type { UpstreamError } from '../client/upstream-error.ts';
import type { UpstreamExchange, UpstreamHandler } from '../client/upstream-exchange.ts';
import type { UpstreamTransport } from '../client/upstream-transport.ts';
import { type BodyFraming, NO_BODY } from '../message/framing.ts';
import type { MessageFields } from '../message/message-fields.ts';
import type { ResponseHead } from '../message/response-head.ts';

export interface AttemptPlan {
  readonly method?: string;
  readonly target?: string;
  readonly framing?: BodyFraming;
  readonly upgrade?: string;
  /** More header lines than Host. */
  readonly lines?: string;
  readonly transport?: UpstreamTransport;
  /** What follows the head; nothing by default. */
  afterHead?(exchange: UpstreamExchange): void;
  onHead?(exchange: UpstreamExchange): void;
}

/** One attempt at an upstream in a test, with all it was told. */
export class RecordedAttempt implements UpstreamHandler {
  readonly exchange: UpstreamExchange;
  readonly informational: number[] = [];
  head: ResponseHead | undefined;
  body = '';
  trailers: MessageFields | undefined;
  error: UpstreamError | undefined;
  upgraded: { socket: Socket; surplus: string } | undefined;
  drains = 0;
  /** Each of `onEnd`, `onError` and `onUpgrade` that came. */
  readonly ends: string[] = [];
  /** `end`, `upgrade` or the error's code. */
  readonly outcome: Promise<string>;
  readonly #plan: AttemptPlan;
  #settle: (outcome: string) => void = () => undefined;

  constructor(pool: ConnectionPool, port: number, plan: AttemptPlan = {}) {
    this.#plan = plan;
    this.outcome = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.exchange = pool.connect('127.0.0.1', port, this, plan.transport);
  }

  onReady(exchange: UpstreamExchange): void {
    const { method = 'GET', target = '/', framing = NO_BODY, upgrade, lines = '' } = this.#plan;
    exchange.sendHead(method, target, `Host: a\r\n${lines}`, framing, upgrade);
    this.#plan.afterHead?.(exchange);
  }

  onInformational(head: ResponseHead): void {
    this.informational.push(head.status);
  }

  onHead(head: ResponseHead): void {
    this.head = head;
    this.#plan.onHead?.(this.exchange);
  }

  onData(piece: Buffer): void {
    this.body += piece.toString('latin1');
  }

  onEnd(trailers: MessageFields | undefined): void {
    this.trailers = trailers;
    this.#end('end');
  }

  onError(error: UpstreamError): void {
    this.error = error;
    this.#end(error.code);
  }

  onUpgrade(head: ResponseHead, socket: Socket, surplus: Buffer): void {
    this.head = head;
    this.upgraded = { socket, surplus: surplus.toString('latin1') };
    this.#end('upgrade');
  }

  onDrain(): void {
    this.drains++;
  }

  #end(outcome: string): void {
    this.ends.push(outcome);
    this.#settle(outcome);
  }
}
