import { CHUNKED, NO_BODY, type ResponseHead, type ServerExchange } from '@portolan/http';
import type { BodyTransform } from '../filters/filter.ts';
import { EditableFields } from './editable-fields.ts';
import type { FilterRun } from './filter-run.ts';
import type { HeaderEdit } from './header-edits.ts';
import type { OwnAnswer } from './refusal.ts';

/** Where the body comes from. */
export interface BodySource {
  pause(): void;
  resume(): void;
}

/** What an answer passes on its way to the client. */
export interface ResponseStages {
  readonly filters: FilterRun | undefined;
  /** What was begun cannot be completed. */
  onFailed(): void;
}

/** An upstream's answer on its way to the client: edited, shown to the filters, and where one asks for it transformed. */
export class ResponseDelivery {
  readonly #server: ServerExchange;
  readonly #source: BodySource;
  #transform: BodyTransform | undefined;
  #chunked = false;
  #trailerLines = '';
  #onEnded: (() => void) | undefined;
  /** Of the body as the client gets it, without framing. */
  bytes = 0;

  constructor(server: ServerExchange, source: BodySource) {
    this.#server = server;
    this.#source = source;
  }

  /** Gives the head; `edits` are made in their order, then the filters see it. */
  start(
    head: ResponseHead,
    lines: string,
    edits: readonly (HeaderEdit | undefined)[],
    stages: ResponseStages,
  ): void {
    const { filters } = stages;
    const bodiless = head.declared.kind === 'none' && this.#server.head.method === 'HEAD';
    const declared = bodiless ? NO_BODY : head.declared;
    this.#chunked = declared.kind === 'chunked';
    const [first, second] = edits;
    if (!filters && !first && !second) {
      this.#server.sendHead(head.status, lines, declared);
      return;
    }
    const fields = new EditableFields(lines);
    for (const edit of edits) edit?.(fields);
    const hasBody = head.framing.kind !== 'none' && declared !== NO_BODY;
    const transform = filters?.respond(head.status, head, hasBody, fields);
    this.#server.sendHead(head.status, fields.lines, transform ? CHUNKED : declared);
    if (!transform) return;
    this.#transform = transform;
    transform.onWritable = () => this.#source.resume();
    transform.start({
      write: (piece) => this.#send(piece),
      end: () => this.#endTransformed(),
      fail: () => stages.onFailed(),
    });
  }

  /** A piece from the upstream. */
  write(piece: Buffer): boolean {
    const more = this.#transform ? this.#transform.write(Buffer.from(piece)) : this.#send(piece);
    if (!more) this.#source.pause();
    return more;
  }

  /** The upstream's body is complete. True when the answer is; else `onEnded` is called when it will be. */
  end(trailerLines = '', onEnded: () => void = () => undefined): boolean {
    if (!this.#transform) {
      this.#server.end(undefined, trailerLines);
      return true;
    }
    this.#trailerLines = trailerLines;
    this.#onEnded = onEnded;
    this.#transform.end();
    return false;
  }

  /** The answer cannot be completed: `trailerLines` tell why, where there may be trailers; else the response is cut. */
  breakOff(trailerLines: string | undefined): void {
    if (trailerLines !== undefined && this.#chunked && !this.#transform) {
      this.#server.end(undefined, trailerLines);
    } else this.#server.destroy();
  }

  onClientDrain(): void {
    if (this.#transform) this.#transform.resume();
    else this.#source.resume();
  }

  /** The exchange is over, however it ended. */
  close(): void {
    const transform = this.#transform;
    this.#transform = undefined;
    this.#onEnded = undefined;
    transform?.destroy();
  }

  /** An answer of the gateway's own, shown to the filters as well. */
  static sendOwn(
    server: ServerExchange,
    status: number,
    answer: OwnAnswer,
    requestId: string,
    filters: FilterRun | undefined,
  ): void {
    const own = `${answer.lines}X-Request-Id: ${requestId}\r\n`;
    if (!filters) {
      server.send(status, own, answer.body);
      return;
    }
    const fields = new EditableFields(own);
    filters.respond(status, undefined, false, fields);
    server.send(status, fields.lines, answer.body);
  }

  #send(piece: Buffer): boolean {
    this.bytes += piece.length;
    return this.#server.write(piece);
  }

  #endTransformed(): void {
    this.#server.end(undefined, this.#trailerLines);
    this.#onEnded?.();
  }
}
