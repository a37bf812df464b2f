/** One server-sent event. `id` is the stream's last event id at this point. */
export interface SseEvent {
  readonly type: string;
  readonly data: string;
  readonly id: string;
}

export interface SseParserOptions {
  /** Longest line, in UTF-16 units; a longer one is a fault. */
  readonly lineLimit: number;
  /** Longest data of one event, in UTF-16 units. */
  readonly eventLimit: number;
}

/** The stream broke a limit or is not UTF-8; nothing after it can be trusted. */
export class SseError extends Error {
  override readonly name = 'SseError';
}

/** Turns a byte stream into events as the HTML standard says (§9.2.6), bounded, for any split of the bytes. */
export class SseParser {
  readonly #options: SseParserOptions;
  readonly #onEvent: (event: SseEvent) => void;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  #pieces: string[] = [];
  #pieceLength = 0;
  #afterCr = false;
  #data: string[] = [];
  #dataLength = 0;
  #type = '';
  #id = '';

  constructor(options: SseParserOptions, onEvent: (event: SseEvent) => void) {
    this.#options = options;
    this.#onEvent = onEvent;
  }

  /** Takes the next bytes; events come synchronously. Throws `SseError`. */
  push(bytes: Uint8Array): void {
    let text: string;
    try {
      text = this.#decoder.decode(bytes, { stream: true });
    } catch (cause) {
      throw new SseError('The stream is not valid UTF-8.', { cause });
    }
    let start = 0;
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      if (unit !== 10 && unit !== 13) continue;
      if (unit === 10 && this.#afterCr && at === start && this.#pieceLength === 0) {
        this.#afterCr = false;
        start = at + 1;
        continue;
      }
      this.#keep(text.slice(start, at));
      this.#afterCr = unit === 13;
      start = at + 1;
      this.#takeLine();
    }
    if (start < text.length) {
      this.#afterCr = false;
      this.#keep(text.slice(start));
    }
  }

  #keep(piece: string): void {
    this.#pieceLength += piece.length;
    if (this.#pieceLength > this.#options.lineLimit) {
      throw new SseError(`A line is longer than ${this.#options.lineLimit} characters.`);
    }
    if (piece !== '') this.#pieces.push(piece);
  }

  #takeLine(): void {
    const line = this.#pieces.length === 1 ? (this.#pieces[0] as string) : this.#pieces.join('');
    this.#pieces = [];
    this.#pieceLength = 0;
    if (line === '') this.#dispatch();
    else this.#takeField(line);
  }

  #takeField(line: string): void {
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const from = line.charCodeAt(colon + 1) === 32 ? colon + 2 : colon + 1;
    const value = colon < 0 ? '' : line.slice(from);
    if (field === 'data') {
      this.#dataLength += value.length + 1;
      if (this.#dataLength > this.#options.eventLimit) {
        throw new SseError(`An event is longer than ${this.#options.eventLimit} characters.`);
      }
      this.#data.push(value);
    } else if (field === 'event') this.#type = value;
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
  }

  #dispatch(): void {
    const data = this.#data;
    const type = this.#type || 'message';
    this.#data = [];
    this.#dataLength = 0;
    this.#type = '';
    if (data.length > 0) this.#onEvent({ type, data: data.join('\n'), id: this.#id });
  }
}
