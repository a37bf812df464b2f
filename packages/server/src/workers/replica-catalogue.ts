import {
  type CatalogueReader,
  type CatalogueUpdate,
  emptyCatalogue,
  findCatalogueInstance,
  putCatalogueView,
  type ServiceKey,
  type ServiceView,
  serviceId,
  summariseCatalogue,
} from '@portolan/core';

/** A worker's copy of the catalogue. */
export interface ReplicaCatalogue extends CatalogueReader {
  /** Takes over what changed and tells the subscribers. */
  apply(update: CatalogueUpdate): void;
}

export function createReplicaCatalogue(): ReplicaCatalogue {
  const state = emptyCatalogue();
  const listeners = new Set<(update: CatalogueUpdate) => void>();
  return {
    get revision() {
      return state.revision;
    },
    services: (namespace) => summariseCatalogue(state, namespace),
    view: (service) => state.views.get(serviceId(service)),
    instance: (ref) => findCatalogueInstance(state, ref),
    routes: () => state.routes,
    policies: () => state.policies,
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    subscribeService(service: ServiceKey, listener: (view: ServiceView) => void) {
      const id = serviceId(service);
      const onUpdate = (update: CatalogueUpdate): void => {
        for (const view of update.views) if (serviceId(view.service) === id) listener(view);
      };
      listeners.add(onUpdate);
      return () => void listeners.delete(onUpdate);
    },
    apply(update) {
      for (const view of update.views) putCatalogueView(state, view);
      if (update.routes) state.routes = update.routes;
      if (update.policies) state.policies = update.policies;
      state.revision = Math.max(state.revision, update.revision);
      for (const listener of listeners) listener(update);
    },
  };
}
