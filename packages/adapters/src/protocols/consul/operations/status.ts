import type { HttpRoute } from '@portolan/core';
import type { ConsulContext } from '../consul-context.ts';
import { jsonReply } from '../json-reply.ts';
import { get } from './consul-route.ts';

/** Consul's port between servers: nothing listens there, clients only ask whether there is a leader. */
const SERVER_PORT = 8_300;

/** `/v1/status/…`. */
export function statusRoutes(context: ConsulContext): HttpRoute[] {
  const host = context.advertise.includes(':') ? `[${context.advertise}]` : context.advertise;
  const leader = `${host}:${SERVER_PORT}`;
  return [
    get('/status/leader', ({ query }) => jsonReply(leader, query.has('pretty'))),
    get('/status/peers', ({ query }) => jsonReply([leader], query.has('pretty'))),
  ];
}
