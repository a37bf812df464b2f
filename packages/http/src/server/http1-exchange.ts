import type { Socket } from 'node:net';
import {
  type BodyFraming,
  CHUNKED,
  EMPTY_BODY,
  lengthFraming,
  NO_BODY,
  UNTIL_CLOSE,
} from '../message/framing.ts';
import { statusLine } from '../message/head-text.ts';
import type { RequestHead } from '../message/request-head.ts';
import { isBodiless } from '../message/response-head.ts';
import { ExchangeBase } from './exchange-base.ts';
import type { ExchangeConnection } from './exchange-connection.ts';
import type { ExchangeProtocol, ServerExchange } from './server-exchange.ts';

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';

/** A request of HTTP/1.0 or 1.1 and its response. */
export class Http1Exchange extends ExchangeBase implements ServerExchange {
  readonly #connection: ExchangeConnection;
  #flowing = false;
  #continued = false;
  #status = 0;
  #keepAlive = true;

  constructor(connection: ExchangeConnection, head: RequestHead) {
    super(head, connection.facts);
    this.#connection = connection;
  }

  get protocol(): ExchangeProtocol {
    return this.head.minorVersion === 1 ? 'HTTP/1.1' : 'HTTP/1.0';
  }

  get status(): number {
    return this.#status;
  }

  get ended(): boolean {
    return this.aborted || !this.#connection.carries(this) || this.#connection.responseEnded;
  }

  get flowing(): boolean {
    return this.#flowing;
  }

  /** Whether the connection may live on, as far as the response's head told the client. */
  get keepAlive(): boolean {
    return this.#keepAlive;
  }

  get awaitsContinue(): boolean {
    return this.head.expectContinue && !this.#continued;
  }

  pause(): void {
    this.#flowing = false;
  }

  resume(): void {
    if (this.#flowing || this.ended) return;
    this.#flowing = true;
    if (this.autoContinue && this.awaitsContinue && this.#status === 0) this.sendContinue();
    this.#connection.continueBody();
  }

  sendContinue(): void {
    if (this.ended || this.#status !== 0 || this.#continued || !this.head.expectContinue) return;
    this.#continued = true;
    this.#connection.writer.interim(CONTINUE);
  }

  sendInformational(status: number, lines: string): void {
    if (status === 100) {
      this.sendContinue();
      return;
    }
    if (this.ended || this.#status !== 0 || this.head.minorVersion === 0) return;
    this.#connection.writer.interim(`${statusLine(status)}${lines}\r\n`);
  }

  sendHead(status: number, lines: string, framing: BodyFraming): void {
    if (this.ended || this.#status !== 0) return;
    const { writer } = this.#connection;
    writer.begin(this.#compose(status, lines, framing), this.#bodyFraming);
    writer.planFlush();
  }

  write(piece: Buffer): boolean {
    if (this.ended || this.#status === 0) return true;
    try {
      const more = this.#connection.writer.write(piece);
      if (!more) this.#connection.awaitDrain();
      return more;
    } catch (error) {
      this.#misframed(error);
      return true;
    }
  }

  end(piece?: Buffer, trailerLines?: string): void {
    if (this.ended || this.#status === 0) return;
    try {
      this.#connection.writer.end(piece, trailerLines);
    } catch (error) {
      this.#misframed(error);
      return;
    }
    this.#connection.completeResponse();
    this.wakeWriters();
  }

  /** A body that missed its announced length cannot be repaired, and its writer may be in any socket's callback. */
  #misframed(error: unknown): void {
    if (!(error instanceof RangeError)) throw error;
    this.#connection.abort(error);
  }

  send(status: number, lines: string, body?: Buffer): void {
    if (this.ended || this.#status !== 0) return;
    const framing = body === undefined ? EMPTY_BODY : lengthFraming(body.length);
    const { writer } = this.#connection;
    writer.begin(this.#compose(status, lines, framing), this.#bodyFraming);
    writer.end(body);
    this.#connection.completeResponse();
  }

  upgrade(protocol: string, lines: string): { socket: Socket; surplus: Buffer } | undefined {
    if (this.ended || this.#status !== 0) return undefined;
    this.#status = 101;
    const upgradeLine = `Connection: Upgrade\r\nUpgrade: ${protocol}\r\n`;
    this.#connection.writer.interim(`${statusLine(101)}${upgradeLine}${lines}\r\n`);
    return this.#connection.handOver();
  }

  destroy(): void {
    if (this.#connection.carries(this)) this.#connection.destroy();
    this.wakeWriters();
    this.giveUpBody();
  }

  protected get needsDrain(): boolean {
    return this.#connection.needsDrain;
  }

  protected dateLine(): string {
    return this.#connection.dateLine();
  }

  #bodyFraming: BodyFraming = NO_BODY;

  #compose(status: number, lines: string, announced: BodyFraming): string {
    this.#status = status;
    const { head } = this;
    const bodiless = head.method === 'HEAD' || isBodiless(status);
    let framing = announced;
    let framingLine = '';
    if (framing.kind === 'until-close') framing = CHUNKED;
    if (framing.kind === 'none' && !bodiless) framing = EMPTY_BODY;
    // RFC 9112 §6.1: a client of HTTP/1.0 does not know the chunked coding.
    if (framing.kind === 'chunked' && head.minorVersion === 0) framing = UNTIL_CLOSE;
    // RFC 9110 §8.6, RFC 9112 §6.1: no framing fields with 204 and 304.
    if (!isBodiless(status)) {
      if (framing.kind === 'length') framingLine = `Content-Length: ${framing.length}\r\n`;
      else if (framing.kind === 'chunked') framingLine = 'Transfer-Encoding: chunked\r\n';
    }
    this.#bodyFraming = bodiless ? NO_BODY : framing;
    this.#keepAlive = this.#bodyFraming.kind !== 'until-close' && this.#connection.mayKeepAlive();
    const connectionLine = !this.#keepAlive
      ? 'Connection: close\r\n'
      : head.minorVersion === 0
        ? 'Connection: keep-alive\r\n'
        : '';
    return `${statusLine(status)}${lines}${framingLine}${connectionLine}\r\n`;
  }
}
