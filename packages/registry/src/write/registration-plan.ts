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
import {
  encodeRegistration,
  encodeShape,
  WrittenRegistration,
} from '../codec/registration-codec.ts';
import { declareExclusive, hasToDeclare } from '../exclusive/declare-exclusive.ts';
import { isSamePlace, isSameRegistration, isSameShape, keepsHealth } from './same-registration.ts';

/** A registration that was found valid, with what it is called by. */
export interface ValidItem {
  /** Its place in the batch. */
  readonly at: number;
  /** Of `refKey`. */
  readonly key: string;
  /** Of `placeLock`. */
  readonly place: number;
  /** As if it were new: one that is there keeps its own `registeredAtMs`. */
  readonly registration: Registration;
  /** Only as an instance of an exclusive service. */
  readonly exclusive: boolean;
  /** Of `findOccupants`: key of who holds its place. */
  occupant: string | undefined;
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
        readonly byKey: Map<string, Plan>;
        readonly byPlace: Map<number, Plan>;
        readonly replaced: Set<string>;
      }
    | undefined;

  #encoded: { readonly of: Registration; readonly shape: string } | undefined = undefined;

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
    const planned = this.#planned?.byKey.get(key)?.registration;
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
    const holder = this.#holderOf(item);
    const replaced = holder === key ? undefined : holder;
    if (replaced !== undefined && this.#onAddressConflict === 'reject') {
      throw new RegistryError('ADDRESS_CONFLICT', {
        detail: `${given.address}:${given.port} of service ${given.service.name} is instance ${fromRefKey(replaced).id}. Deregister it first, or register under its id.`,
        problems: [
          { path: '$.address', expected: 'an address and port that no other instance has' },
        ],
      });
    }
    if (exclusive) declareExclusive(given.service, catalogue, this.ops, this.guards);
    const shape = this.#encodeShape(registration);
    this.ops.push({
      type: 'put',
      key,
      value: encodeRegistration(registration, shape),
      known: new WrittenRegistration(registration, shape),
    });
    const known = record?.registrationRevision ?? catalogue.damaged.get(key) ?? 0;
    this.guards.push({ key, modifyRevision: known });
    if (record && !keepsHealth(record, record.shape, given)) {
      const status = statusGuard(record, catalogue);
      this.guards.push(status);
      if (record.stored) this.ops.push({ type: 'delete', key: status.key });
    }
    if (replaced !== undefined) this.#replace(replaced);
    const plan: Plan = {
      item,
      registration,
      before: record,
      changed: true,
      created: before === undefined,
      superseded: replaced === undefined ? undefined : fromRefKey(replaced).id,
    };
    this.plans.push(plan);
    this.#planned?.byKey.set(key, plan);
    this.#planned?.byPlace.set(place, plan);
  }

  /** Key of who is at the item's place after the items before it. */
  #holderOf({ place, registration, occupant }: ValidItem): string | undefined {
    const planned = this.#planned;
    if (!planned || planned.byKey.size === 0) return occupant;
    let newcomer = planned.byPlace.get(place);
    if (newcomer && !isSamePlace(newcomer.registration, registration)) {
      // Two places of one hash.
      newcomer = [...planned.byKey.values()].find((plan) =>
        isSamePlace(plan.registration, registration),
      );
    }
    if (newcomer && planned.byKey.get(newcomer.item.key) === newcomer) return newcomer.item.key;
    if (occupant === undefined || planned.replaced.has(occupant)) return undefined;
    // It may have moved elsewhere.
    return planned.byKey.has(occupant) ? undefined : occupant;
  }

  /** Neighbours in a batch mostly say the same, which is then written once. */
  #encodeShape(registration: Registration): string {
    if (!this.#encoded || !isSameShape(this.#encoded.of, registration)) {
      this.#encoded = { of: registration, shape: encodeShape(registration) };
    }
    return this.#encoded.shape;
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

/** What a plan came to; `revision` is that of its write. Makes the instance when it is asked for: the answer to a batch names only its id and revision. */
export class Outcome implements RegisterOutcome {
  readonly changed: boolean;
  readonly created: boolean;
  readonly id: string;
  readonly revision: Revision;
  declare readonly superseded?: string;
  readonly #plan: Plan;
  readonly #catalogue: Catalogue;
  #instance: Instance | undefined = undefined;

  constructor(plan: Plan, catalogue: Catalogue, revision: Revision) {
    const { changed, created, superseded, item, before } = plan;
    this.#plan = plan;
    this.#catalogue = catalogue;
    this.changed = changed;
    this.created = created;
    this.id = item.registration.id;
    this.revision = changed ? revision : (before?.modifyRevision ?? revision);
    if (superseded !== undefined) this.superseded = superseded;
  }

  get instance(): Instance {
    // Somebody may have taken it away again: then it is told as it was registered.
    const { item, before, changed } = this.#plan;
    const present = this.#catalogue.record(item.key) ?? (changed ? undefined : before);
    this.#instance ??= (present ?? asRegistered(this.#plan, this.revision)).instance;
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
