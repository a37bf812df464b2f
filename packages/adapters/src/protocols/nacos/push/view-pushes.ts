import {
  type Clock,
  type Registry,
  type ServiceKey,
  serviceId,
  type TimerHandle,
} from '@portolan/core';

/** Tells of changed services, several changes at a time. */
export interface ViewPushes {
  /** Calls `listener` some time after the service changed; returns the function that ends it. */
  subscribe(key: ServiceKey, listener: () => void): () => void;
  close(): void;
}

interface Watched {
  readonly listeners: Set<() => void>;
  readonly unsubscribe: () => void;
  timer: TimerHandle | undefined;
}

/** One subscription a service, however many listen; changes within `delayMs` are told once, as Nacos merges its pushes. */
export function createViewPushes(
  { delayMs }: { readonly delayMs: number },
  { registry, clock }: { readonly registry: Registry; readonly clock: Clock },
): ViewPushes {
  const watched = new Map<string, Watched>();

  function watch(id: string, key: ServiceKey): Watched {
    const entry: Watched = {
      listeners: new Set(),
      timer: undefined,
      unsubscribe: registry.subscribeService(key, () => {
        entry.timer ??= clock.setTimer(delayMs, () => {
          entry.timer = undefined;
          for (const listener of [...entry.listeners]) listener();
        });
      }),
    };
    watched.set(id, entry);
    return entry;
  }

  function end(id: string, entry: Watched): void {
    entry.unsubscribe();
    entry.timer?.cancel();
    watched.delete(id);
  }

  return {
    subscribe(key, listener) {
      const id = serviceId(key);
      const entry = watched.get(id) ?? watch(id, key);
      // A listener of its own for each subscription, also when the same function comes twice.
      const own = () => listener();
      entry.listeners.add(own);
      return () => {
        entry.listeners.delete(own);
        if (entry.listeners.size === 0 && watched.get(id) === entry) end(id, entry);
      };
    },
    close() {
      for (const [id, entry] of watched) end(id, entry);
    },
  };
}
