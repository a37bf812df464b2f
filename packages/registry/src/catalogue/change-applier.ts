import {
  type Change,
  type DeregisterReason,
  type Entry,
  type Logger,
  parseServiceId,
  type RegistryEvent,
  type Revision,
} from '@portolan/core';
import { isInstanceKey, parseStoreKey, type StoreKey } from '../codec/keys.ts';
import { decodeParts, WrittenRegistration } from '../codec/registration-codec.ts';
import {
  decodeIntent,
  decodeProtection,
  decodeStatus,
  type StoredStatus,
} from '../codec/status-codec.ts';
import { applyExclusive } from '../exclusive/apply-exclusive.ts';
import type { CatalogueState } from './catalogue-state.ts';
import { instanceEvents } from './instance-events.ts';
import type { InstanceRecord, InstanceTouch, RecordDelta } from './instance-record.ts';
import { makeRecord, reportDamage, takesOver } from './make-record.ts';
import type { ServiceState } from './service-state.ts';

/** What a batch of changes did. */
export interface Batch {
  readonly deltas: RecordDelta[];
  readonly events: RegistryEvent[];
  readonly touched: Map<string, ServiceState>;
  readonly displaced: string[];
  routes: boolean;
  policies: boolean;
  /** Of the group being applied. */
  revision: Revision;
}

export interface ChangeApplierDeps {
  readonly logger: Logger;
  readonly wallNow: () => number;
}

/** Takes the changes of one revision at a time into the catalogue's state. */
export class ChangeApplier {
  readonly #state: CatalogueState;
  readonly #deps: ChangeApplierDeps;

  constructor(state: CatalogueState, deps: ChangeApplierDeps) {
    this.#state = state;
    this.#deps = deps;
  }

  apply(changes: readonly Change[], batch: Batch): void {
    if (changes.every(isOfInstance)) {
      this.#applyInstances(changes, batch);
      return;
    }
    const touches = new Map<string, InstanceTouch>();
    for (const change of changes) {
      const storeKey = parseStoreKey(change.key);
      if (!storeKey) continue;
      try {
        this.#applyChange(storeKey, change, touches, batch);
        this.#state.damaged.delete(change.key);
      } catch (error) {
        this.#reportDamage(change, error);
      }
    }
    // Removals first: a superseded instance leaves its address before the new one takes it.
    for (const [key, touch] of touches) if (touch.registration === null) this.#remove(key, batch);
    for (const [key, touch] of touches)
      if (touch.registration !== null) this.#update(key, touch, batch);
  }

  /** Registrations and removals only, as nearly all writes are: there is nothing to bring together. */
  #applyInstances(changes: readonly Change[], batch: Batch): void {
    const { damaged } = this.#state;
    if (damaged.size > 0) for (const { key } of changes) damaged.delete(key);
    for (const { key, entry } of changes) if (!entry) this.#remove(key, batch);
    for (const { key, entry } of changes) {
      if (entry) this.#update(key, { registration: entry }, batch);
    }
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
        if (entry) this.#state.intents.set(key, { intent: decodeIntent(entry.value), revision });
        else this.#state.intents.delete(key);
        touchOf(touches, key);
        return;
      case 'protection':
        this.#applyProtection(key, change, batch);
        return;
      case 'route': {
        if (entry) {
          const route = this.#state.routes.put(key, entry);
          batch.events.push({ type: 'route-put', revision, atMs, route });
        } else {
          this.#state.routes.delete(key);
          const [namespace = '', name = ''] = key.split('/');
          batch.events.push({ type: 'route-deleted', revision, atMs, namespace, name });
        }
        batch.routes = true;
        return;
      }
      case 'policy': {
        if (entry) {
          const policy = this.#state.policies.put(key, entry);
          batch.events.push({ type: 'policy-put', revision, atMs, policy });
        } else {
          this.#state.policies.delete(key);
          const service = parseServiceId(key);
          if (service) batch.events.push({ type: 'policy-deleted', revision, atMs, service });
        }
        batch.policies = true;
        return;
      }
      case 'settings':
      case 'term': {
        const stamp = { revision, atMs };
        batch.events.push(...applyExclusive(this.#state, { kind, key }, entry, stamp));
        const state = this.#state.services.get(key);
        const term = this.#state.exclusiveTerm(key);
        if (!state || (!state.exclusive && !term)) return;
        state.exclusive = term;
        for (const member of state.members()) touchOf(touches, member);
        batch.touched.set(key, state);
        return;
      }
      case 'webhook':
        if (entry) this.#state.webhooks.put(key, entry);
        else this.#state.webhooks.delete(key);
        return;
      case 'namespace':
        if (entry) this.#state.namespaces.set(key, revision);
        else this.#state.namespaces.delete(key);
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
    const state = this.#state.services.get(id) ?? (entry && this.#state.serviceOf(key));
    if (!state) return;
    const was = state.protectedSinceMs !== undefined;
    state.protectedSinceMs = entry && decodeProtection(entry.value);
    const is = state.protectedSinceMs !== undefined;
    batch.touched.set(id, state);
    if (was === is) return;
    this.#state.protectedServices += is ? 1 : -1;
    const base = { revision, atMs: this.#deps.wallNow(), service: state.key };
    if (is) batch.events.push({ ...base, type: 'protection-entered', kept: state.protected });
    else batch.events.push({ ...base, type: 'protection-left' });
  }

  #remove(key: string, batch: Batch): void {
    const before = this.#state.records.get(key);
    const announced = this.#state.removals.get(key);
    this.#state.removals.delete(key);
    if (!before) return;
    this.#state.records.delete(key);
    this.#state.shapes.release(before.shape);
    if (!this.#state.hidden.delete(key)) {
      this.#leaveService(this.#state.serviceOf(before.service), before, batch);
    }
    const taken = announced?.find(
      ({ record }) =>
        record.registrationRevision === before.registrationRevision &&
        record.statusRevision === before.statusRevision,
    );
    const reason = taken?.reason ?? 'requested';
    this.#record(batch, { key, before, after: undefined }, reason);
  }

  #update(key: string, touch: InstanceTouch, batch: Batch): void {
    const before = this.#state.records.get(key);
    const entry = touch.registration;
    if (!before && !entry) return;
    let after: InstanceRecord;
    let state: ServiceState;
    try {
      const facts = entry ? this.#factsOf(entry) : (before as InstanceRecord);
      state = this.#state.serviceOf(facts.service);
      after = this.#nextRecord(key, before, touch, facts, state);
    } catch (error) {
      const change = entry ?? touch.status;
      if (change) this.#reportDamage({ key: change.key, revision: change.modifyRevision }, error);
      return;
    }
    this.#state.records.set(key, after);
    if (before && entry) this.#state.shapes.release(before.shape);
    const isHidden = this.#state.hidden.size > 0 && this.#state.hidden.has(key);
    let shown = isHidden ? undefined : before;
    if (shown && shown.service !== state.key) {
      this.#leaveService(this.#state.serviceOf(shown.service), shown, batch);
      shown = undefined;
    } else if (shown) state.places.remove(shown.place, key);
    const other = this.#holderOf(state, after);
    if (other && !takesOver(after, other)) {
      batch.displaced.push(key);
      this.#state.hidden.add(key);
      state.change(shown, undefined);
    } else {
      if (other) this.#hide(other, state, batch);
      if (isHidden) this.#state.hidden.delete(key);
      state.change(shown, after);
      state.places.add(after.place, key);
    }
    batch.touched.set(state.id, state);
    this.#record(batch, { key, before, after }, 'moved');
  }

  /** Who else stands at its address and port. Only where the hash finds somebody do addresses have to be looked at. */
  #holderOf(state: ServiceState, after: InstanceRecord): InstanceRecord | undefined {
    if (state.places.at(after.place).length === 0) return undefined;
    const holder = this.#state.occupant(state, after.address, after.port);
    return holder === undefined || holder === after.key
      ? undefined
      : this.#state.records.get(holder);
  }

  /** Two processes raced for one address, and it lost: nobody is shown it any more, and it is to be removed. */
  #hide(record: InstanceRecord, state: ServiceState, batch: Batch): void {
    batch.displaced.push(record.key);
    this.#state.hidden.add(record.key);
    state.places.remove(record.place, record.key);
    state.change(record, undefined);
  }

  #nextRecord(
    key: string,
    before: InstanceRecord | undefined,
    touch: InstanceTouch,
    facts: Pick<InstanceRecord, 'address' | 'port' | 'registeredAtMs' | 'condition' | 'shape'>,
    service: ServiceState,
  ): InstanceRecord {
    const entry = touch.registration;
    let stored: StoredStatus | undefined = before?.stored;
    let statusRevision = before?.statusRevision ?? 0;
    if (touch.status === null) stored = undefined;
    else if (touch.status) stored = this.#statusOf(touch.status);
    if (touch.status !== undefined) statusRevision = touch.status?.modifyRevision ?? 0;
    const known = {
      key,
      address: facts.address,
      port: facts.port,
      registeredAtMs: facts.registeredAtMs,
      condition: facts.condition,
      shape: facts.shape,
      createRevision: entry?.createRevision ?? before?.createRevision ?? 0,
      registrationRevision: entry?.modifyRevision ?? before?.registrationRevision ?? 0,
    };
    return makeRecord(this.#state, service, known, stored, statusRevision);
  }

  /** Holds the shape for the record that is made with it. */
  #factsOf({ key, value, known }: Entry) {
    const parts = known instanceof WrittenRegistration ? known : decodeParts(key, value);
    const { service, address, port, registeredAtMs, condition, shape } = parts;
    const held = this.#state.shapes.hold(shape);
    return { service, address, port, registeredAtMs, condition, shape: held };
  }

  /** A damaged status must not take its instance with it: health is found out again. */
  #statusOf(entry: Entry): StoredStatus | undefined {
    try {
      return decodeStatus(entry.value);
    } catch (error) {
      this.#reportDamage({ key: entry.key, revision: entry.modifyRevision }, error);
      return undefined;
    }
  }

  #leaveService(state: ServiceState, before: InstanceRecord, batch: Batch): void {
    state.places.remove(before.place, before.key);
    state.change(before, undefined);
    batch.touched.set(state.id, state);
  }

  #record(batch: Batch, delta: RecordDelta, reason: DeregisterReason): void {
    batch.deltas.push(delta);
    const stamp = { revision: batch.revision, atMs: this.#deps.wallNow(), reason };
    instanceEvents(batch.events, delta, stamp);
  }

  #reportDamage(change: Change, error: unknown): void {
    reportDamage(this.#state, this.#deps.logger, change, error);
  }
}

function isOfInstance({ key }: Change): boolean {
  return isInstanceKey(key);
}

export function newBatch(): Batch {
  return {
    deltas: [],
    events: [],
    touched: new Map(),
    displaced: [],
    routes: false,
    policies: false,
    revision: 0,
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
