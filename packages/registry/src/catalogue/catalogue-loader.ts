import {
  type Change,
  DEFAULT_GROUP,
  type Entry,
  type Logger,
  type Revision,
  type ServiceKey,
} from '@portolan/core';
import { parseStoreKey } from '../codec/keys.ts';
import { decodeParts } from '../codec/registration-codec.ts';
import { decodeIntent, decodeStatus } from '../codec/status-codec.ts';
import type { CatalogueState } from './catalogue-state.ts';
import { type ChangeApplier, newBatch } from './change-applier.ts';
import type { InstanceRecord } from './instance-record.ts';
import { makeRecord, reportDamage, takesOver } from './make-record.ts';
import type { SharedShape } from './registration-shape.ts';
import type { ServiceState } from './service-state.ts';

/** A service while it is loaded. */
interface LoadingService {
  readonly state: ServiceState;
  records: InstanceRecord[];
  /** Of the last one taken: instances of a service look alike. */
  shape: SharedShape | undefined;
  /** Whether some of `records` were replaced since they were taken. */
  outdated: boolean;
  /** Whether two of `records` may claim one place. */
  contested: boolean;
}

/**
 * Takes the whole store, each key once and in any order, into a state that is empty. Nothing is compared or counted before all
 * is known: a service is put in order once, however many entries it came with.
 */
export class CatalogueLoader {
  readonly #state: CatalogueState;
  readonly #applier: ChangeApplier;
  readonly #logger: Logger;
  readonly #services: LoadingService[] = [];
  /** By namespace, then by name, with the group in front of it where it is not the default. */
  readonly #byName = new Map<string, Map<string, LoadingService>>();
  /** Statuses that came before their instance, by its key. */
  readonly #early = new Map<string, Entry>();

  constructor(state: CatalogueState, applier: ChangeApplier, logger: Logger) {
    this.#state = state;
    this.#applier = applier;
    this.#logger = logger;
  }

  take(entries: readonly Entry[]): void {
    const documents: Change[] = [];
    for (const entry of entries) {
      const storeKey = parseStoreKey(entry.key);
      if (!storeKey) continue;
      const { kind, key } = storeKey;
      try {
        if (kind === 'instance') this.#takeInstance(key, entry);
        else if (kind === 'status') this.#takeStatus(key, entry);
        else if (kind === 'intent') this.#takeIntent(key, entry);
        else documents.push({ key: entry.key, revision: entry.modifyRevision, entry });
      } catch (error) {
        reportDamage(this.#state, this.#logger, toStamp(entry), error);
      }
    }
    // Who is told of changes is not there yet.
    if (documents.length > 0) this.#applier.apply(documents, newBatch());
  }

  /** Puts every service in order as of `revision`; gives back the keys of instances whose address another one holds. */
  end(revision: Revision): readonly string[] {
    for (const [key, { intent }] of this.#state.intents) {
      const record = this.#state.records.get(key);
      if (record && record.intent !== intent) this.#remake(record);
    }
    const displaced: string[] = [];
    for (const service of this.#services) this.#endService(service, revision, displaced);
    // Those that only a document speaks of.
    for (const state of this.#state.services.values()) {
      if (state.view.revision !== revision) state.rebuild(revision);
    }
    return displaced;
  }

  #takeInstance(key: string, entry: Entry): void {
    const { records, shapes } = this.#state;
    const {
      service: named,
      address,
      port,
      registeredAtMs,
      condition,
      shape,
    } = decodeParts(key, entry.value);
    const service = this.#serviceOf(named);
    const facts = {
      key,
      address,
      port,
      registeredAtMs,
      condition,
      shape: shapes.hold(shape, service.shape),
      createRevision: entry.createRevision,
      registrationRevision: entry.modifyRevision,
    };
    const early = this.#early.size === 0 ? undefined : this.#early.get(key);
    if (early) this.#early.delete(key);
    const record = makeRecord(
      this.#state,
      service.state,
      facts,
      early && this.#statusOf(early),
      early?.modifyRevision ?? 0,
    );
    records.set(key, record);
    service.shape = facts.shape;
    service.records.push(record);
    // Now, while the record is at hand: at the end it would have to be fetched again.
    const { places } = service.state;
    if (places.at(record.place).length > 0) service.contested = true;
    else places.add(record.place, key);
  }

  #takeStatus(key: string, entry: Entry): void {
    const record = this.#state.records.get(key);
    if (!record) this.#early.set(key, entry);
    else this.#remake(record, entry);
  }

  #takeIntent(key: string, entry: Entry): void {
    const intent = decodeIntent(entry.value);
    this.#state.intents.set(key, { intent, revision: entry.modifyRevision });
  }

  /** Again, with what is known now. */
  #remake(record: InstanceRecord, status?: Entry): InstanceRecord {
    const service = this.#serviceOf(record.service);
    service.outdated = true;
    const after = makeRecord(
      this.#state,
      service.state,
      record,
      status ? this.#statusOf(status) : record.stored,
      status?.modifyRevision ?? record.statusRevision,
    );
    this.#state.records.set(record.key, after);
    return after;
  }

  #endService(service: LoadingService, revision: Revision, displaced: string[]): void {
    const { state } = service;
    if (state.exclusive)
      service.records = service.records.map((each) => this.#remake(this.#newest(each)));
    else if (service.outdated) service.records = service.records.map((each) => this.#newest(each));
    state.load(service.contested ? this.#settled(service, displaced) : service.records, revision);
    service.records = [];
  }

  /** Those of its records that may be shown: one at each place. */
  #settled({ state, records }: LoadingService, displaced: string[]): InstanceRecord[] {
    const { hidden } = this.#state;
    for (const record of records) state.places.remove(record.place, record.key);
    for (const record of records) {
      const loser = this.#settle(state, record);
      if (!loser) continue;
      hidden.add(loser.key);
      displaced.push(loser.key);
    }
    return records.filter(({ key }) => !hidden.has(key));
  }

  /** Gives a record its place, and gives back who may not stand there: another, or itself. */
  #settle(state: ServiceState, record: InstanceRecord): InstanceRecord | undefined {
    const { places } = state;
    const { key, place } = record;
    const holder =
      places.at(place).length === 0
        ? undefined
        : this.#state.occupant(state, record.address, record.port);
    const other = holder === undefined ? undefined : this.#state.records.get(holder);
    if (other && !takesOver(record, other)) return record;
    if (other) places.remove(place, other.key);
    places.add(place, key);
    return other;
  }

  #newest(record: InstanceRecord): InstanceRecord {
    return this.#state.records.get(record.key) ?? record;
  }

  /** A damaged status must not take its instance with it: health is found out again. */
  #statusOf(entry: Entry) {
    try {
      return decodeStatus(entry.value);
    } catch (error) {
      reportDamage(this.#state, this.#logger, toStamp(entry), error);
      return undefined;
    }
  }

  #serviceOf(key: ServiceKey): LoadingService {
    const { namespace, group, name } = key;
    let byName = this.#byName.get(namespace);
    if (!byName) {
      byName = new Map();
      this.#byName.set(namespace, byName);
    }
    // No name holds a slash.
    const called = group === DEFAULT_GROUP ? name : `${group}/${name}`;
    const present = byName.get(called);
    if (present) return present;
    const service: LoadingService = {
      state: this.#state.serviceOf(key),
      records: [],
      shape: undefined,
      outdated: false,
      contested: false,
    };
    byName.set(called, service);
    this.#services.push(service);
    return service;
  }
}

function toStamp({ key, modifyRevision }: Entry) {
  return { key, revision: modifyRevision };
}
