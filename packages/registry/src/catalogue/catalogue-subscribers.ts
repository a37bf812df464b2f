import type { CatalogueUpdate, Logger, ServiceView } from '@portolan/core';

type ServiceListener = (view: ServiceView) => void;

/** Who is told of changes: everybody of everything, or one service's watchers of that service. */
export class CatalogueSubscribers {
  readonly #logger: Logger;
  readonly #all = new Set<(update: CatalogueUpdate) => void>();
  readonly #byService = new Map<string, Set<ServiceListener>>();
  #serviceCount = 0;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  get count(): number {
    return this.#all.size + this.#serviceCount;
  }

  add(listener: (update: CatalogueUpdate) => void): () => void {
    // Wrapped, so that the same function given twice is two subscriptions.
    const own = (update: CatalogueUpdate) => listener(update);
    this.#all.add(own);
    return () => void this.#all.delete(own);
  }

  addForService(id: string, listener: ServiceListener): () => void {
    const own = (view: ServiceView) => listener(view);
    const listeners = this.#byService.get(id) ?? new Set();
    this.#byService.set(id, listeners);
    listeners.add(own);
    this.#serviceCount++;
    return () => {
      if (!listeners.delete(own)) return;
      this.#serviceCount--;
      if (listeners.size === 0 && this.#byService.get(id) === listeners) this.#byService.delete(id);
    };
  }

  notify(update: CatalogueUpdate, serviceIds: readonly string[]): void {
    for (const listener of this.#all) this.#call(() => listener(update));
    if (this.#byService.size === 0) return;
    for (let at = 0; at < update.views.length; at++) {
      const view = update.views[at] as ServiceView;
      const listeners = this.#byService.get(serviceIds[at] ?? '');
      if (listeners) for (const listener of listeners) this.#call(() => listener(view));
    }
  }

  clear(): void {
    this.#all.clear();
    this.#byService.clear();
    this.#serviceCount = 0;
  }

  #call(listener: () => void): void {
    try {
      listener();
    } catch (error) {
      this.#logger.error({ err: error }, 'a catalogue listener threw');
    }
  }
}
