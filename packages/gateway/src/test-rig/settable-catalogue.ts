import {
  type CatalogueReader,
  type CatalogueUpdate,
  DEFAULT_INTENT,
  type Instance,
  type ServiceView,
  type StoredRoute,
  type StoredTrafficPolicy,
  toServiceView,
} from '@portolan/core';

/** A catalogue whose views and routes the test sets. */
export class SettableCatalogue implements CatalogueReader {
  revision = 0;
  #routes: readonly StoredRoute[] = [];
  #policies: readonly StoredTrafficPolicy[] = [];
  readonly #views = new Map<string, ServiceView>();
  readonly #listeners = new Set<(update: CatalogueUpdate) => void>();

  set(name: string, instances: readonly Instance[]): void {
    const service = { namespace: 'default', group: 'default', name };
    const view = toServiceView(service, ++this.revision, instances);
    this.#views.set(name, view);
    for (const listener of this.#listeners) listener({ revision: this.revision, views: [view] });
  }

  setRoutes(routes: readonly StoredRoute[]): void {
    this.#routes = routes;
    const update = { revision: ++this.revision, views: [], routes };
    for (const listener of this.#listeners) listener(update);
  }

  services() {
    return [...this.#views.values()].map((view) => ({
      service: view.service,
      revision: view.revision,
      instances: view.instances.length,
      routable: view.instances.length,
      protected: false,
      exclusive: false,
    }));
  }
  view(service: { name: string }) {
    return this.#views.get(service.name);
  }
  instance() {
    return undefined;
  }
  routes() {
    return this.#routes;
  }
  policies() {
    return this.#policies;
  }
  setPolicies(policies: readonly StoredTrafficPolicy[]): void {
    this.#policies = policies;
    const update = { revision: ++this.revision, views: [], policies };
    for (const listener of this.#listeners) listener(update);
  }
  subscribe(listener: (update: CatalogueUpdate) => void) {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
  subscribeService() {
    return () => undefined;
  }
}

export function anInstance(port: number, over: Partial<Instance> = {}): Instance {
  return {
    id: `i-${port}`,
    service: { namespace: 'default', group: 'default', name: 'web' },
    address: '127.0.0.1',
    port,
    tags: [],
    metadata: {},
    labels: {},
    weight: 100,
    effectiveWeight: 100,
    checks: [],
    initialStatus: 'passing',
    registeredAtMs: 0,
    status: 'passing',
    statusReason: '',
    intent: DEFAULT_INTENT,
    routable: true,
    protected: false,
    createRevision: 1,
    modifyRevision: 1,
    ...over,
  };
}

export function aRoute(over: Partial<StoredRoute> & { name: string }): StoredRoute {
  return {
    namespace: 'default',
    hosts: [],
    matches: [],
    destinations: [
      { service: 'web', namespace: 'default', group: 'default', subset: {}, weight: 1 },
    ],
    createRevision: 1,
    modifyRevision: 1,
    ...over,
  };
}
