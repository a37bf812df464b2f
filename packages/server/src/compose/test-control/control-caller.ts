import type { ControlReply, ControlRequest, HttpProtocolAdapter, Logger } from '@portolan/core';
import type { GoldenTarget, TurnableClock } from '@portolan/testing';
import { answer } from '../../control/answer.ts';
import { createRouteTable } from '../../control/route-table.ts';

export interface ControlCall {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly signal?: AbortSignal;
  /** Default 127.0.0.1. */
  readonly from?: string;
}

/** Asks adapters as the control listener does, without a socket. */
export interface ControlCaller {
  /** Method and pattern of every route of the first adapter that answered with success. */
  readonly succeeded: ReadonlySet<string>;
  call(call: ControlCall): Promise<ControlReply>;
  readonly golden: GoldenTarget;
}

interface ControlCallerParts {
  /** The one that is tested, which answers what no route takes too, and those beside it. */
  readonly adapters: readonly [HttpProtocolAdapter, ...HttpProtocolAdapter[]];
  readonly clock: TurnableClock;
  readonly logger: Logger;
  /** Aborts when the test is over. */
  readonly signal: AbortSignal;
}

export function createControlCaller({
  adapters,
  clock,
  logger,
  signal,
}: ControlCallerParts): ControlCaller {
  const [tested] = adapters;
  const table = createRouteTable([...adapters]);
  const succeeded = new Set<string>();
  let requests = 0;

  async function call(sent: ControlCall): Promise<ControlReply> {
    const at = sent.target.indexOf('?');
    const path = at < 0 ? sent.target : sent.target.slice(0, at);
    const { headers = {}, body = '' } = sent;
    requests++;
    const request: ControlRequest = {
      method: sent.method,
      path,
      query: new URLSearchParams(at < 0 ? '' : sent.target.slice(at)),
      header: (name) => (Object.hasOwn(headers, name) ? headers[name] : undefined),
      body: typeof body === 'string' ? new TextEncoder().encode(body) : body,
      remoteAddress: sent.from ?? '127.0.0.1',
      requestId: `test-${requests}`,
      signal: sent.signal ?? signal,
    };
    const resolution = table.resolve(sent.method, path);
    const reply = await answer(resolution, request, tested, logger);
    if (resolution.kind === 'route' && resolution.adapter === tested && reply.status < 300) {
      succeeded.add(`${resolution.route.method} ${resolution.route.path}`);
    }
    return reply;
  }

  return {
    succeeded,
    call,
    golden: {
      async send(request) {
        const reply = await call(request);
        return { status: reply.status, headers: reply.headers, body: await wholeBody(reply) };
      },
      advance: (ms) => clock.advance(ms),
    },
  };
}

/** The body of a reply that ends, as text. */
export async function wholeBody(reply: ControlReply): Promise<string> {
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
