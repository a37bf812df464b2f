import type { RequestHead } from '@portolan/http';
import type { OutgoingHead } from './attempt.ts';
import type { FoundRoute } from './proxy-context.ts';
import { type ForwardingContext, rewritePath, toRequestLines } from './request-headers.ts';

/** The head to send upstream; `target` is canonical, and its first `pathLength` characters are the path. */
export function toOutgoingHead(
  head: RequestHead,
  target: string,
  pathLength: number,
  found: FoundRoute,
  context: Pick<
    ForwardingContext,
    'peer' | 'requestId' | 'keepsRequestId' | 'port' | 'maxForwards'
  >,
): OutgoingHead {
  const { route, matchedPath, rewritePrefix } = found;
  const upgrade = head.upgrade?.toLowerCase() === 'h2c' ? undefined : head.upgrade;
  return {
    method: head.method,
    target:
      rewritePrefix === undefined
        ? target
        : rewritePath(target.slice(0, pathLength), matchedPath, rewritePrefix) +
          target.slice(pathLength),
    framing: head.framing,
    upgrade,
    lines: toRequestLines(head, {
      ...context,
      host: route.rewriteHost ?? head.host,
      prefix: rewritePrefix === undefined ? '' : matchedPath,
      upgrade: upgrade !== undefined,
    }),
  };
}
