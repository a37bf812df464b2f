import { type BodySink, ChunkedDecoder, type ChunkedLimits } from './chunked-decoder.ts';
import type { BodyFraming } from './framing.ts';
import type { MessageFields } from './message-fields.ts';

/** Finds the end of a body of any framing; one per connection, started anew for each message. */
export class BodyDecoder {
  #kind: BodyFraming['kind'] = 'none';
  #remaining = 0;
  #chunked: ChunkedDecoder | undefined;
  readonly #limits: ChunkedLimits;
  /** Whether the body is complete; one that ends with the connection is completed by the connection. */
  done = true;

  constructor(limits: ChunkedLimits) {
    this.#limits = limits;
  }

  get kind(): BodyFraming['kind'] {
    return this.#kind;
  }

  get trailers(): MessageFields | undefined {
    return this.#kind === 'chunked' ? this.#chunked?.trailers : undefined;
  }

  start(framing: BodyFraming): void {
    this.#kind = framing.kind;
    this.#remaining = framing.kind === 'length' ? framing.length : 0;
    this.done = framing.kind === 'none' || (framing.kind === 'length' && framing.length === 0);
    if (framing.kind !== 'chunked') return;
    if (this.#chunked === undefined) this.#chunked = new ChunkedDecoder(this.#limits);
    else this.#chunked.reset();
  }

  /** Hands what belongs to the body to `sink` and returns the position behind it. */
  push(bytes: Buffer, start: number, sink: BodySink): number {
    if (this.done || start >= bytes.length) return start;
    if (this.#kind === 'chunked') {
      const chunked = this.#chunked as ChunkedDecoder;
      const end = chunked.push(bytes, start, sink);
      this.done = chunked.done;
      return end;
    }
    const left = bytes.length - start;
    const take = this.#kind === 'length' ? Math.min(this.#remaining, left) : left;
    if (this.#kind === 'length') {
      this.#remaining -= take;
      this.done = this.#remaining === 0;
    }
    sink.onBodyData(take === bytes.length ? bytes : bytes.subarray(start, start + take));
    return start + take;
  }
}
