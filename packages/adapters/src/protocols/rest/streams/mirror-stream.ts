import {
  type CatalogueUpdate,
  type ControlReply,
  type Revision,
  type ServiceView,
  type StoredRoute,
  type StoredTrafficPolicy,
  serviceId,
  toServiceView,
} from '@portolan/core';
import { toRouteJson } from '../codecs/route-json.ts';
import type { RestContext } from '../operation.ts';
import { changedSince } from './changed-since.ts';
import { createSseBody, SSE_HEADERS, sseEvent } from './sse-body.ts';

export interface MirrorStreamOptions {
  /** The mirror knows everything up to here; absent: nothing. */
  readonly from: Revision | undefined;
  /** Absent: all namespaces. */
  readonly namespace: string | undefined;
  readonly signal: AbortSignal;
}

/** Something the reader has not got yet. `since` is the revision of its oldest change that was not sent. */
type Pending = { readonly since: Revision } & (
  | { readonly view: ServiceView }
  | { readonly routes: readonly StoredRoute[] }
  | { readonly policies: readonly StoredTrafficPolicy[] }
);

const ROUTES = 'routes';
const POLICIES = 'policies';

/**
 * Everything a mirror of the catalogue needs: the present state or what changed since `from`, then each change. What
 * waits for a slow reader is one reference per changed service, so that no reader can be outrun: it gets newer
 * views, and fewer of them.
 *
 * An event's id is where a reader may resume without missing anything: below the oldest change still waiting. During a
 * full state it is 0.
 */
export function streamMirror(context: RestContext, options: MirrorStreamOptions): ControlReply {
  const { registry, frames } = context;
  const { from, namespace, signal } = options;
  const leave = context.watchers.enter();
  const waiting = new Map<string, Pending>();
  const start = registry.revision;
  const changed = changedSince(registry, from);
  let reached = start;
  /** Entries of the opening state that are still to be sent; `ready` follows the last. */
  let opening: Set<string> | undefined;
  const ready: (string | Uint8Array)[] = [
    sseEvent(
      'sync',
      changed ? (from ?? 0) : 0,
      JSON.stringify({ revision: start, full: !changed }),
    ),
  ];

  const present =
    changed?.services ?? registry.services().map(({ service }) => ({ service, since: 1 }));
  for (const { service, since } of present) {
    if (namespace !== undefined && service.namespace !== namespace) continue;
    const view = registry.view(service) ?? toServiceView(service, start, []);
    if (!changed && view.count === 0) continue;
    waiting.set(serviceId(service), { since, view });
  }
  const routesSince = changed ? changed.routesSince : 1;
  if (routesSince !== undefined) {
    waiting.set(ROUTES, { since: routesSince, routes: registry.routes() });
  }
  const policiesSince = changed ? changed.policiesSince : 1;
  if (policiesSince !== undefined) {
    waiting.set(POLICIES, { since: policiesSince, policies: registry.policies() });
  }
  if (changed) sortBySince(waiting);
  opening = new Set(waiting.keys());

  const unsubscribe = registry.subscribe((update) => {
    note(update);
    body.wake();
  });

  function note(update: CatalogueUpdate): void {
    reached = update.revision;
    for (const view of update.views) {
      if (namespace !== undefined && view.service.namespace !== namespace) continue;
      const key = serviceId(view.service);
      // Setting a key again keeps its place in line.
      waiting.set(key, { since: waiting.get(key)?.since ?? view.revision, view });
    }
    if (update.routes) {
      const since = waiting.get(ROUTES)?.since ?? update.revision;
      waiting.set(ROUTES, { since, routes: update.routes });
    }
    if (update.policies) {
      const since = waiting.get(POLICIES)?.since ?? update.revision;
      waiting.set(POLICIES, { since, policies: update.policies });
    }
  }

  const body = createSseBody(
    {
      take() {
        const part = ready.shift();
        if (part !== undefined) return part;
        if (opening?.size === 0) {
          opening = undefined;
          return sseEvent('ready', resumableAt(), JSON.stringify({ revision: start }));
        }
        const next = waiting.entries().next().value;
        if (next === undefined) return undefined;
        const [key, pending] = next;
        waiting.delete(key);
        opening?.delete(key);
        if ('view' in pending) {
          const [first = '', ...others] = frames.event(pending.view, resumableAt());
          ready.push(...others);
          return first;
        }
        if ('policies' in pending) {
          const policies = pending.policies.filter(isInScope);
          return sseEvent('policies', resumableAt(), JSON.stringify({ policies }));
        }
        const routes = pending.routes.filter(isInScope).map(toRouteJson);
        return sseEvent('routes', resumableAt(), JSON.stringify({ routes }));
      },
      close() {
        unsubscribe();
        waiting.clear();
        leave();
      },
    },
    { clock: context.clock, signal, heartbeatMs: context.streamHeartbeatMs },
  );

  function isInScope(document: { readonly namespace: string }): boolean {
    return namespace === undefined || document.namespace === namespace;
  }

  function resumableAt(): Revision {
    const oldest = waiting.values().next().value;
    return oldest ? oldest.since - 1 : reached;
  }
  return { status: 200, headers: SSE_HEADERS, body };
}

/** Puts the entries in the order of their oldest change. */
function sortBySince(waiting: Map<string, Pending>): void {
  const sorted = [...waiting].sort(([, a], [, b]) => a.since - b.since);
  waiting.clear();
  for (const [key, pending] of sorted) waiting.set(key, pending);
}
