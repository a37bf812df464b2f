import type { Reading, ReadRequest } from './reading.ts';

interface RuntimeParser {
  [callback: number]: (...facts: never[]) => number | undefined;
  initialize(kind: number, resource: object, maxHeadBytes: number, lenientFlags: number): void;
  execute(bytes: Buffer): number | (Error & { readonly code: string });
}

interface ParserClass {
  new (): RuntimeParser;
  readonly REQUEST: number;
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

/** Reads requests by the runtime's own parser, llhttp, with none of its leniencies. */
export class RuntimeReader {
  readonly #parser = new HTTPParser();
  #requests: ReadRequest[] = [];
  #fields: string[] = [];
  #target = '';

  constructor() {
    const parser = this.#parser;
    parser[HTTPParser.kOnHeaders] = (fields: string[], target: string): undefined => {
      this.#fields.push(...fields);
      this.#target += target;
    };
    parser[HTTPParser.kOnHeadersComplete] = this.#onHead;
    parser[HTTPParser.kOnBody] = (piece: Buffer): undefined => {
      const request = this.#requests.at(-1);
      if (request !== undefined) request.body += piece.toString('latin1');
    };
    parser[HTTPParser.kOnMessageComplete] = (): undefined => {
      const request = this.#requests.at(-1);
      if (request === undefined) return;
      request.complete = true;
      request.trailers = this.#fields;
      this.#fields = [];
      // It comes a second time with the trailers.
      this.#target = '';
    };
  }

  read(bytes: Buffer): Reading {
    this.#requests = [];
    this.#fields = [];
    this.#target = '';
    this.#parser.initialize(HTTPParser.REQUEST, {}, MAX_HEAD_BYTES, STRICT);
    const outcome = this.#parser.execute(bytes);
    const fault = typeof outcome === 'number' ? undefined : outcome.code;
    return { requests: this.#requests, fault };
  }

  readonly #onHead = (
    major: number,
    minor: number,
    fields: string[] | null,
    method: number,
    target: string | null,
    _status: unknown,
    _reason: unknown,
    upgrade: boolean,
    keepAlive: boolean,
  ): number => {
    const received = target ?? this.#target;
    const absolute = /^https?:\/\/([^/?]*)(.*)$/i.exec(received);
    const rest = absolute?.[2] ?? received;
    this.#requests.push({
      method: methods[method] ?? LATER_METHODS.get(method) ?? '',
      target: absolute !== null && !rest.startsWith('/') ? `/${rest}` : rest,
      authority: absolute?.[1],
      minorVersion: major === 1 ? minor : -1,
      fields: fields ?? this.#fields,
      keepAlive,
      upgrade,
      complete: false,
      body: '',
      trailers: [],
    });
    this.#fields = [];
    this.#target = '';
    return 0;
  };
}
