import {
  type CatalogueReader,
  type CatalogueUpdate,
  DEFAULT_INTENT,
  type Instance,
  type ServiceView,
  serviceId,
  toLabels,
  toServiceView,
} from '@portolan/core';

/** A routable instance of `web` at 10.0.0.1:80, unless told otherwise. */
export function anInstance(given: Partial<Instance> = {}): Instance {
  const { address = '10.0.0.1', port = 80, tags = [], metadata = {}, weight = 100 } = given;
  return {
    id: `web-${address}-${port}`,
    service: { namespace: 'default', group: 'default', name: 'web' },
    address,
    port,
    tags,
    metadata,
    weight,
    checks: [],
    initialStatus: 'passing',
    registeredAtMs: 0,
    labels: toLabels(tags, metadata),
    status: 'passing',
    statusReason: 'as registered',
    intent: DEFAULT_INTENT,
    effectiveWeight: weight,
    routable: true,
    protected: false,
    createRevision: 1,
    modifyRevision: 1,
    ...given,
  };
}

export interface FixedCatalogue extends CatalogueReader {
  /** Replaces the views of the services that the instances belong to, and tells subscribers. */
  hold(...instances: readonly Instance[]): void;
  remove(instance: Instance): void;
  readonly subscribers: number;
}

/** A catalogue that holds what a test puts there. */
export function fixedCatalogue(...instances: readonly Instance[]): FixedCatalogue {
  const views = new Map<string, ServiceView>();
  const listeners = new Set<(update: CatalogueUpdate) => void>();
  let revision = 7;
  const set = (changed: readonly ServiceView[]): void => {
    revision += 1;
    for (const view of changed) views.set(serviceId(view.service), view);
    for (const listener of listeners) listener({ revision, views: changed });
  };
  const catalogue: FixedCatalogue = {
    get revision() {
      return revision;
    },
    get subscribers() {
      return listeners.size;
    },
    hold(...held) {
      const services = new Map(held.map(({ service }) => [serviceId(service), service]));
      set(
        [...services].map(([id, service]) =>
          toServiceView(
            service,
            revision,
            held.filter((each) => serviceId(each.service) === id),
          ),
        ),
      );
    },
    remove({ service, id }) {
      const before = views.get(serviceId(service))?.instances ?? [];
      set([
        toServiceView(
          service,
          revision,
          before.filter((each) => each.id !== id),
        ),
      ]);
    },
    services: () =>
      [...views.values()].map((view) => ({
        service: view.service,
        revision: view.revision,
        instances: view.count,
        routable: view.instances.filter(({ routable }) => routable).length,
        protected: false,
        exclusive: false,
      })),
    view: (service) => views.get(serviceId(service)),
    instance: ({ id }) =>
      [...views.values()].flatMap((view) => view.instances).find((each) => each.id === id),
    routes: () => [],
    policies: () => [],
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    subscribeService: () => () => undefined,
  };
  catalogue.hold(...instances);
  return catalogue;
}
