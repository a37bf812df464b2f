import { type ConsulAdapterOptions, createConsulAdapter } from '@portolan/adapters/consul';
import {
  type ControlReply,
  type ControlRequest,
  type HttpProtocolAdapter,
  type Logger,
  NO_LOGGER,
} from '@portolan/core';
import type { RegistryOptionsInput } from '@portolan/registry';
import { type GoldenTarget, seededRandom } from '@portolan/testing';
import { answer } from '../../control/answer.ts';
import { createRouteTable } from '../../control/route-table.ts';
import {
  createNativeApi,
  type NativeApi,
  type NativeCall,
  wholeBody,
} from '../test-rest/native-api.ts';

export interface ConsulCall extends NativeCall {
  /** Default 127.0.0.1. */
  readonly from?: string;
}

/** What came back, its body whole and, where it is JSON, parsed. */
export interface ConsulAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests read what the wire says
  readonly json: any;
}

/** The Consul dialect beside the native API, over one registry, without sockets, in a time that is turned. */
export interface ConsulApi {
  readonly native: NativeApi;
  readonly adapter: HttpProtocolAdapter;
  readonly faults: readonly object[];
  /** Method and pattern of every route that answered with success. */
  readonly succeeded: ReadonlySet<string>;
  call(call: ConsulCall): Promise<ControlReply>;
  get(target: string, from?: string): Promise<ConsulAnswer>;
  put(target: string, body?: unknown, from?: string): Promise<ConsulAnswer>;
  /** Paths below `/v1` go to the dialect, all others to the native API. */
  readonly golden: GoldenTarget;
  close(): Promise<void>;
}

export async function createConsulApi(
  options: Partial<ConsulAdapterOptions> = {},
  registryOptions: RegistryOptionsInput = {},
): Promise<ConsulApi> {
  const native = await createNativeApi({ registry: registryOptions });
  const faults: object[] = [];
  const logger: Logger = { ...NO_LOGGER, error: (fields) => void faults.push(fields) };
  const { registry, clock } = native;
  const adapter = createConsulAdapter(
    { version: '0.0.0-test', ...options },
    { registry, clock, random: seededRandom(11), logger },
  );
  const table = createRouteTable([adapter]);
  const succeeded = new Set<string>();

  async function call(sent: ConsulCall): Promise<ControlReply> {
    const url = new URL(sent.target, 'http://test');
    const at = sent.target.indexOf('?');
    const path = at < 0 ? sent.target : sent.target.slice(0, at);
    const headers = sent.headers ?? {};
    const body = sent.body ?? '';
    const request: ControlRequest = {
      method: sent.method,
      path,
      query: url.searchParams,
      header: (name) => (Object.hasOwn(headers, name) ? headers[name] : undefined),
      body: typeof body === 'string' ? new TextEncoder().encode(body) : body,
      remoteAddress: sent.from ?? '127.0.0.1',
      requestId: 'test-1',
      signal: sent.signal ?? new AbortController().signal,
    };
    const resolution = table.resolve(sent.method, path);
    const reply = await answer(resolution, request, adapter, logger);
    if (resolution.kind === 'route' && reply.status < 300) {
      succeeded.add(`${resolution.route.method} ${resolution.route.path}`);
    }
    return reply;
  }

  async function whole(sent: ConsulCall): Promise<ConsulAnswer> {
    const reply = await call(sent);
    const text = await wholeBody(reply);
    const isJson = reply.headers['content-type'] === 'application/json';
    return {
      status: reply.status,
      headers: reply.headers,
      text,
      json: isJson ? JSON.parse(text) : undefined,
    };
  }

  return {
    native,
    adapter,
    faults,
    succeeded,
    call,
    get: (target, from = '127.0.0.1') => whole({ method: 'GET', target, from }),
    put: (target, body, from = '127.0.0.1') =>
      whole({
        method: 'PUT',
        target,
        from,
        ...(body === undefined
          ? {}
          : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      }),
    golden: {
      async send(request) {
        if (!request.target.startsWith('/v1/')) return native.golden.send(request);
        const { status, headers, text } = await whole(request);
        return { status, headers, body: text };
      },
      advance: (ms) => clock.advance(ms),
    },
    close: () => native.close(),
  };
}
