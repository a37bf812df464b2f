import type { RequestHead, ResponseHead } from '@portolan/http';
import type { GatewayErrorCode } from '../proxy/gateway-errors.ts';

/** What a filter sees of a request, and what it may do with it before the first attempt. */
export interface FilteredRequest {
  readonly requestId: string;
  readonly head: RequestHead;
  /** Canonical, without query. */
  readonly path: string;
  /** With its `?`; empty when there is none. */
  readonly query: string;
  /** The client's address: the peer's, or the one that trusted proxies tell. */
  readonly clientIp: string;
  /** Whether the client's connection is encrypted. */
  readonly secure: boolean;
  /** Whether a body follows. */
  readonly hasBody: boolean;
  /** Changes to the head that is forwarded; names in any case. `remove` also takes out what the client sent. */
  setHeader(name: string, value: string): void;
  addHeader(name: string, value: string): void;
  removeHeader(name: string): void;
  /** Answers; nothing is forwarded. `headers` is a flat list of names and values. Filters before this one still see the answer. */
  answer(status: number, headers: readonly string[], body?: Buffer): void;
  /** Answers with one of the gateway's own errors. */
  refuse(code: GatewayErrorCode, headers?: readonly string[]): void;
  /** Cuts the connection without an answer. */
  cut(): void;
  /** Sees each piece of the request's body before it is sent on; may refuse from there. Pieces are lent for the call. */
  watchBody(watcher: (piece: Buffer) => void): void;
  /** After `onRequest` returned 'wait': goes on with the next filter. */
  proceed(): void;
  /** Called once when the exchange is over, however it ended. */
  onOver(callback: () => void): void;
}

/** The head of an answer on its way to the client. */
export interface FilteredResponse {
  readonly status: number;
  /** Absent for answers that the gateway gives by itself. */
  readonly head: ResponseHead | undefined;
  readonly hasBody: boolean;
  /** First value, changes included. */
  get(lowerName: string): string | undefined;
  setHeader(name: string, value: string): void;
  addHeader(name: string, value: string): void;
  removeHeader(name: string): void;
  /** Sends the body through `transform`; its length is unknown from then on. */
  transformBody(transform: BodyTransform): void;
}

/** Where a body transform puts its output. */
export interface BodySink {
  /** False: `resume` will be called when more is welcome. */
  write(piece: Buffer): boolean;
  end(): void;
  /** The output cannot be completed: the client's connection is cut. */
  fail(error: Error): void;
}

/** Turns a body into another, piece by piece and under back-pressure. */
export interface BodyTransform {
  start(sink: BodySink): void;
  /** Takes a piece of its own. False: no more until `onWritable` of the owner was called. */
  write(piece: Buffer): boolean;
  end(): void;
  /** The sink takes more. */
  resume(): void;
  /** Set by the owner: called when `write` may go on. */
  onWritable: () => void;
  /** Gives up; nothing is written any more. */
  destroy(): void;
}

/** One stage around a route's exchanges, made once for the route. */
export interface Filter {
  readonly name: string;
  onRequest?(request: FilteredRequest): 'continue' | 'wait' | 'answered';
  /** In reverse order of the requests' stages; also for answers that a later stage or the gateway itself gave. */
  onResponse?(request: FilteredRequest, response: FilteredResponse): void;
}
