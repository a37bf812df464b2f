import { type BodyFraming, CHUNKED } from '../message/framing.ts';
import { recordLines } from '../message/head-text.ts';
import type { RequestHead } from '../message/request-head.ts';
import { BufferedBody } from './buffered-body.ts';
import type { ConnectionFacts, TlsFacts } from './connection-facts.ts';
import type { ExchangeHandler } from './server-exchange.ts';

/** What the exchanges of all protocols have in common: nothing that a proxied request passes through. */
export abstract class ExchangeBase {
  readonly head: RequestHead;
  readonly #facts: ConnectionFacts;
  handler: ExchangeHandler | undefined;
  autoContinue = true;
  context: unknown;
  #aborted = false;
  #abortController: AbortController | undefined;
  #drainWaiters: (() => void)[] | undefined;

  constructor(head: RequestHead, facts: ConnectionFacts) {
    this.head = head;
    this.#facts = facts;
  }

  abstract readonly ended: boolean;
  abstract resume(): void;
  abstract pause(): void;
  abstract sendHead(status: number, lines: string, framing: BodyFraming): void;
  abstract write(piece: Buffer): boolean;
  abstract end(piece?: Buffer, trailerLines?: string): void;
  abstract send(status: number, lines: string, body?: Buffer): void;
  abstract destroy(): void;
  /** Whether a write was told to wait. */
  protected abstract get needsDrain(): boolean;
  /** `Date: …` with its CRLF. */
  protected abstract dateLine(): string;

  get secure(): boolean {
    return this.#facts.tls !== undefined;
  }

  get tls(): TlsFacts | undefined {
    return this.#facts.tls;
  }

  get remoteAddress(): string {
    return this.#facts.remoteAddress;
  }

  get remotePort(): number {
    return this.#facts.remotePort;
  }

  get localAddress(): string {
    return this.#facts.localAddress;
  }

  get localPort(): number {
    return this.#facts.localPort;
  }

  get hasBody(): boolean {
    const framing = this.head.framing;
    return framing.kind === 'chunked' || (framing.kind === 'length' && framing.length > 0);
  }

  get aborted(): boolean {
    return this.#aborted;
  }

  get signal(): AbortSignal {
    this.#abortController ??= new AbortController();
    if (this.#aborted) this.#abortController.abort();
    return this.#abortController.signal;
  }

  reply(
    status: number,
    headers: Readonly<Record<string, string>> = {},
    body?: string | Uint8Array,
  ): void {
    const bytes = body === undefined ? undefined : toBuffer(body);
    this.send(status, recordLines(headers) + this.dateLine(), bytes);
  }

  startStream(status: number, headers: Readonly<Record<string, string>> = {}): void {
    this.sendHead(status, recordLines(headers) + this.dateLine(), CHUNKED);
  }

  async stream(
    status: number,
    headers: Readonly<Record<string, string>>,
    body: AsyncIterable<string | Uint8Array>,
  ): Promise<void> {
    this.startStream(status, headers);
    try {
      for await (const piece of body) {
        if (this.ended) return;
        if (!this.write(toBuffer(piece))) await this.drained();
      }
      this.end();
    } catch (error) {
      this.destroy();
      throw error;
    }
  }

  drained(): Promise<void> {
    if (this.ended || !this.needsDrain) return Promise.resolve();
    return new Promise((resolve) => {
      this.#drainWaiters ??= [];
      this.#drainWaiters.push(resolve);
    });
  }

  readBody(limitBytes: number): Promise<Buffer> {
    if (!this.hasBody) return Promise.resolve(Buffer.alloc(0));
    return new Promise((resolve, reject) => {
      this.handler = new BufferedBody(this, limitBytes, resolve, reject);
      this.resume();
    });
  }

  /** Called by the connection. */
  abortedBy(reason: Error): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.wakeWriters();
    this.handler?.onAbort(reason);
    this.#abortController?.abort();
  }

  /** Called by the connection. */
  drainedBy(): void {
    this.wakeWriters();
    this.handler?.onDrain();
  }

  protected wakeWriters(): void {
    const waiters = this.#drainWaiters;
    this.#drainWaiters = undefined;
    if (waiters) for (const wake of waiters) wake();
  }

  /** Nobody else would settle the promise of a body that was being read. */
  protected giveUpBody(): void {
    if (this.handler instanceof BufferedBody) this.handler.onAbort(new Error('Given up'));
  }
}

function toBuffer(data: string | Uint8Array): Buffer {
  if (typeof data === 'string') return Buffer.from(data, 'utf8');
  return Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}
