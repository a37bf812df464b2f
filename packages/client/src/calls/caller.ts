import type { Clock } from '@portolan/core';
import { PortolanError } from '../http/portolan-error.ts';
import type { CallOptions, Query, Transport } from '../http/transport.ts';
import { openEventStream } from '../sse/event-stream.ts';
import type { SseEvent } from '../sse/sse-parser.ts';

/** Narrows or overrides one call. */
export interface CallScope {
  readonly namespace?: string;
  /** Only where a service is named or listed; ids are unique in their namespace. */
  readonly group?: string;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

/** Revision for compare-and-swap: a number must be the present one, `'absent'` means "must not exist". */
export type IfRevision = number | 'absent';

export interface StreamOptions extends CallScope {
  /** Resume after this revision. */
  readonly from?: number;
  readonly query?: Query;
  /** Called when the connection stands, before the first event. */
  readonly onOpen?: () => void;
}

/** What a call addresses: a server as a whole, something in a namespace, or a service in a group of it. */
export type Reach = 'server' | 'namespace' | 'group';

/** One call of the native API. */
export interface CallerOptions extends Pick<CallOptions, 'query' | 'body' | 'headers' | 'rawBody'> {
  readonly scope?: CallScope | undefined;
  /** Default `namespace`. */
  readonly reach?: Reach;
}

/** Sends calls of the native API and gives their documents. */
export interface Caller {
  call<T>(method: string, path: string, options?: CallerOptions): Promise<T>;
  /** The list under `member` of the answer. */
  list<T>(member: string, path: string, options?: CallerOptions): Promise<readonly T[]>;
  /** The events of one connection. */
  stream(path: string, scope: StreamOptions): AsyncGenerator<SseEvent, void, void>;
  /** The bytes of an answer that is not JSON, as they come. */
  download(path: string, accept: string, scope?: CallScope): Promise<ReadableStream<Uint8Array>>;
}

export const API_BASE = '/api/v1';
const IDLE_TIMEOUT_MS = 45_000;

export function createCaller(
  namespace: string,
  { transport, clock }: { readonly transport: Transport; readonly clock: Clock },
): Caller {
  // Parameters that a call does not know are refused, so each gets only its own.
  function toQuery(reach: Reach, scope: CallScope): Query {
    if (reach === 'server') return {};
    const own = { namespace: scope.namespace ?? namespace };
    return reach === 'group' ? { ...own, group: scope.group } : own;
  }

  function toCallOptions({ scope = {}, reach = 'namespace', ...rest }: CallerOptions): CallOptions {
    return {
      ...rest,
      query: { ...toQuery(reach, scope), ...rest.query },
      ...(scope.signal ? { signal: scope.signal } : {}),
      ...(scope.timeoutMs === undefined ? {} : { timeoutMs: scope.timeoutMs }),
    };
  }

  async function call<T>(method: string, path: string, options: CallerOptions = {}): Promise<T> {
    const answer = await transport.call(method, API_BASE + path, toCallOptions(options));
    if (typeof answer.body === 'object' && answer.body !== null) return answer.body as T;
    const what = `${method} ${path} was answered without an object.`;
    throw new PortolanError('ANSWER_INVALID', what, { status: answer.status });
  }

  return {
    call,
    async list<T>(member: string, path: string, options: CallerOptions = {}) {
      const body = await call<Record<string, unknown>>('GET', path, options);
      if (Array.isArray(body[member])) return body[member] as readonly T[];
      const what = `GET ${path} was answered without "${member}".`;
      throw new PortolanError('ANSWER_INVALID', what, { status: 200 });
    },
    stream: (path, scope) =>
      openEventStream(
        {
          path: API_BASE + path,
          query: {
            namespace: scope.namespace ?? namespace,
            group: scope.group,
            from: scope.from,
            ...scope.query,
          },
          signal: scope.signal ?? new AbortController().signal,
          idleTimeoutMs: IDLE_TIMEOUT_MS,
          ...(scope.onOpen ? { onOpen: scope.onOpen } : {}),
        },
        { transport, clock },
      ),
    async download(path, accept, scope = {}) {
      const options = toCallOptions({ scope, reach: 'server' });
      return (await transport.open(API_BASE + path, { ...options, accept })).body;
    },
  };
}

/** A call that only happens when the document is where the caller thinks. */
export interface GuardedScope extends CallScope {
  readonly if?: IfRevision;
}

/** The header fields that a guard comes to. */
export function toGuard(scope: GuardedScope | undefined): { headers?: Record<string, string> } {
  const condition = scope?.if;
  if (condition === undefined) return {};
  const headers: Record<string, string> =
    condition === 'absent' ? { 'if-none-match': '*' } : { 'if-match': `"${condition}"` };
  return { headers };
}
