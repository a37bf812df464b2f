import {
  DEFAULT_INTENT,
  type Guard,
  type Instance,
  type Op,
  type RegisterOutcome,
  type Registration,
  RegistryError,
  type Revision,
} from '@portolan/core';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { AnnouncedRemoval } from '../catalogue/catalogue-state.ts';
import { InstanceRecord } from '../catalogue/instance-record.ts';
import { recordGuards, statusGuard } from '../catalogue/record-guards.ts';
import { shapeOf } from '../catalogue/registration-shape.ts';
import { fromRefKey, statusKey } from '../codec/keys.ts';
import { encodeRegistration } from '../codec/registration-codec.ts';
import { declareExclusive, hasToDeclare } from '../exclusive/declare-exclusive.ts';
import { isSameRegistration, keepsHealth } from './same-registration.ts';

/** A registration that was found valid, with what it is called by. */
export interface ValidItem {
  /** Its place in the batch. */
  readonly at: number;
  /** Of `refKey`. */
  readonly key: string;
  /** Of `placeLock`. */
  readonly place: string;
  /** As if it were new: one that is there keeps its own `registeredAtMs`. */
  readonly registration: Registration;
  /** Only as an instance of an exclusive service. */
  readonly exclusive: boolean;
}

/** What a registration on its way would do, as seen from the catalogue and the items before it. */
export interface Plan {
  readonly item: ValidItem;
  readonly registration: Registration;
  readonly before: InstanceRecord | undefined;
  readonly changed: boolean;
  readonly created: boolean;
  /** Id of the instance that it replaces. */
  readonly superseded: string | undefined;
}

/** One write for one or many registrations. */
export class RegistrationWrite {
  readonly plans: Plan[] = [];
  /** Of one key the last counts. */
  readonly ops: Op[] = [];
  readonly guards: Guard[] = [];
  readonly removals: AnnouncedRemoval[] = [];
  readonly #catalogue: Catalogue;
  readonly #onAddressConflict: 'supersede' | 'reject';
  /** What the items so far make of the catalogue; absent where no other item can follow. */
  readonly #planned:
    | {
        readonly byKey: Map<string, Registration>;
        readonly byPlace: Map<string, string>;
        readonly replaced: Set<string>;
      }
    | undefined;

  constructor(catalogue: Catalogue, onAddressConflict: 'supersede' | 'reject', items: number) {
    this.#catalogue = catalogue;
    this.#onAddressConflict = onAddressConflict;
    this.#planned =
      items > 1 ? { byKey: new Map(), byPlace: new Map(), replaced: new Set() } : undefined;
  }

  /** Throws a `RegistryError`, and has added nothing, where the item is refused. */
  add(item: ValidItem): void {
    const { key, place, registration: given, exclusive } = item;
    const catalogue = this.#catalogue;
    const record = catalogue.record(key);
    const planned = this.#planned?.byKey.get(key);
    const before = planned ?? record;
    const declares = exclusive && hasToDeclare(given.service, catalogue);
    if (before && !declares && !catalogue.isHidden(key)) {
      const isSame = planned
        ? isSameRegistration(planned, planned, given)
        : record !== undefined &&
          !this.#planned?.replaced.has(key) &&
          isSameRegistration(record, record.shape, given);
      if (isSame) {
        this.plans.push({
          item,
          registration: given,
          before: record,
          changed: false,
          created: false,
          superseded: undefined,
        });
        return;
      }
    }
    const registration =
      before === undefined ? given : { ...given, registeredAtMs: before.registeredAtMs };
    const holder =
      this.#planned?.byPlace.get(place) ??
      catalogue.occupant(given.service, given.address, given.port);
    const replaced = holder === undefined || holder === key ? undefined : holder;
    if (replaced !== undefined && this.#onAddressConflict === 'reject') {
      throw new RegistryError('ADDRESS_CONFLICT', {
        detail: `${given.address}:${given.port} of service ${given.service.name} is instance ${fromRefKey(replaced).id}. Deregister it first, or register under its id.`,
        problems: [
          { path: '$.address', expected: 'an address and port that no other instance has' },
        ],
      });
    }
    if (exclusive) declareExclusive(given.service, catalogue, this.ops, this.guards);
    this.ops.push({ type: 'put', key, value: encodeRegistration(registration) });
    const known = record?.registrationRevision ?? catalogue.damaged.get(key) ?? 0;
    this.guards.push({ key, modifyRevision: known });
    if (record && !keepsHealth(record, record.shape, given)) {
      const status = statusGuard(record, catalogue);
      this.guards.push(status);
      if (record.stored) this.ops.push({ type: 'delete', key: status.key });
    }
    if (replaced !== undefined) this.#replace(replaced);
    this.#planned?.byKey.set(key, registration);
    this.#planned?.byPlace.set(place, key);
    this.plans.push({
      item,
      registration,
      before: record,
      changed: true,
      created: before === undefined,
      superseded: replaced === undefined ? undefined : fromRefKey(replaced).id,
    });
  }

  #replace(key: string): void {
    const catalogue = this.#catalogue;
    const record = catalogue.record(key);
    this.#planned?.byKey.delete(key);
    this.#planned?.replaced.add(key);
    if (!record) {
      // An item of the same batch: its put comes to nothing.
      this.ops.push({ type: 'delete', key });
      return;
    }
    this.ops.push(...removalOps(record, catalogue));
    this.guards.push(...recordGuards(record, catalogue));
    this.removals.push({ record, reason: 'superseded' });
  }
}

/** What a plan came to; `revision` is that of its write. */
export function outcomeOf(plan: Plan, catalogue: Catalogue, revision: Revision): RegisterOutcome {
  const { changed, created, superseded, item } = plan;
  // A later write of the same batch may have taken it away again: then it is told as it was registered.
  const record = catalogue.record(item.key) ?? asRegistered(plan, revision);
  return new Outcome(item.registration.id, record, changed, created, superseded);
}

/** Makes the instance when it is asked for: the answer to a batch names only its id and revision. */
class Outcome implements RegisterOutcome {
  readonly id: string;
  readonly revision: Revision;
  readonly changed: boolean;
  readonly created: boolean;
  declare readonly superseded?: string;
  readonly #record: InstanceRecord;
  #instance: Instance | undefined = undefined;

  constructor(
    id: string,
    record: InstanceRecord,
    changed: boolean,
    created: boolean,
    superseded: string | undefined,
  ) {
    this.#record = record;
    this.id = id;
    this.revision = record.modifyRevision;
    this.changed = changed;
    this.created = created;
    if (superseded !== undefined) this.superseded = superseded;
  }

  get instance(): Instance {
    this.#instance ??= this.#record.instance;
    return this.#instance;
  }
}

export function removalOps(record: InstanceRecord, catalogue: Catalogue): Op[] {
  const ops: Op[] = [{ type: 'delete', key: record.key }];
  const status = statusKey(record.key);
  if (record.stored || catalogue.damaged.has(status)) ops.push({ type: 'delete', key: status });
  return ops;
}

function asRegistered({ item, registration, before }: Plan, revision: Revision): InstanceRecord {
  const { service, address, port, registeredAtMs } = registration;
  return new InstanceRecord({
    key: item.key,
    service,
    address,
    port,
    registeredAtMs,
    condition: registration.condition,
    shape: shapeOf(registration),
    createRevision: before?.createRevision ?? revision,
    registrationRevision: revision,
    stored: undefined,
    statusRevision: 0,
    intent: before?.intent ?? DEFAULT_INTENT,
    intentRevision: 0,
  });
}
