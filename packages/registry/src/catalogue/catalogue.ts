import {
  type CatalogueReader,
  type CatalogueUpdate,
  type Change,
  DEFAULT_INTENT,
  type DeregisterReason,
  type Entry,
  type Instance,
  type InstanceRef,
  type Intent,
  type Logger,
  parseServiceId,
  type RegistryEvent,
  type Revision,
  type ServiceKey,
  type ServiceSummary,
  type ServiceView,
  type StoredRoute,
  serviceId,
  type Webhook,
} from '@portolan/core';
import { decodeRoute, decodeWebhook } from '../codec/document-codec.ts';
import { parseStoreKey, refKey, type StoreKey } from '../codec/keys.ts';
import { decodeRegistration } from '../codec/registration-codec.ts';
import {
  decodeIntent,
  decodeProtection,
  decodeStatus,
  type StoredStatus,
} from '../codec/status-codec.ts';
import { CatalogueSubscribers } from './catalogue-subscribers.ts';
import { DocumentShelf } from './document-shelf.ts';
import { EventWindow } from './event-window.ts';
import { instanceEvents } from './instance-events.ts';
import {
  type InstanceRecord,
  type InstanceTouch,
  type RecordDelta,
  toRecord,
} from './instance-record.ts';
import { ReachedRevisions } from './reached-revisions.ts';
import { ServiceState, slotOf } from './service-state.ts';

export interface CatalogueOptions {
  readonly eventWindowSize: number;
  readonly maxTombstones: number;
}

export interface CatalogueDeps {
  readonly logger: Logger;
  /** Epoch milliseconds, for events. */
  readonly wallNow: () => number;
  /** Called before subscribers with every batch: leases and checks follow the catalogue. */
  readonly onApplied: (deltas: readonly RecordDelta[], displaced: readonly string[]) => void;
}

interface Batch {
  readonly deltas: RecordDelta[];
  readonly events: RegistryEvent[];
  readonly touched: Map<string, ServiceState>;
  readonly displaced: string[];
  routes: boolean;
  /** Of the group being applied. */
  revision: Revision;
  silent: boolean;
}

/** The materialised view of the store: fed by its changes and by nothing else, read synchronously. */
export class Catalogue implements CatalogueReader {
  readonly events: EventWindow;
  readonly webhooks = new DocumentShelf<Webhook>(decodeWebhook);
  readonly routeShelf = new DocumentShelf(decodeRoute);
  readonly reached = new ReachedRevisions();
  readonly subscribers: CatalogueSubscribers;
  readonly #options: CatalogueOptions;
  readonly #deps: CatalogueDeps;
  #revision: Revision = 0;
  #watchHorizon: Revision = 0;
  #protectedServices = 0;
  readonly #records = new Map<string, InstanceRecord>();
  readonly #intents = new Map<string, { readonly intent: Intent; readonly revision: Revision }>();
  readonly #services = new Map<string, ServiceState>();
  /** Views of services that are gone, oldest first. */
  readonly #tombstones = new Map<string, ServiceView>();
  readonly #namespaces = new Map<string, Revision>();
  readonly #damaged = new Map<string, Revision>();
  readonly #removalReasons = new Map<string, DeregisterReason>();

  constructor(options: CatalogueOptions, deps: CatalogueDeps) {
    this.#options = options;
    this.#deps = deps;
    this.events = new EventWindow(options.eventWindowSize, deps.logger);
    this.subscribers = new CatalogueSubscribers(deps.logger);
  }

  get revision(): Revision {
    return this.#revision;
  }

  /** Lowest revision `viewsSince` still answers. */
  get watchHorizon(): Revision {
    return this.#watchHorizon;
  }

  get size(): number {
    return this.#records.size;
  }

  get protectedServices(): number {
    return this.#protectedServices;
  }

  /** Keys whose stored value could not be read, with its revision. */
  get damaged(): ReadonlyMap<string, Revision> {
    return this.#damaged;
  }

  /** Takes the whole store at a revision, silently: the start of everything. */
  load(entries: readonly Entry[], revision: Revision): void {
    const batch = newBatch();
    batch.silent = true;
    const changes = entries.map((entry) => ({
      key: entry.key,
      revision: entry.modifyRevision,
      entry,
    }));
    this.#applyGroup(changes, batch);
    this.#revision = revision;
    this.#watchHorizon = revision;
    this.events.startAt(revision);
    for (const state of batch.touched.values()) {
      let newest = 0;
      for (const record of this.#recordsOf(state)) {
        newest = Math.max(newest, record.instance.modifyRevision);
      }
      // A removal after the newest present instance is not known any more: nobody may resume from before it.
      state.rebuild(Math.max(newest, revision));
    }
    this.#deps.onApplied(batch.deltas, batch.displaced);
  }

  /** Takes what became durable together; changes come in revision order. */
  apply(changes: readonly Change[]): void {
    const last = changes.at(-1);
    if (!last) return;
    const batch = newBatch();
    for (let from = 0; from < changes.length; ) {
      const revision = changes[from]?.revision ?? 0;
      batch.revision = revision;
      let to = from + 1;
      while (changes[to]?.revision === revision) to++;
      const isWhole = from === 0 && to === changes.length;
      this.#applyGroup(isWhole ? changes : changes.slice(from, to), batch);
      this.#revision = revision;
      from = to;
    }
    this.#finish(batch);
  }

  /** After changes were missed: the whole store again, applied as the difference to what is known. */
  reconcile(entries: readonly Entry[], revision: Revision): void {
    const present = new Set(entries.map((entry) => entry.key));
    const changes: Change[] = [];
    for (const key of this.#knownKeys()) if (!present.has(key)) changes.push({ key, revision });
    for (const entry of entries) {
      if (entry.modifyRevision > this.#revision) changes.push({ key: entry.key, revision, entry });
    }
    this.apply(changes);
    this.#revision = Math.max(this.#revision, revision);
    this.events.startAt(this.#revision);
    this.reached.advance(this.#revision);
  }

  /** Every store key that something in memory came from. */
  *#knownKeys(): Generator<string> {
    for (const [key, record] of this.#records) {
      yield `instance/${key}`;
      if (record.stored) yield `status/${key}`;
    }
    for (const key of this.#intents.keys()) yield `intent/${key}`;
    for (const state of this.#services.values()) {
      if (state.protectedSinceMs !== undefined) yield `protection/${state.id}`;
    }
    for (const route of this.routeShelf.list()) yield `route/${route.namespace}/${route.name}`;
    for (const webhook of this.webhooks.list()) yield `webhook/${webhook.id}`;
    for (const name of this.#namespaces.keys()) yield `namespace/${name}`;
    yield* this.#damaged.keys();
  }

  /** Says why a coming deletion happens; a deletion nobody announced was requested. */
  announceRemoval(key: string, reason: DeregisterReason): void {
    this.#removalReasons.set(key, reason);
  }

  forgetRemoval(key: string): void {
    this.#removalReasons.delete(key);
  }

  record(key: string): InstanceRecord | undefined {
    return this.#records.get(key);
  }

  instance(ref: InstanceRef): Instance | undefined {
    return this.#records.get(refKey(ref))?.instance;
  }

  *instances(): Generator<Instance> {
    for (const record of this.#records.values()) yield record.instance;
  }

  /** `namespace/id` of the instance at an address of a service. */
  occupant(service: ServiceKey, address: string, port: number): string | undefined {
    return this.#services.get(serviceId(service))?.slots.get(slotOf(address, port));
  }

  service(id: string): ServiceState | undefined {
    return this.#services.get(id);
  }

  protectedStates(): readonly ServiceState[] {
    return [...this.#services.values()].filter((state) => state.protectedSinceMs !== undefined);
  }

  intent(key: string): Intent {
    return this.#intents.get(key)?.intent ?? DEFAULT_INTENT;
  }

  intentRevision(key: string): Revision {
    return this.#intents.get(key)?.revision ?? this.#damaged.get(`intent/${key}`) ?? 0;
  }

  namespaceRevision(name: string): Revision {
    return this.#namespaces.get(name) ?? 0;
  }

  storedNamespaces(): Iterable<string> {
    return this.#namespaces.keys();
  }

  services(namespace?: string): readonly ServiceSummary[] {
    const summaries: ServiceSummary[] = [];
    for (const state of this.#services.values()) {
      if (state.view.instances.length === 0) continue;
      if (namespace !== undefined && state.key.namespace !== namespace) continue;
      summaries.push({
        service: state.key,
        revision: state.view.revision,
        instances: state.view.instances.length,
        routable: state.routable,
        protected: state.protectedSinceMs !== undefined,
      });
    }
    return summaries;
  }

  /** Of a removed service the empty view, as long as its tombstone is held. */
  view(service: ServiceKey): ServiceView | undefined {
    const id = serviceId(service);
    return this.#services.get(id)?.view ?? this.#tombstones.get(id);
  }

  /** Views newer than `from`, removed services as empty ones; undefined when some removals are forgotten. */
  viewsSince(from: Revision): readonly ServiceView[] | undefined {
    if (from < this.#watchHorizon) return undefined;
    const views: ServiceView[] = [];
    for (const view of this.#tombstones.values()) if (view.revision > from) views.push(view);
    for (const { view } of this.#services.values()) if (view.revision > from) views.push(view);
    return views;
  }

  routes(): readonly StoredRoute[] {
    return this.routeShelf.list();
  }

  subscribe(listener: (update: CatalogueUpdate) => void): () => void {
    return this.subscribers.add(listener);
  }

  subscribeService(service: ServiceKey, listener: (view: ServiceView) => void): () => void {
    return this.subscribers.addForService(serviceId(service), listener);
  }

  #finish(batch: Batch): void {
    const views: ServiceView[] = [];
    const ids: string[] = [];
    for (const [id, state] of batch.touched) {
      state.rebuild(this.#revision);
      views.push(state.view);
      ids.push(id);
      if (state.view.instances.length === 0 && state.protectedSinceMs === undefined) {
        this.#bury(id, state);
      }
    }
    this.#deps.onApplied(batch.deltas, batch.displaced);
    if (views.length > 0 || batch.routes) {
      const update: CatalogueUpdate = batch.routes
        ? { revision: this.#revision, views, routes: this.routes() }
        : { revision: this.#revision, views };
      this.subscribers.notify(update, ids);
    }
    this.events.append(batch.events);
    this.reached.advance(this.#revision);
  }

  #bury(id: string, state: ServiceState): void {
    this.#services.delete(id);
    this.#tombstones.delete(id);
    this.#tombstones.set(id, state.view);
    while (this.#tombstones.size > this.#options.maxTombstones) {
      const [oldest] = this.#tombstones;
      if (!oldest) break;
      this.#tombstones.delete(oldest[0]);
      this.#watchHorizon = Math.max(this.#watchHorizon, oldest[1].revision);
    }
  }

  #applyGroup(changes: readonly Change[], batch: Batch): void {
    const touches = new Map<string, InstanceTouch>();
    for (const change of changes) {
      const storeKey = parseStoreKey(change.key);
      if (!storeKey) continue;
      try {
        this.#applyChange(storeKey, change, touches, batch);
        this.#damaged.delete(change.key);
      } catch (error) {
        this.#reportDamage(change, error);
      }
    }
    // Removals first: a superseded instance leaves its address before the new one takes it.
    for (const [key, touch] of touches) if (touch.registration === null) this.#remove(key, batch);
    for (const [key, touch] of touches)
      if (touch.registration !== null) this.#update(key, touch, batch);
  }

  #applyChange(
    { kind, key }: StoreKey,
    change: Change,
    touches: Map<string, InstanceTouch>,
    batch: Batch,
  ): void {
    const { entry, revision } = change;
    const atMs = this.#deps.wallNow();
    switch (kind) {
      case 'instance':
        touchOf(touches, key).registration = entry ?? null;
        return;
      case 'status':
        touchOf(touches, key).status = entry ?? null;
        return;
      case 'intent':
        if (entry) this.#intents.set(key, { intent: decodeIntent(entry.value), revision });
        else this.#intents.delete(key);
        touchOf(touches, key);
        return;
      case 'protection':
        this.#applyProtection(key, change, batch);
        return;
      case 'route': {
        if (entry) {
          const route = this.routeShelf.put(key, entry);
          batch.events.push({ type: 'route-put', revision, atMs, route });
        } else {
          this.routeShelf.delete(key);
          const [namespace = '', name = ''] = key.split('/');
          batch.events.push({ type: 'route-deleted', revision, atMs, namespace, name });
        }
        batch.routes = true;
        return;
      }
      case 'webhook':
        if (entry) this.webhooks.put(key, entry);
        else this.webhooks.delete(key);
        return;
      case 'namespace':
        if (entry) this.#namespaces.set(key, revision);
        else this.#namespaces.delete(key);
        batch.events.push({
          type: entry ? 'namespace-put' : 'namespace-deleted',
          revision,
          atMs,
          name: key,
        });
        return;
    }
  }

  #applyProtection(id: string, { entry, revision }: Change, batch: Batch): void {
    const key = parseServiceId(id);
    if (!key) return;
    const state = this.#services.get(id) ?? (entry && this.#stateOf(key));
    if (!state) return;
    const was = state.protectedSinceMs !== undefined;
    state.protectedSinceMs = entry && decodeProtection(entry.value);
    const is = state.protectedSinceMs !== undefined;
    batch.touched.set(id, state);
    if (was === is) return;
    this.#protectedServices += is ? 1 : -1;
    const base = { revision, atMs: this.#deps.wallNow(), service: state.key };
    if (is) batch.events.push({ ...base, type: 'protection-entered', kept: state.protected });
    else batch.events.push({ ...base, type: 'protection-left' });
  }

  #remove(key: string, batch: Batch): void {
    const before = this.#records.get(key);
    const announced = this.#removalReasons.get(key);
    this.#removalReasons.delete(key);
    if (!before) return;
    this.#records.delete(key);
    const state = this.#stateOf(before.instance.service);
    this.#leaveService(state, before, batch);
    const reason = announced ?? 'requested';
    this.#record(batch, { key, before, after: undefined }, reason);
  }

  #update(key: string, touch: InstanceTouch, batch: Batch): void {
    const before = this.#records.get(key);
    const entry = touch.registration;
    if (!before && !entry) return;
    let after: InstanceRecord;
    try {
      after = this.#nextRecord(key, before, touch);
    } catch (error) {
      const change = entry ?? touch.status;
      if (change) this.#reportDamage({ key: change.key, revision: change.modifyRevision }, error);
      return;
    }
    this.#records.set(key, after);
    const state = this.#stateOf(after.instance.service);
    const { id, address, port } = after.instance;
    if (before && before.instance.service !== state.key) {
      this.#leaveService(this.#stateOf(before.instance.service), before, batch);
      state.change(id, undefined, after.instance);
    } else {
      if (before) releaseSlot(state, before);
      state.change(id, before?.instance, after.instance);
    }
    const slot = slotOf(address, port);
    const holder = state.slots.get(slot);
    if (holder !== undefined && holder !== key) this.#displace(holder, after, batch);
    if (holder === undefined || !batch.displaced.includes(key)) state.slots.set(slot, key);
    batch.touched.set(state.id, state);
    this.#record(batch, { key, before, after }, 'moved');
  }

  /** Two processes raced for one address: the higher revision wins, the same for everybody. */
  #displace(holder: string, after: InstanceRecord, batch: Batch): void {
    const other = this.#records.get(holder);
    const isNewer = !other || other.registrationRevision <= after.registrationRevision;
    batch.displaced.push(isNewer ? holder : after.key);
  }

  #nextRecord(
    key: string,
    before: InstanceRecord | undefined,
    touch: InstanceTouch,
  ): InstanceRecord {
    const entry = touch.registration;
    const registration = entry ? decodeRegistration(entry.value) : before?.instance;
    if (!registration) throw new Error(`no registration for ${key}`);
    let stored: StoredStatus | undefined = before?.stored;
    let statusRevision = before?.statusRevision ?? 0;
    if (touch.status === null) stored = undefined;
    else if (touch.status) stored = decodeStatus(touch.status.value);
    if (touch.status !== undefined) statusRevision = touch.status?.modifyRevision ?? 0;
    const intent = this.#intents.get(key);
    return toRecord({
      key,
      service: this.#stateOf(registration.service).key,
      registration,
      createRevision: entry?.createRevision ?? before?.instance.createRevision ?? 0,
      registrationRevision: entry?.modifyRevision ?? before?.registrationRevision ?? 0,
      stored,
      statusRevision,
      intent: intent?.intent ?? DEFAULT_INTENT,
      intentRevision: intent?.revision ?? 0,
    });
  }

  #leaveService(state: ServiceState, before: InstanceRecord, batch: Batch): void {
    releaseSlot(state, before);
    state.change(before.instance.id, before.instance, undefined);
    batch.touched.set(state.id, state);
  }

  #record(batch: Batch, delta: RecordDelta, reason: DeregisterReason): void {
    batch.deltas.push(delta);
    if (batch.silent) return;
    const stamp = { revision: batch.revision, atMs: this.#deps.wallNow(), reason };
    instanceEvents(batch.events, delta, stamp);
  }

  #stateOf(key: ServiceKey): ServiceState {
    const id = serviceId(key);
    const present = this.#services.get(id);
    if (present) return present;
    const state = new ServiceState(id, key);
    this.#services.set(id, state);
    this.#tombstones.delete(id);
    return state;
  }

  *#recordsOf(state: ServiceState): Generator<InstanceRecord> {
    for (const key of state.slots.values()) {
      const record = this.#records.get(key);
      if (record) yield record;
    }
  }

  #reportDamage(change: Change, error: unknown): void {
    this.#damaged.set(change.key, change.revision);
    this.#deps.logger.error(
      { err: error, key: change.key, revision: change.revision },
      'a stored value is damaged and was left out: write it again, or restore a snapshot',
    );
  }
}

function newBatch(): Batch {
  return {
    deltas: [],
    events: [],
    touched: new Map(),
    displaced: [],
    routes: false,
    revision: 0,
    silent: false,
  };
}

function touchOf(touches: Map<string, InstanceTouch>, key: string): InstanceTouch {
  let touch = touches.get(key);
  if (!touch) {
    touch = {};
    touches.set(key, touch);
  }
  return touch;
}

function releaseSlot(state: ServiceState, record: InstanceRecord): void {
  const slot = slotOf(record.instance.address, record.instance.port);
  if (state.slots.get(slot) === record.key) state.slots.delete(slot);
}
