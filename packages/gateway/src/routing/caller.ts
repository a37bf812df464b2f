import type { CallerKey } from '@portolan/core';
import type { RouteQuery } from './route-match.ts';

/** What makes this request's caller the same as another's; undefined when the request does not say. */
export function callerOf(key: CallerKey, query: RouteQuery): string | undefined {
  switch (key.kind) {
    case 'header':
      return query.header(key.name.toLowerCase());
    case 'query':
      return query.queryParameter(key.name);
    case 'source':
      return query.clientIp;
    case 'cookie':
      return cookieValue(query.header('cookie'), key.name);
  }
}

/** The first cookie of that name (RFC 6265 §5.4; names compare exactly); quotes around the value are part of it. */
export function cookieValue(header: string | undefined, name: string): string | undefined {
  if (header === undefined) return undefined;
  for (let at = 0; at < header.length; ) {
    const semicolon = header.indexOf(';', at);
    const end = semicolon < 0 ? header.length : semicolon;
    const equals = header.indexOf('=', at);
    if (equals >= 0 && equals < end && header.slice(at, equals).trim() === name) {
      return header.slice(equals + 1, end).trim();
    }
    at = end + 1;
  }
  return undefined;
}
