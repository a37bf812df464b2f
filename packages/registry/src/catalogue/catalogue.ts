import {
  type AsciiTexts,
  type CatalogueReader,
  type CatalogueUpdate,
  type Change,
  DEFAULT_INTENT,
  type Entry,
  type ExclusiveTerm,
  type Instance,
  type InstanceRef,
  type Intent,
  type Logger,
  type Revision,
  type Route,
  type ServiceKey,
  type ServiceSettings,
  type ServiceSummary,
  type ServiceView,
  type StoredRoute,
  type StoredTrafficPolicy,
  serviceId,
  type TrafficPolicy,
  type Webhook,
} from '@portolan/core';
import { intentKey, refKey } from '../codec/keys.ts';
import { CatalogueLoader } from './catalogue-loader.ts';
import { type AnnouncedRemoval, CatalogueState } from './catalogue-state.ts';
import { CatalogueSubscribers } from './catalogue-subscribers.ts';
import { type Batch, ChangeApplier, newBatch } from './change-applier.ts';
import type { DocumentShelf } from './document-shelf.ts';
import { EventWindow } from './event-window.ts';
import type { InstanceRecord, RecordDelta } from './instance-record.ts';
import { ReachedRevisions } from './reached-revisions.ts';
import type { ServiceState } from './service-state.ts';

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

const LOADED_AT_ONCE = 10_000;

/** The materialised view of the store: fed by its changes and by nothing else, read synchronously. */
export class Catalogue implements CatalogueReader {
  readonly events: EventWindow;
  readonly reached = new ReachedRevisions();
  readonly subscribers: CatalogueSubscribers;
  readonly #options: CatalogueOptions;
  readonly #deps: CatalogueDeps;
  #revision: Revision = 0;
  readonly #state = new CatalogueState();
  readonly #applier: ChangeApplier;

  constructor(options: CatalogueOptions, deps: CatalogueDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#applier = new ChangeApplier(this.#state, deps);
    this.events = new EventWindow(options.eventWindowSize, deps.logger);
    this.subscribers = new CatalogueSubscribers(deps.logger);
  }

  get webhooks(): DocumentShelf<Webhook> {
    return this.#state.webhooks;
  }

  get policyShelf(): DocumentShelf<TrafficPolicy> {
    return this.#state.policies;
  }

  get routeShelf(): DocumentShelf<Route> {
    return this.#state.routes;
  }

  get settingsShelf(): DocumentShelf<ServiceSettings> {
    return this.#state.settings;
  }

  get revision(): Revision {
    return this.#revision;
  }

  /** Lowest revision `viewsSince` still answers. */
  get watchHorizon(): Revision {
    return this.#state.watchHorizon;
  }

  get size(): number {
    return this.#state.records.size;
  }

  get protectedServices(): number {
    return this.#state.protectedServices;
  }

  /** Keys whose stored value could not be read, with its revision. */
  get damaged(): ReadonlyMap<string, Revision> {
    return this.#state.damaged;
  }

  /** Takes the whole store silently, in batches and in any order: the start of everything. */
  load(): { take(entries: readonly Entry[]): void; end(revision: Revision): void } {
    const loader = new CatalogueLoader(this.#state, this.#applier, this.#deps.logger);
    return {
      take: (entries) => loader.take(entries),
      end: (revision) => {
        this.#revision = revision;
        // A removal after the newest present instance is not known any more: nobody may resume from before it.
        this.#state.watchHorizon = revision;
        this.events.startAt(revision);
        const displaced = loader.end(revision);
        let deltas: RecordDelta[] = [];
        for (const after of this.#state.records.values()) {
          if (deltas.push({ key: after.key, before: undefined, after }) < LOADED_AT_ONCE) continue;
          this.#deps.onApplied(deltas, []);
          deltas = [];
        }
        this.#deps.onApplied(deltas, displaced);
      },
    };
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
      this.#applier.apply(isWhole ? changes : changes.slice(from, to), batch);
      this.#revision = revision;
      from = to;
    }
    this.#finish(batch);
  }

  /** After changes were missed: the whole store again, applied as the difference to what is known. */
  reconcile(entries: readonly Entry[], revision: Revision): void {
    const present = new Set(entries.map((entry) => entry.key));
    const changes: Change[] = [];
    for (const key of this.#state.knownKeys())
      if (!present.has(key)) changes.push({ key, revision });
    for (const entry of entries) {
      if (entry.modifyRevision > this.#revision) changes.push({ key: entry.key, revision, entry });
    }
    this.apply(changes);
    this.#revision = Math.max(this.#revision, revision);
    this.events.startAt(this.#revision);
    this.reached.advance(this.#revision);
  }

  /** Says why a deletion happens that is now given to the store; one that nobody announced was requested, elsewhere. */
  announceRemoval(removal: AnnouncedRemoval): void {
    const { removals } = this.#state;
    const { key } = removal.record;
    const announced = removals.get(key);
    if (announced) announced.push(removal);
    else removals.set(key, [removal]);
  }

  /** Takes an announcement back: the store did not take the deletion. */
  forgetRemoval(removal: AnnouncedRemoval): void {
    const { removals } = this.#state;
    const { key } = removal.record;
    const left = removals.get(key)?.filter((one) => one !== removal) ?? [];
    if (left.length > 0) removals.set(key, left);
    else removals.delete(key);
  }

  record(key: string): InstanceRecord | undefined {
    return this.#state.records.get(key);
  }

  /** As `record` of each. */
  recordsOf(keys: readonly string[]): readonly (InstanceRecord | undefined)[] {
    return this.#state.records.getMany(keys);
  }

  /** As `record` of each id in a namespace. */
  recordsIn(namespace: string, ids: AsciiTexts): readonly (InstanceRecord | undefined)[] {
    return this.#state.records.getAll(refKey({ namespace, id: '' }), ids);
  }

  instance(ref: InstanceRef): Instance | undefined {
    return this.#state.records.get(refKey(ref))?.instance;
  }

  instanceAt(service: ServiceKey, address: string, port: number): Instance | undefined {
    const key = this.occupant(service, address, port);
    return key === undefined ? undefined : this.#state.records.get(key)?.instance;
  }

  *records(): Generator<InstanceRecord> {
    const { hidden, records } = this.#state;
    for (const record of records.values()) if (!hidden.has(record.key)) yield record;
  }

  /** Whether another instance holds its address, so that it is shown to nobody and about to be removed. */
  isHidden(key: string): boolean {
    return this.#state.hidden.has(key);
  }

  /** `namespace/id` of the instance at an address of a service. */
  occupant(service: ServiceKey, address: string, port: number): string | undefined {
    const state = this.#state.serviceAt(service);
    return state && this.#state.occupant(state, address, port);
  }

  service(id: string): ServiceState | undefined {
    return this.#state.services.get(id);
  }

  protectedStates(): readonly ServiceState[] {
    return [...this.#state.services.values()].filter(
      (state) => state.protectedSinceMs !== undefined,
    );
  }

  intent(key: string): Intent {
    return this.#state.intents.get(key)?.intent ?? DEFAULT_INTENT;
  }

  intentRevision(key: string): Revision {
    return this.#state.intents.get(key)?.revision ?? this.#state.damaged.get(intentKey(key)) ?? 0;
  }

  /** Undefined for a service that is not exclusive. */
  exclusiveTerm(id: string): ExclusiveTerm | undefined {
    return this.#state.exclusiveTerm(id);
  }

  /** Of the stored term, also when the service is not exclusive any more; 0 when there is none. */
  termRevision(id: string): Revision {
    return this.#state.terms.get(id)?.revision ?? this.#state.damaged.get(`term/${id}`) ?? 0;
  }

  settingsRevision(id: string): Revision {
    const settings = this.#state.settings.get(id);
    return settings?.modifyRevision ?? this.#state.damaged.get(`settings/${id}`) ?? 0;
  }

  namespaceRevision(name: string): Revision {
    return this.#state.namespaces.get(name) ?? 0;
  }

  storedNamespaces(): Iterable<string> {
    return this.#state.namespaces.keys();
  }

  services(namespace?: string): readonly ServiceSummary[] {
    const summaries: ServiceSummary[] = [];
    for (const state of this.#state.services.values()) {
      if (state.view.count === 0) continue;
      if (namespace !== undefined && state.key.namespace !== namespace) continue;
      summaries.push({
        service: state.key,
        revision: state.view.revision,
        instances: state.view.count,
        routable: state.routable,
        protected: state.protectedSinceMs !== undefined,
        exclusive: state.exclusive !== undefined,
      });
    }
    return summaries;
  }

  /** Of a removed service the empty view, as long as its tombstone is held. */
  view(service: ServiceKey): ServiceView | undefined {
    const id = serviceId(service);
    return this.#state.services.get(id)?.view ?? this.#state.tombstones.get(id);
  }

  /** Views newer than `from`, removed services as empty ones; undefined when some removals are forgotten. */
  viewsSince(from: Revision): readonly ServiceView[] | undefined {
    if (from < this.#state.watchHorizon) return undefined;
    const views: ServiceView[] = [];
    for (const view of this.#state.tombstones.values()) if (view.revision > from) views.push(view);
    for (const { view } of this.#state.services.values())
      if (view.revision > from) views.push(view);
    return views;
  }

  routes(): readonly StoredRoute[] {
    return this.#state.routes.list();
  }

  policies(): readonly StoredTrafficPolicy[] {
    return this.#state.policies.list();
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
    for (const state of batch.touched.values()) {
      const { id } = state;
      state.rebuild(this.#revision);
      views.push(state.view);
      ids.push(id);
      if (state.view.count === 0 && state.protectedSinceMs === undefined) {
        this.#state.bury(id, state, this.#options.maxTombstones);
      }
    }
    this.#deps.onApplied(batch.deltas, batch.displaced);
    if (views.length > 0 || batch.routes || batch.policies) {
      const update: CatalogueUpdate = {
        revision: this.#revision,
        views,
        ...(batch.routes ? { routes: this.routes() } : undefined),
        ...(batch.policies ? { policies: this.policies() } : undefined),
      };
      this.subscribers.notify(update, ids);
    }
    this.events.append(batch.events);
    this.reached.advance(this.#revision);
  }
}
