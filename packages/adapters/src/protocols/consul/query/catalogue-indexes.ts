import {
  type CatalogueUpdate,
  type Clock,
  type Registry,
  type RegistryEvent,
  type Revision,
  type ServiceKey,
  type ServiceView,
  serviceId,
  type TimerHandle,
} from '@portolan/core';

/** A service's name and its distinct tags in order. */
export interface ServiceTags {
  readonly service: ServiceKey;
  readonly tags: readonly string[];
}

/** Revisions of what spans several services, and of services that are not there. Never go backwards. */
export interface CatalogueIndexes {
  /** Of a service without instances of which the registry remembers nothing. */
  readonly absent: Revision;
  /** Of anything that depends on every instance of a namespace. */
  instances(namespace: string): Revision;
  /** Has to be done before `services` is asked; the first time it looks at every instance, in slices. */
  prepare(namespace: string): Promise<void>;
  /** Forgets a namespace that has nothing, where nobody waits for it. */
  release(namespace: string): void;
  /** The services of a namespace with their tags, and since when they are so: other changes of instances do not count. */
  services(namespace: string): {
    readonly revision: Revision;
    readonly list: Iterable<ServiceTags>;
  };
  subscribe(what: 'instances' | 'services', namespace: string, wake: () => void): () => void;
}

interface NamespaceState {
  instances: Revision;
  services: Revision;
  /** Absent until somebody asks. */
  tags: Map<string, ServiceTags> | undefined;
  prepared: Promise<void> | undefined;
  /** Services whose tags have to be looked at again. */
  readonly dirty: Map<string, ServiceKey>;
  readonly instanceWaiters: Set<() => void>;
  readonly serviceWaiters: Set<() => void>;
}

/** Changes of whole lists wake their waiters together: a burst is one answer. */
const GATHER_MS = 20;
/** As many instances are looked at before others get their turn. */
const SLICE_INSTANCES = 2_000;
/** Looking at tags again takes at most this share of the time. */
const LOOKING_SHARE = 0.05;

export function createCatalogueIndexes(
  registry: Registry,
  clock: Clock,
  turn: () => Promise<void>,
): CatalogueIndexes {
  const baseline = registry.revision;
  const states = new Map<string, NamespaceState>();
  const changed = new Set<NamespaceState>();
  let absent = baseline;
  let timer: TimerHandle | undefined;
  let gatherMs = GATHER_MS;

  function openState(namespace: string): NamespaceState {
    const present = states.get(namespace);
    if (present) return present;
    const state: NamespaceState = {
      instances: baseline,
      services: baseline,
      tags: undefined,
      prepared: undefined,
      dirty: new Map(),
      instanceWaiters: new Set(),
      serviceWaiters: new Set(),
    };
    states.set(namespace, state);
    return state;
  }

  function onUpdate({ revision, views }: CatalogueUpdate): void {
    for (const { service, count } of views) {
      if (count === 0) absent = revision;
      const state = openState(service.namespace);
      state.instances = revision;
      if (state.instanceWaiters.size + state.serviceWaiters.size > 0) changed.add(state);
    }
    if (changed.size > 0) timer ??= clock.setTimer(gatherMs, tell);
  }

  /** Where nobody asked for tags no event is opened: that would make an instance for each. */
  function isAnyAsked(): boolean {
    for (const { tags } of states.values()) if (tags) return true;
    return false;
  }

  /** Marks services whose names or tags may be others now; health and intent change neither. */
  function onEvents(events: readonly RegistryEvent[]): void {
    if (!isAnyAsked()) return;
    for (const event of events) {
      if (!TAG_EVENTS.has(event.type) || !('instance' in event)) continue;
      const { service, tags } = event.instance;
      const state = states.get(service.namespace);
      if (!state?.tags) continue;
      const id = serviceId(service);
      const known = state.tags.get(id);
      const isPlain = known !== undefined && known.tags.length === 0 && tags.length === 0;
      const mayMatter =
        event.type === 'instance-registered'
          ? !known || tags.some((tag) => !known.tags.includes(tag))
          : !isPlain || registry.view(service)?.count === 0;
      if (mayMatter) state.dirty.set(id, service);
    }
  }

  function tell(): void {
    timer = undefined;
    const due = [...changed];
    changed.clear();
    for (const state of due) {
      for (const wake of [...state.instanceWaiters]) wake();
      if (state.serviceWaiters.size === 0 || !refresh(state)) continue;
      for (const wake of [...state.serviceWaiters]) wake();
    }
  }

  /** Looks at what changed; whether names or tags did. */
  function refresh(state: NamespaceState): boolean {
    if (state.dirty.size === 0) return false;
    const startedMs = clock.now();
    let isNew = false;
    const { tags: known } = state;
    for (const [id, service] of state.dirty) {
      const before = known?.get(id);
      const after = tagsOf(registry.view(service));
      if (isSame(before?.tags, after)) continue;
      isNew = true;
      if (after === undefined) known?.delete(id);
      else known?.set(id, { service, tags: after });
    }
    state.dirty.clear();
    if (isNew) state.services = state.instances;
    gatherMs = Math.max(GATHER_MS, (clock.now() - startedMs) / LOOKING_SHARE);
    return isNew;
  }

  /** What changes meanwhile is marked, and looked at again by whoever reads. */
  async function load(namespace: string, state: NamespaceState): Promise<void> {
    state.tags = new Map();
    let looked = 0;
    for (const { service } of registry.services(namespace)) {
      const view = registry.view(service);
      const tags = tagsOf(view);
      if (tags) state.tags.set(serviceId(service), { service, tags });
      looked += view?.count ?? 0;
      if (looked < SLICE_INSTANCES) continue;
      looked = 0;
      await turn();
    }
    state.services = state.instances;
  }

  function release(namespace: string): void {
    const state = states.get(namespace);
    if (!state || state.instances !== baseline || registry.services(namespace).length > 0) return;
    if (state.instanceWaiters.size + state.serviceWaiters.size === 0) states.delete(namespace);
  }

  registry.subscribe(onUpdate);
  registry.events.subscribe(onEvents);
  return {
    get absent() {
      return absent;
    },
    instances: (namespace) => states.get(namespace)?.instances ?? baseline,
    async prepare(namespace) {
      const state = openState(namespace);
      state.prepared ??= load(namespace, state);
      await state.prepared;
    },
    release,
    services(namespace) {
      const state = openState(namespace);
      refresh(state);
      return { revision: state.services, list: state.tags?.values() ?? [] };
    },
    subscribe(what, namespace, wake) {
      const state = openState(namespace);
      const waiters = what === 'instances' ? state.instanceWaiters : state.serviceWaiters;
      waiters.add(wake);
      return () => {
        waiters.delete(wake);
        if (state.instanceWaiters.size + state.serviceWaiters.size > 0) return;
        changed.delete(state);
        release(namespace);
        if (changed.size > 0) return;
        timer?.cancel();
        timer = undefined;
      };
    },
  };
}

const TAG_EVENTS: ReadonlySet<RegistryEvent['type']> = new Set([
  'instance-registered',
  'instance-updated',
  'instance-deregistered',
]);

function tagsOf(view: ServiceView | undefined): readonly string[] | undefined {
  if (!view || view.count === 0) return undefined;
  const tags = new Set<string>();
  for (const instance of view.instances) for (const tag of instance.tags) tags.add(tag);
  return [...tags].sort();
}

function isSame(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.length === b.length && a.every((tag, at) => tag === b[at]);
}
