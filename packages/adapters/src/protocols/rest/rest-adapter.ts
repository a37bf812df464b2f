import {
  type ControlReply,
  type ControlRequest,
  type HttpProtocolAdapter,
  type HttpRoute,
  isRegistryError,
} from '@portolan/core';
import { type AgentTimes, DEFAULT_AGENT_TIMES } from '../agent/agent-connection.ts';
import { createWatcherBudget } from '../watching/watcher-budget.ts';
import { jsonReply } from './json-reply.ts';
import { toOpenApiDocument } from './openapi/openapi-document.ts';
import type { Operation, RestContext, RestDeps } from './operation.ts';
import { agentOperations } from './operations/agent.ts';
import { applyOperations } from './operations/apply.ts';
import { containerOperations } from './operations/containers.ts';
import { eventOperations } from './operations/events.ts';
import { heartbeatOperations } from './operations/heartbeats.ts';
import { instanceOperations } from './operations/instances.ts';
import { intentOperations } from './operations/intents.ts';
import { namespaceOperations } from './operations/namespaces.ts';
import { policyOperations } from './operations/policies.ts';
import { routeExplanationOperations } from './operations/route-explanations.ts';
import { routeOperations } from './operations/routes.ts';
import { serviceSettingsOperations } from './operations/service-settings.ts';
import { serviceOperations } from './operations/services.ts';
import { snapshotOperations } from './operations/snapshots.ts';
import { webhookOperations } from './operations/webhooks.ts';
import { toProblemReply } from './problem-reply.ts';
import { checkQuery } from './query.ts';
import { createLoopTurns } from './streams/loop-turns.ts';
import { createViewFrames } from './streams/view-frames.ts';

export interface RestAdapterOptions {
  /** Shown in the API document. */
  readonly version: string;
  /** Streams and waiting long polls at a time; default 20,000. */
  readonly maxWatchers?: number;
  /** Streams carry a comment after this long in silence; default 15 s. */
  readonly streamHeartbeatMs?: number;
  /** An event stream ends when more than this waits for its reader; default 1 MiB. */
  readonly streamBacklogBytes?: number;
  /** Pings and time-outs of the agent protocol. */
  readonly agentTimes?: Partial<AgentTimes>;
  /** Serialised views kept for the next reader; default 32 MiB. */
  readonly viewCacheBytes?: number;
}

export const REST_BASE = '/api/v1';
const MEBIBYTE = 1_024 * 1_024;

/** The native HTTP API (docs/decisions/0002-native-api.md): functions from request to reply, without a socket. */
export function createRestAdapter(
  options: RestAdapterOptions,
  deps: RestDeps,
): HttpProtocolAdapter {
  const context: RestContext = {
    ...deps,
    watchers: createWatcherBudget(options.maxWatchers ?? 20_000),
    frames: createViewFrames(options.viewCacheBytes ?? 32 * MEBIBYTE),
    turns: createLoopTurns(),
    streamHeartbeatMs: options.streamHeartbeatMs ?? 15_000,
    streamBacklogBytes: options.streamBacklogBytes ?? MEBIBYTE,
  };
  const operations = [
    ...instanceOperations(context),
    ...heartbeatOperations(context),
    ...agentOperations(deps, { ...DEFAULT_AGENT_TIMES, ...options.agentTimes }),
    ...intentOperations(context),
    ...serviceOperations(context),
    ...serviceSettingsOperations(context),
    ...eventOperations(context),
    ...routeOperations(context),
    ...policyOperations(context),
    ...applyOperations(context),
    ...routeExplanationOperations(context),
    ...containerOperations(context),
    ...namespaceOperations(context),
    ...webhookOperations(context),
    ...(deps.snapshot ? snapshotOperations(deps.snapshot) : []),
  ];
  const routes: HttpRoute[] = operations.flatMap(toRoutes);
  let document: ControlReply | undefined;
  routes.push({
    method: 'GET',
    path: '/openapi.json',
    handle(request) {
      checkQuery(request.query, {});
      document ??= jsonReply(
        toOpenApiDocument(operations, { base: REST_BASE, version: options.version }),
      );
      return document;
    },
  });
  return {
    transport: 'http',
    name: 'rest',
    prefixes: [REST_BASE, '/register', '/heartbeat', '/openapi.json'],
    routes,
    renderError: (error, request) =>
      toProblemReply(error, request.requestId, upgradeHeader(error, request.path, routes)),
  };
}

function toRoutes(operation: Operation): HttpRoute[] {
  const { query = {}, body, method, admission, upgrade } = operation;
  const paths = [`${REST_BASE}${operation.path}`];
  if (operation.alias !== undefined) paths.push(operation.alias);
  return paths.map((path) => ({
    method,
    path,
    ...(body?.limitBytes === undefined ? undefined : { bodyLimitBytes: body.limitBytes }),
    ...(admission === undefined ? undefined : { admission }),
    ...(upgrade === undefined ? undefined : { upgrade }),
    handle(request: ControlRequest, params) {
      checkQuery(request.query, query);
      return operation.handle({ request, params });
    },
  }));
}

/** RFC 9110 §15.5.22: a 426 says which protocols the path is spoken to by. */
function upgradeHeader(
  error: unknown,
  path: string,
  routes: readonly HttpRoute[],
): Record<string, string> {
  if (!isRegistryError(error) || error.code !== 'UPGRADE_REQUIRED') return {};
  const protocols = routes.find((route) => route.path === path)?.upgrade?.protocols ?? [];
  return protocols.length === 0 ? {} : { upgrade: protocols.join(', '), connection: 'upgrade' };
}
