import type { Registry, ServiceSummary } from '@portolan/core';
import { transportInUse } from '@portolan/http';
import { formatListenAddress, type ListenAddress } from '../config/value-types.ts';
import type { DataPlane } from './data-plane.ts';
import type { ServerContext } from './server-context.ts';

/** Where people and programs find what this process offers. */
export interface ServerUrls {
  readonly gateway?: string;
  readonly api?: string;
  readonly openapi?: string;
  readonly metrics?: string;
  readonly control: string;
  /** Of `gateway.listeners`, by name. */
  readonly more?: Readonly<Record<string, string>>;
  /** Of `dialects` with a port of their own, by name. */
  readonly dialects?: Readonly<Record<string, string>>;
}

/** The URLs of the listeners that are up. */
export function serverUrls(context: ServerContext): ServerUrls {
  const { listeners, config } = context;
  const control = listeners.control ? originOf(listeners.control) : '';
  return {
    control,
    ...(listeners.gateway ? { gateway: originOf(listeners.gateway) } : {}),
    ...(config.role === 'gateway'
      ? {}
      : { api: `${control}/api/v1`, openapi: `${control}/openapi.json` }),
    ...(config.metrics.enabled ? { metrics: `${control}/metrics` } : {}),
    ...(listeners.more && listeners.more.length > 0
      ? { more: Object.fromEntries(listeners.more.map(toNamedUrl)) }
      : {}),
    ...(listeners.dialects && listeners.dialects.length > 0
      ? { dialects: Object.fromEntries(listeners.dialects.map(toNamedUrl)) }
      : {}),
  };
}

/** The page at `/` of the control port. */
export function describeServer(context: ServerContext): string {
  const { gateway, ...urls } = serverUrls(context);
  const lines = [
    `Portolan ${context.version}, role ${context.config.role}`,
    '',
    ...(gateway === undefined ? [] : [`gateway  ${gateway}`]),
    ...Object.entries({ ...urls.more, ...urls.dialects }).map(
      ([name, url]) => `         ${url}  (${name})`,
    ),
    ...(urls.api === undefined ? [] : [`api      ${urls.api}`, `openapi  ${urls.openapi}`]),
    ...(urls.metrics === undefined ? [] : [`metrics  ${urls.metrics}`]),
    `health   ${urls.control}/livez ${urls.control}/readyz`,
  ];
  return `${lines.join('\n')}\n`;
}

const SCHEMES: Readonly<Record<string, string>> = {
  http: 'http',
  https: 'https',
  tcp: 'tcp',
  dns: 'dns',
  grpc: 'grpc',
};

function toNamedUrl(
  listener: ListenAddress & { readonly name: string; readonly protocol: string },
): [string, string] {
  const { host, port } = listener;
  const scheme = SCHEMES[listener.protocol] ?? 'tls';
  return [listener.name, `${scheme}://${formatListenAddress({ host: reachable(host), port })}`];
}

/** A listener on every address is reached from this machine at its loopback address. */
export function reachable(host: string): string {
  return host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
}

function originOf({ host, port }: ListenAddress): string {
  return `http://${formatListenAddress({ host: reachable(host), port })}`;
}

/** Makes the body of `GET /status`. */
export function createStatusReport(
  context: ServerContext,
  parts: {
    readonly registry: () => Registry | undefined;
    readonly gateway: () => DataPlane | undefined;
  },
): () => object {
  const { clock, config, version } = context;
  const startedAtMs = clock.wallNow();
  const startedMs = clock.now();
  return () => {
    const registry = parts.registry();
    const gateway = parts.gateway();
    const reasons = context.readiness.reasons();
    return {
      version,
      role: config.role,
      ready: reasons.length === 0,
      reasons,
      startedAt: new Date(startedAtMs).toISOString(),
      uptimeMs: Math.round(clock.now() - startedMs),
      listeners: serverUrls(context),
      transport: transportInUse(),
      ...(registry
        ? {
            revision: registry.revision,
            store: { kind: 'embedded', path: context.dataDir },
            counts: countAll(registry),
          }
        : {}),
      ...(gateway ? { gateway: gateway.stats() } : {}),
      ...(gateway?.workers ? { workers: gateway.workers() } : {}),
    };
  };
}

function countAll(registry: Registry): object {
  const services = registry.services();
  const sum = (of: (service: ServiceSummary) => number): number =>
    services.reduce((total, service) => total + of(service), 0);
  return {
    namespaces: registry.namespaces().length,
    services: services.length,
    instances: sum((service) => service.instances),
    routable: sum((service) => service.routable),
    protectedServices: sum((service) => Number(service.protected)),
    routes: registry.routes().length,
    webhooks: registry.webhooks.list().length,
  };
}
