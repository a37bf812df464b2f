import type { ControlRequest } from '@portolan/core';
import type { ServerExchange } from '@portolan/http';

const NO_BODY = new Uint8Array(0);
const REQUEST_ID = /^[\w.:@/+=-]{1,128}$/;

/** A request to the control port on top of an exchange; what is seldom asked for is made only when asked for. */
export class ExchangeRequest implements ControlRequest {
  readonly method: string;
  readonly path: string;
  readonly requestId: string;
  body: Uint8Array = NO_BODY;
  readonly #exchange: ServerExchange;
  readonly #shutdown: AbortSignal;
  readonly #queryText: string;
  #query: URLSearchParams | undefined;
  #signal: AbortSignal | undefined;

  constructor(
    exchange: ServerExchange,
    target: { readonly path: string; readonly query: string },
    requestId: string,
    shutdown: AbortSignal,
  ) {
    this.method = exchange.head.method;
    this.path = target.path;
    this.requestId = requestId;
    this.#exchange = exchange;
    this.#shutdown = shutdown;
    this.#queryText = target.query;
  }

  get query(): URLSearchParams {
    this.#query ??= new URLSearchParams(this.#queryText);
    return this.#query;
  }

  get remoteAddress(): string {
    return this.#exchange.remoteAddress;
  }

  get signal(): AbortSignal {
    this.#signal ??= AbortSignal.any([this.#exchange.signal, this.#shutdown]);
    return this.#signal;
  }

  header(lowerCaseName: string): string | undefined {
    return this.#exchange.head.joined(lowerCaseName);
  }
}

/** The client's own `X-Request-Id` when it is fit to be logged, else the next of ours. */
export function createRequestIds(prefix: string): (given: string | undefined) => string {
  let count = 0;
  return (given) => {
    if (given !== undefined && REQUEST_ID.test(given)) return given;
    count += 1;
    return `${prefix}-${count.toString(36)}`;
  };
}
