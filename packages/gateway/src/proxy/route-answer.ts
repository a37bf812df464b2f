import type { ServerExchange } from '@portolan/http';
import { redirectLocation } from '../routing/redirect-location.ts';
import { editLines } from './header-edits.ts';
import type { FoundRoute } from './proxy-context.ts';
import type { OwnAnswer } from './refusal.ts';

/** What a route answers without any upstream: a redirect, or what it says itself; undefined for one that forwards. */
export function routeAnswer(
  { route, matchedPath }: FoundRoute,
  { head, secure }: Pick<ServerExchange, 'head' | 'secure'>,
  path: string,
  query: string,
): (OwnAnswer & { readonly status: number }) | undefined {
  if (route.redirect) {
    const { host, hostName } = head;
    const request = { secure, host, hostName, path, matchedPath, query };
    const location = `Location: ${redirectLocation(route.redirect, request)}\r\n`;
    const lines = editLines(location, route.responseEdit);
    return { status: route.redirect.status, lines, body: undefined };
  }
  if (!route.answer) return undefined;
  const { status, body = '', contentType = 'text/plain; charset=utf-8' } = route.answer;
  const typed = body === '' ? '' : `Content-Type: ${contentType}\r\n`;
  return { status, lines: editLines(typed, route.responseEdit), body: Buffer.from(body) };
}
