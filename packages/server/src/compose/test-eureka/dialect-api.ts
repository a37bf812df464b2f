import { setImmediate as nextTurn } from 'node:timers/promises';
import { createRestAdapter } from '@portolan/adapters';
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
import { createRegistry, type LocalRegistry } from '@portolan/registry';
import { type GoldenTarget, MemoryStore, seededRandom, TurnableClock } from '@portolan/testing';
import { answer } from '../../control/answer.ts';
import { createRouteTable } from '../../control/route-table.ts';

export interface DialectCall {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly signal?: AbortSignal;
}

/** One dialect beside the native API over the real registry, without sockets, in a time that is turned. */
export interface DialectApi {
  readonly registry: LocalRegistry;
  readonly clock: TurnableClock;
  readonly adapter: HttpProtocolAdapter;
  /** What was logged as a fault of ours: has to stay empty. */
  readonly faults: readonly object[];
  /** Method and pattern of every route of the dialect that answered with success. */
  readonly succeeded: ReadonlySet<string>;
  call(call: DialectCall): Promise<ControlReply>;
  readonly golden: GoldenTarget;
  close(): Promise<void>;
}

export interface DialectParts {
  readonly registry: LocalRegistry;
  readonly clock: TurnableClock;
  readonly logger: Logger;
  readonly random: () => number;
  /** Aborts when the test is over. */
  readonly signal: AbortSignal;
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

export async function createDialectApi(
  create: (parts: DialectParts) => HttpProtocolAdapter,
): Promise<DialectApi> {
  const clock = new TurnableClock();
  const random = seededRandom(7);
  const store = new MemoryStore();
  const faults: object[] = [];
  const logger: Logger = { ...NO_LOGGER, error: (fields) => void faults.push(fields) };
  const ending = new AbortController();
  const registry = await createRegistry(
    {},
    {
      store,
      clock,
      random,
      logger,
      metrics: NO_METRICS,
      probes: [silentProbe('http'), silentProbe('tcp'), silentProbe('grpc')],
      addressPolicy: createAddressPolicy({ allowLoopback: true, ownEndpoints: [] }),
    },
  );
  const adapter = create({ registry, clock, logger, random, signal: ending.signal });
  const rest = createRestAdapter(
    { version: '0.0.0-test' },
    { registry, clock, logger, status: () => ({}) },
  );
  const table = createRouteTable([rest, adapter]);
  const succeeded = new Set<string>();
  let requests = 0;

  async function call(sent: DialectCall): Promise<ControlReply> {
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
      signal: sent.signal ?? ending.signal,
    };
    const resolution = table.resolve(sent.method, path);
    const reply = await answer(resolution, request, adapter, logger);
    if (resolution.kind === 'route' && resolution.adapter === adapter && reply.status < 300) {
      succeeded.add(`${resolution.route.method} ${resolution.route.path}`);
    }
    return reply;
  }

  return {
    registry,
    clock,
    adapter,
    faults,
    succeeded,
    call,
    golden: {
      async send(request) {
        const reply = await call(request);
        return { status: reply.status, headers: reply.headers, body: await textOf(reply) };
      },
      advance: (ms) => clock.advance(ms),
    },
    async close() {
      ending.abort();
      await registry.close();
      await store.close();
    },
  };
}

/** The body of a reply as text. */
export async function textOf(reply: ControlReply): Promise<string> {
  return new TextDecoder().decode(await bytesOf(reply));
}

export async function bytesOf({ body = '' }: ControlReply): Promise<Uint8Array> {
  if (typeof body === 'string') return new TextEncoder().encode(body);
  if (body instanceof Uint8Array) return body;
  const parts: Uint8Array[] = [];
  for await (const part of body) {
    parts.push(typeof part === 'string' ? new TextEncoder().encode(part) : part);
  }
  return Buffer.concat(parts);
}

/** Lets whoever gives others a turn have the next one, until the work is done. */
export async function inTurns<T>(
  { clock }: Pick<DialectApi, 'clock'>,
  work: Promise<T>,
): Promise<T> {
  let done = false;
  const end = (): void => {
    done = true;
  };
  work.then(end, end);
  while (!done) {
    await clock.advance(0);
    // Compression is work of another thread.
    await nextTurn();
  }
  return work;
}
