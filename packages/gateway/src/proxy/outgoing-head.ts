import type { RequestHead } from '@portolan/http';
import { rewritePath } from '../routing/rewrite-path.ts';
import type { OutgoingHead } from './attempt.ts';
import type { FoundRoute } from './proxy-context.ts';
import { type ForwardingContext, toRequestLines } from './request-headers.ts';

/** What `toOutgoingHead` needs of the exchange; the rest of the forwarding context follows from head and route. */
export type HeadContext = Omit<ForwardingContext, 'host' | 'prefix' | 'upgrade'>;

/**
 * The head to send upstream; `target` is canonical, and its first `pathLength` characters are the path. Undefined when the
 * route's rewrite makes no path of it.
 */
export function toOutgoingHead(
  head: RequestHead,
  target: string,
  pathLength: number,
  found: FoundRoute,
  context: HeadContext,
): OutgoingHead | undefined {
  const { route, matchedPath, rewritePrefix } = found;
  const upgrade = head.upgrade?.toLowerCase() === 'h2c' ? undefined : head.upgrade;
  let outgoing = target;
  if (rewritePrefix !== undefined) {
    outgoing =
      rewritePath(target.slice(0, pathLength), matchedPath, rewritePrefix) +
      target.slice(pathLength);
  } else if (route.rewritePath !== undefined) {
    const path = route.rewritePath(target.slice(0, pathLength));
    if (path === undefined) return undefined;
    outgoing = path + target.slice(pathLength);
  }
  return {
    method: head.method,
    target: outgoing,
    framing: head.framing,
    upgrade,
    lines: toRequestLines(head, {
      peer: context.peer,
      requestId: context.requestId,
      keepsRequestId: context.keepsRequestId,
      port: context.port,
      secure: context.secure,
      protocol: context.protocol,
      clientCertificate: context.clientCertificate,
      maxForwards: context.maxForwards,
      host: route.rewriteHost ?? head.host,
      prefix: rewritePrefix === undefined ? '' : matchedPath,
      upgrade: upgrade !== undefined,
    }),
  };
}
