interface LlhttpParser {
  [callback: number]: (...facts: never[]) => number | undefined;
  initialize(kind: number, resource: object, maxHeadBytes: number, lenientFlags: number): void;
  execute(bytes: Buffer): number | ParseFailure;
  /** The connection ended. */
  finish(): ParseFailure | undefined;
}

type ParseFailure = Error & { readonly code: string };

interface ParserClass {
  new (): LlhttpParser;
  readonly REQUEST: number;
  readonly RESPONSE: number;
  readonly kOnHeaders: number;
  readonly kOnHeadersComplete: number;
  readonly kOnBody: number;
  readonly kOnMessageComplete: number;
}

interface HttpCommon {
  readonly HTTPParser: ParserClass;
  readonly methods: readonly string[];
}

// Deprecated and undocumented, but the only way to llhttp without a socket and a server for each case: `process.binding` knows
// it no more, and through `http.createServer` a case costs a hundred times as much.
const { HTTPParser, methods } = process.getBuiltinModule('node:_http_common') as HttpCommon;

const MAX_HEAD_BYTES = 16_384;
const STRICT = 0;
/** Methods by llhttp's numbers that the list of HTTP methods leaves out. */
const LATER_METHODS: ReadonlyMap<number, string> = new Map([[46, 'QUERY']]);

/** What llhttp says of a head. */
export interface LlhttpHead {
  /** -1 when the major version is not 1. */
  readonly minorVersion: number;
  /** Names and values in turn. */
  readonly fields: readonly string[];
  readonly method: string;
  readonly target: string;
  readonly status: number;
  readonly upgrade: boolean;
  readonly keepAlive: boolean;
}

/** What follows the head of a message. */
export interface ReadBody {
  /** Whether the end of the body was found. */
  complete: boolean;
  body: string;
  trailers: readonly string[];
}

/** What a parser made of the bytes of one connection. */
export interface Reading<M> {
  readonly messages: readonly M[];
  /** Why it refused to go on; undefined when it did not. */
  readonly fault: string | undefined;
}

/** Reads messages by the runtime's own parser, llhttp, with none of its leniencies. */
export class LlhttpReader<M extends ReadBody> {
  readonly #parser = new HTTPParser();
  readonly #kind: 'REQUEST' | 'RESPONSE';
  readonly #toMessage: (head: LlhttpHead) => M;
  #messages: M[] = [];
  #fields: string[] = [];
  #target = '';

  constructor(kind: 'REQUEST' | 'RESPONSE', toMessage: (head: LlhttpHead) => M) {
    this.#kind = kind;
    this.#toMessage = toMessage;
    const parser = this.#parser;
    parser[HTTPParser.kOnHeaders] = (fields: string[], target: string): undefined => {
      this.#fields.push(...fields);
      this.#target += target;
    };
    parser[HTTPParser.kOnHeadersComplete] = this.#onHead;
    parser[HTTPParser.kOnBody] = (piece: Buffer): undefined => {
      const message = this.#messages.at(-1);
      if (message !== undefined) message.body += piece.toString('latin1');
    };
    parser[HTTPParser.kOnMessageComplete] = (): undefined => {
      const message = this.#messages.at(-1);
      if (message === undefined) return;
      message.complete = true;
      message.trailers = this.#fields;
      this.#fields = [];
      // It comes a second time with the trailers.
      this.#target = '';
    };
  }

  read(bytes: Buffer): Reading<M> {
    this.#messages = [];
    this.#fields = [];
    this.#target = '';
    this.#parser.initialize(HTTPParser[this.#kind], {}, MAX_HEAD_BYTES, STRICT);
    const outcome = this.#parser.execute(bytes);
    // What ends with the connection ends here.
    const failure = typeof outcome !== 'number' ? outcome : this.#finish();
    return { messages: this.#messages, fault: failure?.code };
  }

  #finish(): ParseFailure | undefined {
    return this.#kind === 'RESPONSE' ? this.#parser.finish() : undefined;
  }

  readonly #onHead = (
    major: number,
    minor: number,
    fields: string[] | null,
    method: number,
    target: string | null,
    status: number,
    _reason: unknown,
    upgrade: boolean,
    keepAlive: boolean,
  ): number => {
    const message = this.#toMessage({
      minorVersion: major === 1 ? minor : -1,
      fields: fields ?? this.#fields,
      method: methods[method] ?? LATER_METHODS.get(method) ?? '',
      target: target ?? this.#target,
      status,
      upgrade,
      keepAlive,
    });
    this.#messages.push(message);
    this.#fields = [];
    this.#target = '';
    return 0;
  };
}
