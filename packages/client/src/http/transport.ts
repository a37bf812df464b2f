import type { Clock } from '@portolan/core';
import { PortolanError } from './portolan-error.ts';
import { fromProblemDocument } from './problem-document.ts';

export type FetchFunction = (url: string, init: RequestInit) => Promise<Response>;

export interface TransportOptions {
  /** Control ports, tried in order; the one that answered last is tried first. */
  readonly urls: readonly string[];
  /** From request to the answer's last byte, for each address. */
  readonly timeoutMs: number;
  /** Longest answer that is read. */
  readonly answerLimitBytes: number;
}

/** A list is given several times. */
export type Query = Readonly<
  Record<string, string | number | boolean | readonly string[] | undefined>
>;

export interface CallOptions {
  readonly query?: Query;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is, instead of `body`. */
  readonly rawBody?: { readonly type: string; readonly bytes: Uint8Array<ArrayBuffer> };
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

/** An answer whose body is read as it comes. */
export interface OpenAnswer {
  readonly url: string;
  readonly headers: Headers;
  readonly body: ReadableStream<Uint8Array>;
}

/** Sends calls to the first control port that answers. */
export interface Transport {
  readonly urls: readonly string[];
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** The time-out covers the head only; `signal` ends the body. */
  open(path: string, options: CallOptions & { readonly accept: string }): Promise<OpenAnswer>;
}

/** Statuses that a load balancer gives when the registry behind it is away. */
const GATEWAY_STATUSES = new Set([502, 503, 504]);

export function createTransport(
  options: TransportOptions,
  deps: { readonly clock: Clock; readonly fetch: FetchFunction },
): Transport {
  const urls = options.urls.map(toBaseUrl);
  let preferred = 0;

  /** Runs `attempt` against one address after the other until one is not away. */
  async function eachUrl<T>(attempt: (base: string) => Promise<T>, signal?: AbortSignal) {
    let failure: PortolanError | undefined;
    for (let step = 0; step < urls.length; step++) {
      const index = (preferred + step) % urls.length;
      try {
        const value = await attempt(urls[index] as string);
        preferred = index;
        return value;
      } catch (error) {
        if (signal?.aborted) throw toAborted(signal);
        if (!(error instanceof PortolanError) || !isAway(error)) {
          preferred = index;
          throw error;
        }
        failure = error;
      }
    }
    throw failure as PortolanError;
  }

  /** Resolves with the head; `done` must be called once the body is read or given up. */
  async function send(method: string, url: string, call: CallOptions, accept: string) {
    const controller = new AbortController();
    const payload = toPayload(call);
    const timeoutMs = call.timeoutMs ?? options.timeoutMs;
    let timedOut = false;
    const timer = deps.clock.setTimer(timeoutMs, () => {
      timedOut = true;
      controller.abort();
    });
    const onAbort = () => controller.abort();
    if (call.signal?.aborted) controller.abort();
    else call.signal?.addEventListener('abort', onAbort, { once: true });
    const done = () => {
      timer.cancel();
      call.signal?.removeEventListener('abort', onAbort);
    };
    const explain = (cause: unknown): PortolanError => {
      if (cause instanceof PortolanError) return cause;
      if (call.signal?.aborted) return toAborted(call.signal);
      const why = timedOut ? `no answer within ${timeoutMs} ms` : describeCause(cause);
      return new PortolanError('REGISTRY_UNREACHABLE', `No registry at ${originOf(url)}: ${why}.`, {
        status: 0,
        url,
        retryable: true,
        cause,
      });
    };
    try {
      const response = await deps.fetch(url, {
        method,
        redirect: 'manual',
        signal: controller.signal,
        headers: {
          accept,
          ...(payload === undefined ? {} : { 'content-type': payload.type }),
          ...call.headers,
        },
        ...(payload === undefined ? {} : { body: payload.bytes }),
      });
      return { response, done, explain, cancelTimer: () => timer.cancel() };
    } catch (error) {
      done();
      throw explain(error);
    }
  }

  async function readAnswer(url: string, response: Response): Promise<unknown> {
    const text = await readBounded(response, options.answerLimitBytes, url);
    const type = response.headers.get('content-type') ?? '';
    if (response.status === 204 || (text === '' && response.ok)) return undefined;
    if (!/^application\/([a-z.-]+\+)?json\b/i.test(type)) {
      throw invalidAnswer(url, response, `content type ${type || 'missing'}`);
    }
    let body: unknown;
    try {
      body = JSON.parse(text);
    } catch (cause) {
      throw invalidAnswer(url, response, 'cut-off or malformed JSON', cause);
    }
    if (response.ok) return body;
    const problem = fromProblemDocument(body, response.status, url, retryAfterMs(response));
    throw problem ?? invalidAnswer(url, response, 'an error that is not a problem document');
  }

  return {
    urls,
    call: (method, path, call = {}) =>
      eachUrl(async (base) => {
        const url = toUrl(base, path, call.query);
        const sent = await send(method, url, call, 'application/json');
        try {
          const body = await readAnswer(url, sent.response);
          return { status: sent.response.status, headers: sent.response.headers, body };
        } catch (error) {
          throw sent.explain(error);
        } finally {
          sent.done();
        }
      }, call.signal),
    open: (path, call) =>
      eachUrl(async (base) => {
        const url = toUrl(base, path, call.query);
        const sent = await send('GET', url, call, call.accept);
        const { response } = sent;
        try {
          if (!response.ok) await readAnswer(url, response);
          const type = response.headers.get('content-type') ?? '';
          if (!response.ok || !response.body || !type.startsWith(call.accept)) {
            await response.body?.cancel();
            throw invalidAnswer(url, response, `content type ${type || 'missing'}`);
          }
          sent.cancelTimer();
          return { url, headers: response.headers, body: response.body };
        } catch (error) {
          sent.done();
          throw sent.explain(error);
        }
      }, call.signal),
  };
}

function toPayload({ body, rawBody }: CallOptions) {
  if (rawBody) return rawBody;
  return body === undefined ? undefined : { type: 'application/json', bytes: JSON.stringify(body) };
}

function isAway(error: PortolanError): boolean {
  if (error.code === 'REGISTRY_UNREACHABLE') return true;
  return error.code === 'SHUTTING_DOWN' || (error.retryable && GATEWAY_STATUSES.has(error.status));
}

function toAborted(signal: AbortSignal): PortolanError {
  return new PortolanError('ABORTED', 'The call was aborted.', { status: 0, cause: signal.reason });
}

/** Node's `fetch failed` says nothing; its cause does. */
function describeCause(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(cause instanceof Error)) return String(cause);
  if (cause instanceof AggregateError && cause.errors[0] instanceof Error) {
    return cause.errors[0].message;
  }
  return cause.message;
}

function invalidAnswer(url: string, response: Response, found: string, cause?: unknown) {
  return new PortolanError(
    'ANSWER_INVALID',
    `${originOf(url)} answered ${response.status} with ${found}: this is not a Portolan registry, or a proxy answered in its place.`,
    {
      status: response.status,
      url,
      retryable: response.status >= 500,
      ...(cause === undefined ? {} : { cause }),
    },
  );
}

async function readBounded(response: Response, limitBytes: number, url: string): Promise<string> {
  if (!response.body) return '';
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let text = '';
  let bytes = 0;
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > limitBytes) {
      throw invalidAnswer(url, response, `more than ${limitBytes} bytes`);
    }
    text += decodeChunk(decoder, chunk, response, url);
  }
  return text + decodeChunk(decoder, undefined, response, url);
}

function decodeChunk(
  decoder: InstanceType<typeof TextDecoder>,
  chunk: Uint8Array | undefined,
  response: Response,
  url: string,
): string {
  try {
    return decoder.decode(chunk, { stream: chunk !== undefined });
  } catch (cause) {
    throw invalidAnswer(url, response, 'bytes that are not UTF-8', cause);
  }
}

function retryAfterMs(response: Response): number | undefined {
  const value = response.headers.get('retry-after');
  return value !== null && /^\d{1,6}$/.test(value) ? Number(value) * 1_000 : undefined;
}

function toBaseUrl(url: string): string {
  let parsed: URL | undefined;
  try {
    parsed = new URL(url.includes('://') ? url : `http://${url}`);
  } catch {
    parsed = undefined;
  }
  if (!parsed || (parsed.protocol !== 'http:' && parsed.protocol !== 'https:')) {
    throw new TypeError(`Not an http or https URL of a registry: ${url}`);
  }
  return `${parsed.origin}${parsed.pathname.replace(/\/+$/, '')}`;
}

function toUrl(base: string, path: string, query: Query | undefined): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (Array.isArray(value)) for (const each of value) search.append(name, each);
    else if (value !== undefined) search.set(name, String(value));
  }
  return search.size === 0 ? base + path : `${base}${path}?${search}`;
}

function originOf(url: string): string {
  return new URL(url).origin;
}
