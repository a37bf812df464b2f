/** The head of a message as it went over the wire. */
export interface MessageHead {
  readonly startLine: string;
  readonly headers: Headers;
}

export interface MessageHandlers {
  /** Says how the body ends where the head alone does not tell: `none`, or `close` for the connection's end. */
  onHead(head: MessageHead): 'framed' | 'none' | 'close';
  onBody(bytes: Buffer): void;
  onEnd(): void;
}

type State =
  | { readonly kind: 'head' | 'size' | 'data-end' | 'trailers' | 'close' }
  | { readonly kind: 'length' | 'chunk'; left: number };

const HEAD: State = { kind: 'head' };

/**
 * Reads the messages of one direction of a connection that somebody else carries. It is no judge of HTTP: what it cannot
 * follow is an error.
 */
export class MessageReader {
  readonly #handlers: MessageHandlers;
  #held: Buffer = Buffer.alloc(0);
  #state: State = HEAD;

  constructor(handlers: MessageHandlers) {
    this.#handlers = handlers;
  }

  /** Takes the next bytes, split anywhere. */
  push(bytes: Buffer): void {
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    while (this.#step());
  }

  /** The connection ended; a message that ends with it is whole. */
  end(): void {
    if (this.#state.kind === 'close') this.#finish();
  }

  /** False when it needs more bytes. */
  #step(): boolean {
    const state = this.#state;
    switch (state.kind) {
      case 'head':
        return this.#readHead();
      case 'length':
      case 'chunk':
        return this.#readCounted(state);
      case 'close':
        if (this.#held.length > 0) this.#handlers.onBody(this.#take(this.#held.length));
        return false;
      case 'size':
        return this.#readSize();
      case 'data-end':
        if (this.#line() === undefined) return false;
        this.#state = { kind: 'size' };
        return true;
      case 'trailers': {
        const line = this.#line();
        if (line === '') this.#finish();
        return line !== undefined;
      }
    }
  }

  #readHead(): boolean {
    const end = this.#held.indexOf('\r\n\r\n');
    if (end < 0) return false;
    const [startLine = '', ...lines] = this.#take(end + 4)
      .subarray(0, end)
      .toString('latin1')
      .split('\r\n');
    const headers = new Headers();
    for (const line of lines) {
      const colon = line.indexOf(':');
      if (colon < 1) throw new Error(`not a header line: ${line}`);
      headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
    }
    const body = this.#handlers.onHead({ startLine, headers });
    if (body === 'none') this.#finish();
    else if (/chunked/i.test(headers.get('transfer-encoding') ?? '')) {
      this.#state = { kind: 'size' };
    } else if (headers.has('content-length')) {
      this.#state = { kind: 'length', left: Number(headers.get('content-length')) };
      if (this.#state.left === 0) this.#finish();
    } else if (body === 'close') this.#state = { kind: 'close' };
    else this.#finish();
    return true;
  }

  #readCounted(state: Extract<State, { left: number }>): boolean {
    if (this.#held.length === 0) return false;
    const part = this.#take(Math.min(state.left, this.#held.length));
    state.left -= part.length;
    this.#handlers.onBody(part);
    if (state.left > 0) return false;
    if (state.kind === 'chunk') this.#state = { kind: 'data-end' };
    else this.#finish();
    return true;
  }

  #readSize(): boolean {
    const line = this.#line();
    if (line === undefined) return false;
    const size = Number.parseInt(line, 16);
    if (Number.isNaN(size)) throw new Error(`not a chunk size: ${line}`);
    this.#state = size === 0 ? { kind: 'trailers' } : { kind: 'chunk', left: size };
    return true;
  }

  #line(): string | undefined {
    const end = this.#held.indexOf('\r\n');
    if (end < 0) return undefined;
    return this.#take(end + 2)
      .subarray(0, end)
      .toString('latin1');
  }

  #take(count: number): Buffer {
    const taken = this.#held.subarray(0, count);
    this.#held = this.#held.subarray(count);
    return taken;
  }

  #finish(): void {
    this.#state = HEAD;
    this.#handlers.onEnd();
  }
}
