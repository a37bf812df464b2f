import {
  type ControlReply,
  type ControlRequest,
  type HttpProtocolAdapter,
  type HttpRoute,
  isRegistryError,
} from '@portolan/core';
import { createWatcherBudget } from '../watching/watcher-budget.ts';
import type { ConsulAdapterOptions, ConsulContext, ConsulDeps } from './consul-context.ts';
import { textReply, toErrorReply } from './consul-error.ts';
import { createKeyedTurns } from './keyed-turns.ts';
import { absentRoutes } from './operations/absent.ts';
import { agentCheckRoutes } from './operations/agent-checks.ts';
import { agentInfoRoutes } from './operations/agent-info.ts';
import { agentServiceByIdRoutes } from './operations/agent-service.ts';
import { agentServiceRoutes } from './operations/agent-services.ts';
import { catalogRoutes } from './operations/catalog.ts';
import { catalogWriteRoutes } from './operations/catalog-writes.ts';
import { createCheckIndex } from './operations/check-ids.ts';
import { healthRoutes } from './operations/health.ts';
import { statusRoutes } from './operations/status.ts';
import { createCatalogueIndexes } from './query/catalogue-indexes.ts';
import { createReplyCache } from './query/reply-cache.ts';

const MEBIBYTE = 1_024 * 1_024;

/** Consul's HTTP API v1 (docs/decisions/0009-consul-dialect.md): functions from request to reply, without a socket. */
export function createConsulAdapter(
  options: ConsulAdapterOptions,
  deps: ConsulDeps,
): HttpProtocolAdapter {
  const { registry, clock } = deps;
  const turn = (): Promise<void> =>
    new Promise((resolve) => {
      clock.setTimer(0, resolve);
    });
  const context: ConsulContext = {
    ...deps,
    version: options.version,
    datacenter: options.datacenter ?? 'dc1',
    nodeName: options.nodeName ?? 'portolan',
    advertise: options.advertise ?? '127.0.0.1',
    watchers: createWatcherBudget(options.maxWatchers ?? 20_000),
    indexes: createCatalogueIndexes(registry, clock, turn),
    turn,
    replies: createReplyCache(options.replyCacheBytes ?? 32 * MEBIBYTE, clock),
    alone: createKeyedTurns(),
  };
  const routes: readonly HttpRoute[] = [
    ...agentServiceRoutes(context),
    ...agentServiceByIdRoutes(context),
    ...agentCheckRoutes(context, createCheckIndex(registry)),
    ...agentInfoRoutes(context),
    ...catalogRoutes(context),
    ...catalogWriteRoutes(context),
    ...healthRoutes(context),
    ...statusRoutes(context),
    ...absentRoutes(context),
  ];
  return {
    transport: 'http',
    name: 'consul',
    prefixes: ['/v1'],
    routes,
    renderError: (error, request) => toReply(error, request, routes),
  };
}

function toReply(
  error: unknown,
  request: Pick<ControlRequest, 'method' | 'path' | 'requestId'>,
  routes: readonly HttpRoute[],
): ControlReply {
  if (!isRegistryError(error) || error.code !== 'METHOD_NOT_ALLOWED') {
    return toErrorReply(error, request.requestId);
  }
  const segments = request.path.split('/');
  const methods = routes.filter(({ path }) => matches(path, segments)).map(({ method }) => method);
  const allow = ['OPTIONS', ...new Set(methods)].join(',');
  return request.method === 'OPTIONS'
    ? textReply(200, '', { allow })
    : textReply(405, `method ${request.method} not allowed`, { allow });
}

function matches(pattern: string, segments: readonly string[]): boolean {
  const parts = pattern.split('/');
  const isOpen = parts.at(-1) === '*';
  if (isOpen ? segments.length < parts.length : segments.length !== parts.length) return false;
  return parts.every((part, at) => part === '*' || part.startsWith(':') || part === segments[at]);
}
