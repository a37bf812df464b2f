import type { SessionAffinity } from '@portolan/core';
import { cookieValue } from '../routing/caller.ts';
import type { RouteQuery } from '../routing/route-match.ts';
import type { Cluster } from '../upstream/cluster.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { UpstreamEndpoint } from '../upstream/upstream-endpoint.ts';
import { requestLimit } from './choose-endpoint.ts';
import type { ProxyContext } from './proxy-context.ts';

interface Target {
  readonly cluster: Cluster;
  readonly upstream: Upstream;
}

/** The endpoint that the caller's cookie names, if it takes requests; a cookie that was tampered with names none. */
export function keptEndpoint(
  affinity: SessionAffinity,
  { cluster, upstream }: Target,
  query: RouteQuery,
  context: ProxyContext,
): UpstreamEndpoint | undefined {
  const token = cookieValue(query.header('cookie'), affinity.cookie);
  if (token === undefined || token.length !== 32) return undefined;
  const limit = requestLimit(cluster, context.limits);
  return cluster.endpoints.find(
    (endpoint) =>
      context.sessions.tokenOf(upstream.id, endpoint) === token &&
      endpoint.active < limit &&
      context.mayDial(endpoint),
  );
}

/** The Set-Cookie line that keeps a caller with the endpoint that answered; empty where it says so already. */
export function sessionCookieLine(
  { cluster, upstream }: Target,
  endpoint: UpstreamEndpoint | undefined,
  query: RouteQuery,
  context: ProxyContext,
): string {
  const { affinity } = cluster;
  if (affinity === undefined || endpoint === undefined) return '';
  const token = context.sessions.tokenOf(upstream.id, endpoint);
  if (cookieValue(query.header('cookie'), affinity.cookie) === token) return '';
  return cookieLine(affinity.cookie, token, { ...affinity, secure: query.secure });
}

/** A cookie that only the gateway reads. `ttlMs` 0: for the browser's session. */
export function cookieLine(
  name: string,
  value: string,
  cookie: {
    readonly ttlMs: number;
    readonly path?: string;
    readonly sameSite?: 'strict' | 'lax' | 'none';
    readonly secure: boolean;
  },
): string {
  const lasting = cookie.ttlMs === 0 ? '' : `; Max-Age=${Math.ceil(cookie.ttlMs / 1_000)}`;
  const sameSite = { strict: 'Strict', lax: 'Lax', none: 'None' }[cookie.sameSite ?? 'lax'];
  const secure = cookie.secure ? '; Secure' : '';
  const path = cookie.path ?? '/';
  return `Set-Cookie: ${name}=${value}; Path=${path}${lasting}; HttpOnly; SameSite=${sameSite}${secure}\r\n`;
}
