import type { ControlRequest, HttpRoute } from '@portolan/core';
import type { ConsulContext } from '../consul-context.ts';
import { BLOCKED, ConsulError, textReply } from '../consul-error.ts';
import { answerWhenNew, watchNothing } from '../query/blocking-query.ts';
import { readOptions } from '../query/request-options.ts';

/** What Consul has and this server has not: told in Consul's way, as if its agent were configured to block them. */
const BLOCKED_BELOW = [
  'acl',
  'agent/connect',
  'agent/force-leave',
  'agent/join',
  'agent/token',
  'config',
  'connect',
  'coordinate',
  'discovery-chain',
  'event',
  'exported-services',
  'internal',
  'operator',
  'peering',
  'peerings',
  'query',
  'session',
  'snapshot',
  'txn',
];
const BLOCKED_AT = [
  'agent/host',
  'agent/leave',
  'agent/monitor',
  'agent/reload',
  'peering',
  'peerings',
  'query',
  'snapshot',
  'txn',
  'config',
];
const METHODS = ['GET', 'PUT', 'POST', 'DELETE'] as const;

/** Endpoints that exist in Consul and do nothing here. */
export function absentRoutes(context: ConsulContext): HttpRoute[] {
  const blocked = (): never => {
    throw new ConsulError(403, BLOCKED, 'PATH_NOT_FOUND');
  };
  const paths = [
    ...BLOCKED_AT.map((path) => `/v1/${path}`),
    ...BLOCKED_BELOW.map((path) => `/v1/${path}/*`),
  ];
  return [
    ...METHODS.flatMap((method) => paths.map((path) => ({ method, path, handle: blocked }))),
    { method: 'GET', path: '/v1/kv/*', handle: (request) => readKey(context, request) },
    ...(['PUT', 'DELETE'] as const).map((method) => ({
      method,
      path: '/v1/kv/*',
      handle: blocked,
    })),
  ];
}

/** No key exists. Clients that watch one wait for it as they would for a key that never comes. */
function readKey(context: ConsulContext, request: ControlRequest) {
  const options = readOptions(request, context.datacenter);
  return answerWhenNew(context, request, options, watchNothing(context), () => textReply(404, ''));
}
