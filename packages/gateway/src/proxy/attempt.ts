import type { Socket } from 'node:net';
import type { RetryBudget } from '@portolan/core';
import type {
  BodyFraming,
  MessageFields,
  ResponseHead,
  UpstreamError,
  UpstreamExchange,
  UpstreamHandler,
} from '@portolan/http';
import type { CompiledDestination } from '../routing/compiled-route.ts';
import type { UpstreamEndpoint } from '../upstream/upstream-endpoint.ts';

/** What an attempt sends: the request's head, complete but for the body. */
export interface OutgoingHead {
  readonly method: string;
  readonly target: string;
  readonly lines: string;
  readonly framing: BodyFraming;
  readonly upgrade: string | undefined;
}

/** What an attempt reports to its exchange. */
export interface AttemptOwner {
  onAttemptReady(attempt: Attempt): void;
  onInformational(head: ResponseHead): void;
  onResponseHead(attempt: Attempt, head: ResponseHead): void;
  onResponseData(piece: Buffer): void;
  onResponseEnd(attempt: Attempt, trailers: MessageFields | undefined): void;
  onAttemptError(attempt: Attempt, error: UpstreamError): void;
  onSwitch(attempt: Attempt, head: ResponseHead, socket: Socket, surplus: Buffer): void;
  onUpstreamDrain(): void;
}

const MAX_READ_AWAY_BYTES = 65_536;

/** One try at one endpoint. */
export class Attempt implements UpstreamHandler {
  readonly endpoint: UpstreamEndpoint;
  readonly destination: CompiledDestination;
  /** Where this try took a place as a retry. */
  budget: RetryBudget | undefined;
  /** For balancers that learn; 0 for the others. */
  startedMs = 0;
  readonly #owner: AttemptOwner;
  readonly #head: OutgoingHead;
  #upstream: UpstreamExchange | undefined;
  /** Whether the body may be written. */
  ready = false;
  responded = false;
  #over = false;

  constructor(
    owner: AttemptOwner,
    destination: CompiledDestination,
    endpoint: UpstreamEndpoint,
    head: OutgoingHead,
  ) {
    this.#owner = owner;
    this.destination = destination;
    this.endpoint = endpoint;
    this.#head = head;
  }

  onReady(upstream: UpstreamExchange): void {
    if (this.#over) {
      upstream.abort();
      return;
    }
    this.#upstream = upstream;
    const head = this.#head;
    upstream.sendHead(head.method, head.target, head.lines, head.framing, head.upgrade);
    this.ready = true;
    this.#owner.onAttemptReady(this);
  }

  onInformational(head: ResponseHead): void {
    if (!this.#over) this.#owner.onInformational(head);
  }

  onHead(head: ResponseHead): void {
    this.responded = true;
    if (!this.#over) this.#owner.onResponseHead(this, head);
  }

  onData(piece: Buffer): void {
    if (!this.#over) this.#owner.onResponseData(piece);
  }

  onEnd(trailers: MessageFields | undefined): void {
    if (!this.#over) this.#owner.onResponseEnd(this, trailers);
  }

  onError(error: UpstreamError): void {
    if (!this.#over) this.#owner.onAttemptError(this, error);
  }

  onUpgrade(head: ResponseHead, socket: Socket, surplus: Buffer): void {
    if (this.#over) socket.destroy();
    else this.#owner.onSwitch(this, head, socket, surplus);
  }

  onDrain(): void {
    if (!this.#over) this.#owner.onUpstreamDrain();
  }

  /** Keeps the exchange that was started, so that it can be given up while it waits for a connection. */
  started(upstream: UpstreamExchange): void {
    this.#upstream ??= upstream;
    if (this.#over) upstream.abort();
  }

  write(piece: Buffer): boolean {
    return this.#upstream?.write(piece) ?? true;
  }

  endBody(trailerLines: string): void {
    this.#upstream?.end(undefined, trailerLines);
  }

  pause(): void {
    this.#upstream?.pause();
  }

  resume(): void {
    this.#upstream?.resume();
  }

  /** Says nothing any more, and cuts the connection unless the response was complete. */
  cancel(): void {
    this.#over = true;
    this.#upstream?.abort();
  }

  /** Says nothing any more. What is left of a response is read away, so that the connection stays. */
  close(): void {
    this.#over = true;
  }

  /** As `close` where what is left is short and sure to end, else as `cancel`. */
  discard(head: ResponseHead): void {
    const { framing } = head;
    const short =
      framing.kind === 'none' ||
      (framing.kind === 'length' && framing.length <= MAX_READ_AWAY_BYTES);
    if (short) this.close();
    else this.cancel();
  }
}
