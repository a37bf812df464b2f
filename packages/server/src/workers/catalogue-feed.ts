import {
  type CatalogueReader,
  type ServiceView,
  type StoredRoute,
  type StoredTrafficPolicy,
  serviceId,
  toServiceView,
} from '@portolan/core';
import type { CataloguePart } from './worker-messages.ts';

/** Feeds one worker with the catalogue. */
export interface CatalogueFeed {
  /** The worker took the last part. */
  took(): void;
  end(): void;
}

/** Instances in one part: what a message costs to write and read must not stop the loop. */
const PART_INSTANCES = 1_000;

/**
 * Sends the present state and then each change, one part at a time: while a worker has not taken one, changes wait as one
 * reference a service, so that a slow worker gets newer views and fewer of them.
 */
export function createCatalogueFeed(
  catalogue: CatalogueReader,
  send: (part: CataloguePart) => void,
): CatalogueFeed {
  const waiting = new Map<string, ServiceView>();
  let routes: readonly StoredRoute[] | undefined = catalogue.routes();
  let policies: readonly StoredTrafficPolicy[] | undefined = catalogue.policies();
  /** Services of the opening state that are still to be sent. */
  let opening: Set<string> | undefined;
  let revision = catalogue.revision;
  let isUnderWay = false;
  let ended = false;

  for (const { service } of catalogue.services()) {
    const view = catalogue.view(service);
    if (view) waiting.set(serviceId(service), view);
  }
  opening = new Set(waiting.keys());
  const unsubscribe = catalogue.subscribe((update) => {
    revision = update.revision;
    for (const view of update.views) waiting.set(serviceId(view.service), view);
    routes = update.routes ?? routes;
    policies = update.policies ?? policies;
    next();
  });
  next();

  function next(): void {
    const hasNews =
      waiting.size > 0 || routes !== undefined || policies !== undefined || opening !== undefined;
    if (isUnderWay || ended || !hasNews) return;
    const views: ServiceView[] = [];
    let instances = 0;
    for (const [id, view] of waiting) {
      waiting.delete(id);
      opening?.delete(id);
      views.push(toServiceView(view.service, view.revision, view.instances, view));
      instances += view.count;
      if (instances >= PART_INSTANCES) break;
    }
    // Routes come with the last part of the opening state, so that none leads to what is not known yet.
    const isLast = opening === undefined || opening.size === 0;
    const update = {
      revision,
      views,
      ...(isLast && routes !== undefined ? { routes } : {}),
      ...(isLast && policies !== undefined ? { policies } : {}),
    };
    if (isLast) {
      routes = undefined;
      policies = undefined;
      opening = undefined;
    }
    isUnderWay = true;
    send({ update, complete: isLast });
  }

  return {
    took() {
      isUnderWay = false;
      next();
    },
    end() {
      ended = true;
      unsubscribe();
      waiting.clear();
    },
  };
}
