import { type ConsulAdapterOptions, createConsulAdapter } from '@portolan/adapters/consul';
import type { HttpProtocolAdapter } from '@portolan/core';
import type { RegistryOptionsInput } from '@portolan/registry';
import { seededRandom } from '@portolan/testing';
import {
  type ControlCall,
  type ControlCaller,
  createControlCaller,
  wholeBody,
} from '../test-control/control-caller.ts';
import { faultLog } from '../test-control/turned-registry.ts';
import { createNativeApi, type NativeApi } from '../test-rest/native-api.ts';

/** What came back, its body whole and, where it is JSON, parsed. */
export interface ConsulAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests read what the wire says
  readonly json: any;
}

/** The Consul dialect beside the native API, over one registry, without sockets, in a time that is turned. */
export interface ConsulApi extends ControlCaller {
  readonly native: NativeApi;
  readonly adapter: HttpProtocolAdapter;
  readonly faults: readonly object[];
  get(target: string, from?: string): Promise<ConsulAnswer>;
  put(target: string, body?: unknown, from?: string): Promise<ConsulAnswer>;
  /** Paths below `/v1` go to the dialect, all others to the native API. */
  readonly golden: ControlCaller['golden'];
  close(): Promise<void>;
}

export async function createConsulApi(
  options: Partial<ConsulAdapterOptions> = {},
  registryOptions: RegistryOptionsInput = {},
): Promise<ConsulApi> {
  const native = await createNativeApi({ registry: registryOptions });
  const { faults, logger } = faultLog();
  const { registry, clock } = native;
  const adapter = createConsulAdapter(
    { version: '0.0.0-test', ...options },
    { registry, clock, random: seededRandom(11), logger },
  );
  const ending = new AbortController();
  const { signal } = ending;
  const caller = createControlCaller({ adapters: [adapter], clock, logger, signal });

  async function whole(sent: ControlCall): Promise<ConsulAnswer> {
    const reply = await caller.call(sent);
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
    ...caller,
    native,
    adapter,
    faults,
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
      ...caller.golden,
      send: (request) => (request.target.startsWith('/v1/') ? caller : native).golden.send(request),
    },
    close() {
      ending.abort();
      return native.close();
    },
  };
}
