import type {
  CatalogueReader,
  RequestToExplain,
  RouteExplanation,
  StoredRoute,
} from '@portolan/core';
import {
  canonicalTarget,
  DEFAULT_SERVER_LIMITS,
  type HeadLimits,
  HttpProtocolError,
  isFieldValue,
  isToken,
  parseRequestHead,
  type RequestHead,
} from '@portolan/http';
import { clientAddress } from '../proxy/client-address.ts';
import { GATEWAY_ERRORS, type GatewayErrorCode } from '../proxy/gateway-errors.ts';
import { toOutgoingHead } from '../proxy/outgoing-head.ts';
import type { FoundRoute } from '../proxy/proxy-context.ts';
import type { Peer } from '../proxy/trusted-peers.ts';
import { callerOf } from '../routing/caller.ts';
import type { CompiledRoute } from '../routing/compiled-route.ts';
import { describePath, passedOver } from '../routing/passed-over.ts';
import { queryParameter } from '../routing/query-parameter.ts';
import { redirectLocation } from '../routing/redirect-location.ts';
import type { RouteQuery } from '../routing/route-match.ts';
import type { RouteTable } from '../routing/route-table.ts';
import type { UpstreamEndpoint } from '../upstream/upstream-endpoint.ts';
import { explainDestinations } from './explain-destinations.ts';

/** What an explanation looks at. */
export interface ExplainContext {
  readonly table: RouteTable<CompiledRoute>;
  readonly catalogue: CatalogueReader;
  readonly headLimits: Partial<HeadLimits>;
  readonly maxRequestsPerEndpoint: number;
  peerOf(address: string): Peer;
  findRoute(query: RouteQuery): FoundRoute | undefined;
  mayDial(endpoint: UpstreamEndpoint): boolean;
}

const PASSED_OVER_SHOWN = 50;
/** Of no consequence for where a request goes. */
const NO_PORT = 0;

/** Goes the way of a request, by the parts that real ones pass, up to where it would be sent. */
export function explainRequest(asked: RequestToExplain, context: ExplainContext): RouteExplanation {
  const secure = /^https:/i.test(asked.url);
  let head: RequestHead;
  let path: string;
  let search: string;
  try {
    head = readHead(asked, context.headLimits);
    ({ path, query: search } = canonicalTarget(head.target));
  } catch (error) {
    if (!(error instanceof HttpProtocolError)) throw error;
    const { code, status, message } = error;
    const refusal = { code, status, message };
    return { outcome: 'refused', refusal, passedOver: [], passedOverMore: 0, destinations: [] };
  }
  const peer = context.peerOf(asked.source);
  const query: RouteQuery = {
    host: head.hostName,
    path,
    method: head.method,
    secure,
    clientIp: clientAddress(peer, head, context.peerOf),
    header: (name) => head.get(name),
    queryParameter: (name) => queryParameter(search, name),
  };
  const match = context.table.find(query);
  const over = passedOver(context.table.entries, query, match);
  const begun = {
    request: {
      method: head.method,
      host: query.host,
      path,
      query: search,
      scheme: secure ? ('https' as const) : ('http' as const),
      clientIp: query.clientIp,
    },
    passedOver: over.slice(0, PASSED_OVER_SHOWN),
    passedOverMore: Math.max(0, over.length - PASSED_OVER_SHOWN),
  };
  const found = context.findRoute(query);
  if (!found) return { ...begun, ...refused('NO_ROUTE'), destinations: [] };
  const { route, matchedPath } = found;
  const named = {
    ...begun,
    route: {
      name: route.name,
      configured: match !== undefined,
      path: match ? describePath(match.path) : `prefix ${matchedPath || '/'}`,
      filters: route.filters.map((filter) => filter.name),
    },
  };
  if (route.redirect) {
    const { host, hostName } = head;
    const moved = { secure, host, hostName, path, matchedPath, query: search };
    const location = redirectLocation(route.redirect, moved);
    const redirect = { status: route.redirect.status, location };
    return { ...named, outcome: 'redirect', redirect, destinations: [] };
  }
  if (route.answer) {
    return { ...named, outcome: 'answer', answerStatus: route.answer.status, destinations: [] };
  }
  const outgoing = toOutgoingHead(head, path + search, path.length, found, {
    peer,
    requestId: '',
    keepsRequestId: true,
    port: NO_PORT,
    secure,
    protocol: 'HTTP/1.1',
    clientCertificate: undefined,
    maxForwards: undefined,
  });
  if (!outgoing) return { ...named, ...refused('REWRITE_INVALID'), destinations: [] };
  const caller = route.sticky === undefined ? undefined : callerOf(route.sticky, query);
  const destinations = explainDestinations(route, caller, storedRoute(route, context), context);
  const sending = {
    ...named,
    forwarded: { host: route.rewriteHost ?? head.host, target: outgoing.target },
    ...(route.sticky === undefined
      ? undefined
      : { sticky: { key: route.sticky, ...(caller === undefined ? undefined : { caller }) } }),
    destinations,
  };
  const taking = destinations
    .filter(({ share }) => share > 0)
    .flatMap(({ endpoints }) => endpoints);
  if (
    taking.some(({ state, share }) => state === 'ready' || (state === 'ejected' && share !== 0))
  ) {
    return { ...sending, outcome: 'forward' };
  }
  const full = taking.some(({ state }) => state === 'full');
  return { ...sending, ...refused(full ? 'UPSTREAM_OVERFLOW' : 'NO_HEALTHY_ENDPOINT') };
}

function refused(code: GatewayErrorCode): Pick<RouteExplanation, 'refusal'> & {
  readonly outcome: 'refused';
} {
  return { outcome: 'refused', refusal: { code, ...GATEWAY_ERRORS[code] } };
}

function storedRoute(
  { name }: CompiledRoute,
  { catalogue }: ExplainContext,
): StoredRoute | undefined {
  return catalogue.routes().find((stored) => `${stored.namespace}/${stored.name}` === name);
}

/** The request as it would be read from a connection, by the parser that reads those. */
function readHead(asked: RequestToExplain, limits: Partial<HeadLimits>): RequestHead {
  const { method, url, headers } = asked;
  if (!isToken(method)) throw new HttpProtocolError('METHOD_INVALID');
  if (/[^\x21-\x7e]/.test(url)) throw new HttpProtocolError('TARGET_INVALID');
  const absolute = /^https?:\/\/([^/?]*)(.*)$/i.exec(url);
  const rest = absolute?.[2] ?? url;
  const target = absolute !== null && !rest.startsWith('/') ? `/${rest}` : rest;
  let lines = '';
  let hasHost = false;
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const [name = '', value = ''] = headers.slice(at, at + 2);
    if (!isToken(name)) throw new HttpProtocolError('FIELD_NAME_INVALID');
    if (!isFieldValue(value)) throw new HttpProtocolError('CONTROL_CHARACTER');
    hasHost ||= name.toLowerCase() === 'host';
    lines += `${name}: ${value}\r\n`;
  }
  if (!hasHost && absolute !== null) lines = `Host: ${absolute[1] ?? ''}\r\n${lines}`;
  const bytes = Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines}\r\n`, 'latin1');
  const head = parseRequestHead(bytes, 0, bytes.length, { ...DEFAULT_SERVER_LIMITS, ...limits });
  if (head === undefined) throw new HttpProtocolError('HEAD_TOO_LARGE');
  return head;
}
