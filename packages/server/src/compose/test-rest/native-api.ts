import { createRestAdapter, type RestAdapterOptions } from '@portolan/adapters';
import {
  type ControlReply,
  type ControlRequest,
  createAddressPolicy,
  type HealthProbe,
  type HttpProtocolAdapter,
  type Logger,
  NO_LOGGER,
  NO_METRICS,
} from '@portolan/core';
import { createGateway } from '@portolan/gateway';
import {
  createRegistry,
  type LocalRegistry,
  type RegistryOptionsInput,
  restoreSnapshot,
  saveSnapshot,
} from '@portolan/registry';
import { type GoldenTarget, MemoryStore, seededRandom, TurnableClock } from '@portolan/testing';
import { answer } from '../../control/answer.ts';
import { createRouteTable } from '../../control/route-table.ts';
import { CONTAINER_BOARD } from './container-board.ts';

export interface NativeCall {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly signal?: AbortSignal;
}

/** The native API over the real registry, without sockets, in a time that is turned. */
export interface NativeApi {
  readonly registry: LocalRegistry;
  readonly store: MemoryStore;
  readonly clock: TurnableClock;
  readonly adapter: HttpProtocolAdapter;
  /** What was logged as a fault of ours: has to stay empty. */
  readonly faults: readonly object[];
  /** Method and pattern of every route that answered with success. */
  readonly succeeded: ReadonlySet<string>;
  call(call: NativeCall): Promise<ControlReply>;
  readonly golden: GoldenTarget;
  close(): Promise<void>;
}

export interface NativeApiOptions {
  readonly registry?: RegistryOptionsInput;
  readonly adapter?: Partial<RestAdapterOptions>;
}

/** Asks nothing: in a turned time no instance is there to answer, and checks stay as they are reported. */
const silentProbe = (kind: HealthProbe['kind']): HealthProbe => ({
  kind,
  check: (_target, _config, signal) =>
    new Promise((resolve) => {
      const end = (): void => resolve({ status: 'critical', output: 'no answer', durationMs: 0 });
      signal.addEventListener('abort', end, { once: true });
    }),
});

export async function createNativeApi(options: NativeApiOptions = {}): Promise<NativeApi> {
  const clock = new TurnableClock();
  const random = seededRandom(7);
  const store = new MemoryStore();
  const faults: object[] = [];
  const logger: Logger = { ...NO_LOGGER, error: (fields) => void faults.push(fields) };
  const addressPolicy = createAddressPolicy({ allowLoopback: true, ownEndpoints: [] });
  const registry = await createRegistry(options.registry ?? {}, {
    store,
    clock,
    random,
    logger,
    metrics: NO_METRICS,
    probes: [silentProbe('http'), silentProbe('tcp'), silentProbe('grpc')],
    addressPolicy,
  });
  // Without a listener: it explains.
  const gateway = createGateway(
    {},
    {
      catalogue: registry,
      clock,
      random,
      logger,
      metrics: NO_METRICS,
      addressPolicy,
      resolve: async () => [],
    },
  );
  const adapter = createRestAdapter(
    { version: '0.0.0-test', ...options.adapter },
    {
      registry,
      clock,
      logger,
      status: () => ({ version: '0.0.0-test', role: 'all', revision: registry.revision }),
      snapshot: {
        save: () => saveSnapshot(store, { createdAt: new Date(clock.wallNow()).toISOString() }),
        restore: (body, mode) => restoreSnapshot(store, () => chunks(body), { mode }),
      },
      explainer: () => gateway,
      containers: () => CONTAINER_BOARD,
      webhookFailures: () => [],
    },
  );
  const table = createRouteTable([adapter]);
  const succeeded = new Set<string>();
  let requests = 0;

  async function call(sent: NativeCall): Promise<ControlReply> {
    const at = sent.target.indexOf('?');
    const path = at < 0 ? sent.target : sent.target.slice(0, at);
    const headers = sent.headers ?? {};
    const body = sent.body ?? '';
    requests++;
    const request: ControlRequest = {
      method: sent.method,
      path,
      query: new URLSearchParams(at < 0 ? '' : sent.target.slice(at)),
      header: (name) => (Object.hasOwn(headers, name) ? headers[name] : undefined),
      body: typeof body === 'string' ? new TextEncoder().encode(body) : body,
      remoteAddress: '127.0.0.1',
      requestId: `test-${requests}`,
      signal: sent.signal ?? new AbortController().signal,
    };
    const resolution = table.resolve(sent.method, path);
    const reply = await answer(resolution, request, adapter, logger);
    if (resolution.kind === 'route' && reply.status < 300) {
      succeeded.add(`${resolution.route.method} ${resolution.route.path}`);
    }
    return reply;
  }

  return {
    registry,
    store,
    clock,
    adapter,
    faults,
    succeeded,
    call,
    golden: {
      async send(request) {
        const reply = await call(request);
        return { status: reply.status, headers: reply.headers, body: await wholeBody(reply) };
      },
      advance: (ms) => clock.advance(ms),
    },
    async close() {
      await gateway.close();
      await registry.close();
      await store.close();
    },
  };
}

/** The body of a reply that ends. */
export async function wholeBody(reply: ControlReply): Promise<string> {
  const { body = '' } = reply;
  if (typeof body === 'string') return body;
  if (body instanceof Uint8Array) return new TextDecoder().decode(body);
  let text = '';
  const decoder = new TextDecoder();
  for await (const part of body) {
    text += typeof part === 'string' ? part : decoder.decode(part, { stream: true });
  }
  return text;
}

async function* chunks(body: Uint8Array): AsyncGenerator<Uint8Array> {
  yield body;
}
