import {
  type Registry,
  type Revision,
  type ServiceKey,
  type ServiceView,
  serviceId,
  toServiceView,
} from '@portolan/core';
import { changedSince } from '../rest/streams/changed-since.ts';

/** What is followed: one service, a namespace, or everything. */
export type Scope = { readonly service: ServiceKey } | { readonly namespace: string | undefined };

export type Step =
  | { readonly kind: 'sync'; readonly revision: Revision; readonly full: boolean }
  | { readonly kind: 'view'; readonly view: ServiceView }
  | { readonly kind: 'ready'; readonly revision: Revision };

/** What a reader has still to be told. However slow it is, that is at most the newest view of each service that changed. */
export interface ViewFollower {
  /** The next thing to tell; undefined while there is none. */
  take(): Step | undefined;
  /** From where a reader that was told everything taken so far misses nothing. */
  resumableAt(): Revision;
  close(): void;
}

interface Pending {
  /** Revision of the oldest change that was not told. */
  readonly since: Revision;
  readonly view: ServiceView;
}

/** Follows the views from `from` on (0: the present state first); `wake` is called when there is something to take again. */
export function followViews(
  registry: Registry,
  scope: Scope,
  from: Revision,
  wake: () => void,
): ViewFollower {
  const start = registry.revision;
  const changed = changedSince(registry, from);
  const waiting = new Map<string, Pending>();
  let reached = start;
  let isSynced = false;
  let isReady = false;

  const isInScope = (service: ServiceKey): boolean =>
    'service' in scope
      ? serviceId(service) === serviceId(scope.service)
      : scope.namespace === undefined || service.namespace === scope.namespace;
  const present = (service: ServiceKey): ServiceView =>
    registry.view(service) ?? toServiceView(service, start, []);

  if (changed) {
    const inOrder = [...changed.services].sort((a, b) => a.since - b.since);
    for (const { service, since } of inOrder) {
      if (isInScope(service)) note(present(service), since);
    }
  } else if ('service' in scope) {
    // Also when it is not there: the reader is to know that.
    note(present(scope.service), 1);
  } else {
    for (const { service, instances } of registry.services(scope.namespace)) {
      if (instances > 0) note(present(service), 1);
    }
  }
  const opening = new Set(waiting.keys());

  const unsubscribe =
    'service' in scope
      ? registry.subscribeService(scope.service, (view) => {
          reached = Math.max(reached, view.revision);
          note(view, view.revision);
          wake();
        })
      : registry.subscribe(({ revision, views }) => {
          reached = revision;
          for (const view of views) if (isInScope(view.service)) note(view, view.revision);
          if (waiting.size > 0) wake();
        });

  function note(view: ServiceView, since: Revision): void {
    const id = serviceId(view.service);
    // Setting a key again keeps its place in line, which is that of its oldest change.
    waiting.set(id, { since: waiting.get(id)?.since ?? since, view });
  }

  return {
    take() {
      if (!isSynced) {
        isSynced = true;
        return { kind: 'sync', revision: start, full: !changed };
      }
      if (!isReady && opening.size === 0) {
        isReady = true;
        return { kind: 'ready', revision: start };
      }
      for (const [id, { view }] of waiting) {
        waiting.delete(id);
        opening.delete(id);
        return { kind: 'view', view };
      }
      return undefined;
    },
    resumableAt() {
      // Until the opening state is complete a reader knows no more than it did.
      if (!isReady) return changed ? from : 0;
      for (const { since } of waiting.values()) return since - 1;
      return reached;
    },
    close() {
      unsubscribe();
      waiting.clear();
    },
  };
}
