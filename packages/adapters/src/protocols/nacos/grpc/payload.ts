import { fileURLToPath } from 'node:url';
import type { ServiceDefinition } from '@grpc/grpc-js';
import { parseJsonBody } from '../../body/json-body.ts';

/** One message as gRPC carries it. */
export interface Payload {
  readonly metadata?: {
    readonly type?: string;
    readonly clientIp?: string;
    readonly headers?: Readonly<Record<string, string>>;
  } | null;
  readonly body?: { readonly value?: Uint8Array } | null;
}

/** One message as it is meant. */
export interface Message {
  /** Java's simple class name. */
  readonly type: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
}

export const MAX_MESSAGE_BYTES = 10 * 1_024 * 1_024;
// The same from the source and from what is built of it.
const PROTO = fileURLToPath(
  new URL('../../../../src/protocols/nacos/grpc/nacos_grpc_service.proto', import.meta.url),
);

/** The two services of the published `.proto`. */
export async function loadServices(): Promise<{
  readonly request: ServiceDefinition;
  readonly stream: ServiceDefinition;
}> {
  const { load } = await import('@grpc/proto-loader');
  const loaded = await load(PROTO, { keepCase: true, defaults: true, longs: Number });
  return {
    request: loaded.Request as ServiceDefinition,
    stream: loaded.BiRequestStream as ServiceDefinition,
  };
}

export function toPayload(type: string, body: object): Payload {
  const value = Buffer.from(JSON.stringify(body));
  return { metadata: { type, headers: {} }, body: { value } };
}

/** Throws a `RegistryError` for what is no JSON object. */
export function readPayload(payload: Payload): Message {
  const bytes = payload.body?.value ?? new Uint8Array(0);
  const parsed = bytes.length === 0 ? {} : parseJsonBody(bytes, { limitBytes: MAX_MESSAGE_BYTES });
  const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
  return {
    type: payload.metadata?.type ?? '',
    headers: payload.metadata?.headers ?? {},
    body: isObject ? (parsed as Record<string, unknown>) : {},
  };
}

/** What every answer has. */
export function success(requestId: string, more: object = {}): object {
  return { resultCode: 200, errorCode: 0, success: true, message: null, requestId, ...more };
}

export function failure(requestId: string, errorCode: number, message: string): object {
  return { resultCode: 500, errorCode, success: false, message, requestId };
}

export function requestIdOf(body: Readonly<Record<string, unknown>>): string {
  const { requestId } = body;
  return typeof requestId === 'string' ? requestId.slice(0, 128) : '';
}
