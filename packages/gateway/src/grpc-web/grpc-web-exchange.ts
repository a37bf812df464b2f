import {
  type BodyFraming,
  CHUNKED,
  ExchangeBase,
  type ExchangeHandler,
  type ExchangeProtocol,
  type MessageFields,
  type ServerExchange,
} from '@portolan/http';
import { grpcTrailers } from '../transport/grpc-failure.ts';
import { Base64Decoder } from './base64-decoder.ts';
import {
  answerForm,
  type GrpcWebForm,
  grpcWebForm,
  toGrpcHead,
  toGrpcWebLines,
  trailerFrame,
} from './grpc-web-head.ts';

/** The exchange as the gateway is to handle it: a gRPC-Web request reads as gRPC, any other is returned as it is. */
export function translateGrpcWeb(exchange: ServerExchange): ServerExchange {
  const form = grpcWebForm(exchange.head);
  return form === undefined ? exchange : new GrpcWebExchange(exchange, form);
}

/**
 * A gRPC-Web exchange as gRPC (github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md): whoever handles it sees a gRPC request and
 * gives a gRPC answer, and the browser gets its trailers as a frame of the body.
 */
class GrpcWebExchange extends ExchangeBase implements ServerExchange, ExchangeHandler {
  readonly #inner: ServerExchange;
  readonly #decoder: Base64Decoder | undefined;
  readonly #form: GrpcWebForm;
  /** Whether the answer is gRPC and is translated. */
  #translates = false;
  /** Of an answer that consists of a head alone. */
  #headOnly = false;
  #blocked = false;

  constructor(inner: ServerExchange, form: GrpcWebForm) {
    super(toGrpcHead(inner.head, form), inner);
    this.#inner = inner;
    this.#decoder = form === 'text' ? new Base64Decoder() : undefined;
    this.#form = answerForm(inner.head, form);
    inner.handler = this;
    inner.autoContinue = false;
  }

  // What the client does.

  onBodyData(piece: Buffer): void {
    if (this.aborted) return;
    if (this.#decoder === undefined) {
      this.handler?.onBodyData(piece);
      return;
    }
    const bytes = this.#decode((decoder) => decoder.push(piece));
    if (bytes !== undefined && bytes.length > 0) this.handler?.onBodyData(bytes);
  }

  onBodyEnd(trailers: MessageFields | undefined): void {
    if (this.aborted) return;
    const whole = this.#decode((decoder) => {
      decoder.end();
      return true;
    });
    if (this.#decoder === undefined || whole) this.handler?.onBodyEnd(trailers);
  }

  onAbort(reason: Error): void {
    this.abortedBy(reason);
  }

  onDrain(): void {
    this.#blocked = false;
    this.drainedBy();
  }

  // What whoever handles it asks for.

  get protocol(): ExchangeProtocol {
    return this.#inner.protocol;
  }

  get status(): number {
    return this.#inner.status;
  }

  get ended(): boolean {
    return this.aborted || this.#inner.ended;
  }

  get flowing(): boolean {
    return this.#inner.flowing;
  }

  get awaitsContinue(): boolean {
    return this.#inner.awaitsContinue;
  }

  pause(): void {
    this.#inner.pause();
  }

  resume(): void {
    if (!this.aborted) this.#inner.resume();
  }

  sendContinue(): void {
    this.#inner.sendContinue();
  }

  sendInformational(status: number, lines: string): void {
    this.#inner.sendInformational(status, lines);
  }

  sendHead(status: number, lines: string, framing: BodyFraming): void {
    const translated = toGrpcWebLines(lines, this.#form);
    if (translated === undefined) {
      this.#inner.sendHead(status, lines, framing);
      return;
    }
    this.#translates = true;
    // Everything was said in the head (trailers-only), where gRPC-Web clients look for it as well.
    this.#headOnly = framing.kind === 'length' && framing.length === 0;
    this.#inner.sendHead(status, translated, this.#headOnly ? framing : CHUNKED);
  }

  write(piece: Buffer): boolean {
    const more = this.#inner.write(this.#translates ? this.#encode(piece) : piece);
    this.#blocked = !more;
    return more;
  }

  end(piece?: Buffer, trailerLines = ''): void {
    if (!this.#translates) {
      this.#inner.end(piece, trailerLines);
      return;
    }
    if (piece !== undefined) this.write(piece);
    if (this.#headOnly || trailerLines === '') this.#inner.end();
    else this.#inner.end(this.#encode(trailerFrame(trailerLines)));
  }

  send(status: number, lines: string, body?: Buffer): void {
    const translated = toGrpcWebLines(lines, this.#form);
    this.#inner.send(status, translated ?? lines, body);
  }

  upgrade(): undefined {
    return undefined;
  }

  destroy(): void {
    this.#inner.destroy();
  }

  protected get needsDrain(): boolean {
    return this.#blocked;
  }

  protected dateLine(): string {
    return '';
  }

  /** Each piece by itself, so that a message is out when it was written. */
  #encode(piece: Buffer): Buffer {
    return this.#form === 'text' ? Buffer.from(piece.toString('base64'), 'latin1') : piece;
  }

  #decode<T>(read: (decoder: Base64Decoder) => T): T | undefined {
    if (this.#decoder === undefined) return undefined;
    try {
      return read(this.#decoder);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#refuse(error);
      return undefined;
    }
  }

  /** The body cannot be read: whoever handles it hears that the client is gone, and the client why. */
  #refuse(reason: Error): void {
    const inner = this.#inner;
    this.abortedBy(reason);
    if (inner.ended) return;
    if (inner.status !== 0) inner.destroy();
    else {
      const type = this.#form === 'text' ? '-text' : '';
      const told = grpcTrailers(400, 'GRPC_WEB_MALFORMED', reason.message);
      inner.send(200, `Content-Type: application/grpc-web${type}\r\n${told}`);
    }
  }
}
