import { requestBytes } from './request-bytes.ts';
import type { LoadPlan } from './run-load.ts';

export interface RegistryLoadOptions {
  readonly url: URL;
  readonly namespace: string;
  readonly instances: number;
  readonly services: number;
  readonly connections: number;
  /** Between two heartbeats of an instance. */
  readonly intervalMs: number;
  /** Of the heartbeats. */
  readonly durationMs: number;
}

/** A part of the load, one after the other. */
export interface LoadPhase {
  readonly name: 'register' | 'heartbeat' | 'deregister';
  /** Requests that it comes to. */
  readonly total: number;
  readonly plan: Omit<LoadPlan, 'signal'>;
}

/** Leases outlast registration and run: what is measured is the registry at work, not at expiry. */
const MIN_TTL_SECONDS = 600;

/** What nodes do: all register, each is heard of every interval for a while, and all leave. */
export function registryLoad(options: RegistryLoadOptions): Record<LoadPhase['name'], LoadPhase> {
  const { url, namespace, instances, connections, intervalMs, durationMs } = options;
  const base = `${url.pathname.replace(/\/$/, '')}/api/v1/instances`;
  const query = `?namespace=${encodeURIComponent(namespace)}`;
  const ttl = Math.max(MIN_TTL_SECONDS, Math.ceil((3 * intervalMs) / 1_000));
  const plan = { url, connections };
  const perSecond = instances / (intervalMs / 1_000);

  const request = (method: string, path: string, body?: object): Uint8Array =>
    requestBytes(method, `${base}${path}${query}`, url.host, body);

  const registration = (at: number): object => ({
    service: `bench-${at % options.services}`,
    id: idOf(at),
    namespace,
    // Private, so that every registry takes it. Nobody dials it: nothing asks the gateway for these services.
    address: `10.${64 + ((at >> 16) & 63)}.${(at >> 8) & 255}.${at & 255}`,
    port: 8_000 + (at >> 22),
    metadata: { version: `v${at % 2}`, zone: `z${at % 3}` },
    ttl,
  });
  const upTo = (make: (at: number) => Uint8Array) => (at: number) =>
    at < instances ? make(at) : undefined;

  return {
    register: {
      name: 'register',
      total: instances,
      plan: { ...plan, next: upTo((at) => request('POST', '', registration(at))) },
    },
    heartbeat: {
      name: 'heartbeat',
      total: Math.ceil((perSecond * durationMs) / 1_000),
      plan: {
        ...plan,
        perSecond,
        durationMs,
        next: (at) => request('PUT', `/${idOf(at % instances)}/heartbeat`),
      },
    },
    deregister: {
      name: 'deregister',
      total: instances,
      plan: { ...plan, next: upTo((at) => request('DELETE', `/${idOf(at)}`)) },
    },
  };
}

function idOf(at: number): string {
  return `bench-${at}`;
}
