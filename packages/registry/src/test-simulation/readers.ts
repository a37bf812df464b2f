import {
  type Change,
  isRegistryError,
  type RegistryEvent,
  type Revision,
  type ServiceView,
  type Store,
  serviceId,
} from '@portolan/core';
import type { LocalRegistry } from '../registry.ts';
import type { RevisionLedger } from './revision-ledger.ts';

/** What a reader of views holds; it loses its connection and resumes. */
export class ViewReader {
  readonly views = new Map<string, ServiceView>();
  revision: Revision = 0;
  resumed = 0;

  /** Takes each view only if it is newer than the one it has. */
  take(views: readonly ServiceView[], revision: Revision): void {
    for (const view of views) {
      const id = serviceId(view.service);
      const before = this.views.get(id)?.revision ?? 0;
      if (view.revision <= before) throw new Error(`${id} went from ${before} to ${view.revision}`);
      this.views.set(id, view);
    }
    this.revision = revision;
  }

  startWith(registry: LocalRegistry): void {
    this.views.clear();
    for (const { service } of registry.services()) {
      const view = registry.view(service);
      if (view) this.views.set(serviceId(service), view);
    }
    this.revision = registry.revision;
  }

  /** Takes up where it was, or begins anew where that is forgotten. */
  catchUp(registry: LocalRegistry): void {
    if (registry.revision === this.revision) return;
    const views = registry.viewsSince(this.revision);
    if (!views) {
      this.startWith(registry);
      return;
    }
    this.resumed++;
    this.take(views, registry.revision);
  }

  /** Throws where it does not hold what the registry shows now. */
  compare(registry: LocalRegistry): void {
    for (const { service } of registry.services()) {
      const id = serviceId(service);
      const view = registry.view(service);
      // A registry that was started anew gives its views a newer revision; what they hold is the same.
      const held = this.views.get(id);
      if (held === view) continue;
      if (told(held) !== told(view)) throw new Error(`a reader holds another ${id}: ${told(held)}`);
    }
  }
}

function told(view: ServiceView | undefined): string {
  return JSON.stringify(view?.instances.map((one) => [one.id, one.modifyRevision, one.routable]));
}

/** A reader of events that comes and goes: it knows the instances by what it was told and by nothing else. */
export class EventReader {
  readonly #ledger: RevisionLedger;
  readonly #known = new Set<string>();
  revision: Revision = 0;
  resumed = 0;

  constructor(ledger: RevisionLedger) {
    this.#ledger = ledger;
  }

  catchUp(registry: LocalRegistry): void {
    const { events, revision } = registry;
    const told = events.since(this.revision);
    if (!told) {
      if (this.revision >= events.horizon) {
        throw new Error(
          `events after ${this.revision} are refused, the horizon is ${events.horizon}`,
        );
      }
      this.#known.clear();
      for (const key of keysOf(registry)) this.#known.add(key);
      this.revision = revision;
      return;
    }
    if (told.length > 0) this.resumed++;
    this.#checkOrder(told, revision);
    this.#checkGaps(told, revision);
    for (const event of told) {
      if (event.type === 'instance-registered') this.#known.add(keyOf(event));
      if (event.type === 'instance-deregistered') this.#known.delete(keyOf(event));
    }
    this.revision = revision;
    let present = 0;
    for (const { instances } of registry.services()) present += instances;
    if (present !== this.#known.size) {
      throw new Error(
        `${this.#known.size} instances by events up to ${revision}, there are ${present}`,
      );
    }
  }

  /** Throws where it knows others than there are; needs no telling in every step, as their number is looked at. */
  compare(registry: LocalRegistry): void {
    for (const key of keysOf(registry)) {
      if (!this.#known.has(key)) throw new Error(`no event told of ${key}`);
    }
  }

  #checkOrder(told: readonly RegistryEvent[], revision: Revision): void {
    let last = this.revision;
    for (const [at, event] of told.entries()) {
      if (event.revision < last || (at === 0 && event.revision === last)) {
        throw new Error(`event of ${event.revision} after ${last}`);
      }
      last = event.revision;
    }
    if (last > revision) throw new Error(`event of ${last} at revision ${revision}`);
  }

  /** Every commit that changed instances is told of, each of its instances, and nothing else. */
  #checkGaps(told: readonly RegistryEvent[], revision: Revision): void {
    const heard: string[] = [];
    for (const event of told) {
      if (
        event.type === 'instance-registered' ||
        event.type === 'instance-updated' ||
        event.type === 'instance-deregistered'
      ) {
        heard.push(`${event.revision} ${keyOf(event)}`);
      }
    }
    const done = this.#ledger
      .instanceChanges(this.revision, revision)
      .flatMap((change) => change.keys.map((key) => `${change.revision} ${key}`));
    const [a, b] = [heard.sort().join(), done.sort().join()];
    if (a !== b) throw new Error(`events after ${this.revision} have a gap: told ${a}, done ${b}`);
  }
}

function keyOf(event: Extract<RegistryEvent, { instance: unknown }>): string {
  return `${event.instance.service.namespace}/${event.instance.id}`;
}

function keysOf(registry: LocalRegistry): ReadonlySet<string> {
  const keys = new Set<string>();
  for (const { service } of registry.services()) {
    for (const { id } of registry.view(service)?.instances ?? [])
      keys.add(`${service.namespace}/${id}`);
  }
  return keys;
}

/** A watch on the store itself that breaks off and resumes: ordered and complete by the ledger. */
export class StoreReader {
  readonly #ledger: RevisionLedger;
  revision: Revision;
  /** Where the store was opened last: it may have forgotten what was before. */
  openedAt: Revision = 0;
  resumed = 0;

  constructor(ledger: RevisionLedger) {
    this.#ledger = ledger;
    this.revision = ledger.revision;
  }

  /** Fails by time-out where what the ledger knows never comes. */
  async catchUp(store: Pick<Store, 'watch' | 'revision'>): Promise<void> {
    const from = this.revision;
    const to = store.revision;
    const expected = this.#ledger.instanceChanges(from, to);
    const newest = expected.at(-1)?.revision;
    this.revision = to;
    // A watch tells nothing where nothing happened.
    if (newest === undefined) return;
    const aborting = new AbortController();
    const seen: Change[] = [];
    try {
      for await (const changes of store.watch(INSTANCES, from, aborting.signal)) {
        seen.push(...changes.filter(({ revision }) => revision <= to));
        if ((changes.at(-1)?.revision ?? 0) >= newest) aborting.abort();
      }
    } catch (error) {
      const isForgotten = isRegistryError(error) && error.code === 'STORE_COMPACTED';
      if (isForgotten && from < this.openedAt) return;
      throw error;
    }
    this.resumed++;
    let last = from;
    for (const { revision } of seen) {
      if (revision < last || revision <= from)
        throw new Error(`a watch told ${revision} after ${last}`);
      last = revision;
    }
    const told = seen.map(({ key, revision }) => `${revision} ${key.slice(INSTANCES.length)}`);
    const done = expected.flatMap((change) =>
      change.keys.map((key) => `${change.revision} ${key}`),
    );
    const [a, b] = [told.sort().join(), done.sort().join()];
    if (a !== b) throw new Error(`a watch from ${from} has a gap: told ${a}, done ${b}`);
  }
}

const INSTANCES = 'instance/';
