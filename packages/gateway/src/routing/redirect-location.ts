import type { Redirect } from '@portolan/core';
import { rewritePath } from './rewrite-path.ts';

/** What a redirect keeps where it does not say otherwise. */
export interface RedirectedRequest {
  readonly secure: boolean;
  /** As the client wrote it, with its port. */
  readonly host: string;
  /** Without port. */
  readonly hostName: string;
  readonly path: string;
  /** With its `?`; empty when there is none. */
  readonly query: string;
  /** What of the path the route matched. */
  readonly matchedPath: string;
}

/** The Location of a redirect: absolute, so that no path can be read as a host. */
export function redirectLocation(redirect: Redirect, request: RedirectedRequest): string {
  const scheme = redirect.scheme ?? (request.secure ? 'https' : 'http');
  const movesAuthority =
    redirect.scheme !== undefined || redirect.host !== undefined || redirect.port !== undefined;
  let authority = movesAuthority ? (redirect.host ?? request.hostName) : request.host;
  if (redirect.port !== undefined && redirect.port !== (scheme === 'https' ? 443 : 80)) {
    authority += `:${redirect.port}`;
  }
  const path =
    redirect.path ??
    (redirect.prefix === undefined
      ? request.path
      : rewritePath(request.path, request.matchedPath, redirect.prefix));
  // A path of its own may bring its own query.
  return `${scheme}://${authority}${path}${path.includes('?') ? '' : request.query}`;
}
