import {
  DEFAULT_GROUP,
  DEFAULT_NAMESPACE,
  type DeregisterReason,
  type ExclusiveTerm,
  type Intent,
  parseServiceId,
  type Revision,
  type ServiceKey,
  type ServiceView,
  serviceId,
  type Webhook,
} from '@portolan/core';
import { decodePolicy, decodeRoute, decodeWebhook } from '../codec/document-codec.ts';
import { decodeSettings, type StoredTerm } from '../codec/exclusive-codec.ts';
import { intentKey, statusKey } from '../codec/keys.ts';
import { KeyMap } from '../keys/key-map.ts';
import { DocumentShelf } from './document-shelf.ts';
import type { InstanceRecord } from './instance-record.ts';
import { PlaceTable, placeHash } from './place-index.ts';
import { toHost } from './record-host.ts';
import { ShapeBook } from './registration-shape.ts';
import { ServiceState } from './service-state.ts';

/** Why an instance is removed as it is in `record`: of several that are with the store, it takes one that knew it as it was. */
export interface AnnouncedRemoval {
  readonly reason: DeregisterReason;
  readonly record: InstanceRecord;
}

/** Everything the catalogue holds, before anybody reads it: changed by `ChangeApplier` only. */
export class CatalogueState {
  readonly webhooks = new DocumentShelf<Webhook>(decodeWebhook);
  readonly routes = new DocumentShelf(decodeRoute);
  readonly policies = new DocumentShelf(decodePolicy);
  readonly settings = new DocumentShelf(decodeSettings);
  /** By service id; also of services that are not exclusive any more. */
  readonly terms = new Map<string, StoredTerm & { readonly revision: Revision }>();
  readonly shapes = new ShapeBook();
  readonly records = new KeyMap<InstanceRecord>();
  /** Keys of instances whose address another one holds: not in any view, and about to be removed. */
  readonly hidden = new Set<string>();
  readonly intents = new Map<string, { readonly intent: Intent; readonly revision: Revision }>();
  readonly services = new Map<string, ServiceState>();
  /** Those of the default namespace and group, by name. */
  readonly #inDefaults = new Map<string, ServiceState>();
  /** Views of services that are gone, oldest first. */
  readonly tombstones = new Map<string, ServiceView>();
  readonly namespaces = new Map<string, Revision>();
  /** Keys whose stored value could not be read, with its revision. */
  readonly damaged = new Map<string, Revision>();
  /** Removals that are with the store, by key. */
  readonly removals = new Map<string, AnnouncedRemoval[]>();
  readonly #places = new PlaceTable();
  protectedServices = 0;
  /** Lowest revision `viewsSince` still answers. */
  watchHorizon: Revision = 0;

  serviceOf(key: ServiceKey): ServiceState {
    const present = this.serviceAt(key);
    if (present) return present;
    const id = serviceId(key);
    // Of its own text: names that were read are parts of longer ones.
    const state = new ServiceState(id, parseServiceId(id) ?? key, this.#places);
    state.exclusive = this.exclusiveTerm(id);
    this.services.set(id, state);
    if (isInDefaults(state.key)) this.#inDefaults.set(state.key.name, state);
    this.tombstones.delete(id);
    return state;
  }

  /** Most services are where they are when nobody says where: these are found without making their id. */
  serviceAt(key: ServiceKey): ServiceState | undefined {
    return isInDefaults(key) ? this.#inDefaults.get(key.name) : this.services.get(serviceId(key));
  }

  /** `namespace/id` of the instance at an address of a service. */
  occupant(state: ServiceState, address: string, port: number): string | undefined {
    const host = toHost(address);
    for (const key of state.places.at(placeHash(host, port))) {
      if (this.records.get(key)?.standsAt(state.key, host, port)) return key;
    }
    return undefined;
  }

  /** Undefined for a service that is not exclusive. */
  exclusiveTerm(id: string): ExclusiveTerm | undefined {
    if (this.settings.size === 0 || this.settings.get(id)?.exclusive !== true) return undefined;
    const stored = this.terms.get(id);
    if (!stored) return { term: 0 };
    const { revision, ...term } = stored;
    return { term: revision, ...term };
  }

  /** When it was last decided what each instance of an exclusive service is; 0 for any other service. */
  exclusiveRevision(id: string): Revision {
    const term = this.exclusiveTerm(id)?.term;
    return term === undefined ? 0 : Math.max(this.settings.get(id)?.modifyRevision ?? 0, term);
  }

  /** Keeps the empty view of a service that is gone, and no more of them than `limit`. */
  bury(id: string, state: ServiceState, limit: number): void {
    this.services.delete(id);
    if (isInDefaults(state.key)) this.#inDefaults.delete(state.key.name);
    this.tombstones.delete(id);
    this.tombstones.set(id, state.view);
    while (this.tombstones.size > limit) {
      const [oldest] = this.tombstones;
      if (!oldest) break;
      this.tombstones.delete(oldest[0]);
      this.watchHorizon = Math.max(this.watchHorizon, oldest[1].revision);
    }
  }

  /** Every store key that something in memory came from. */
  *knownKeys(): Generator<string> {
    for (const { key, stored } of this.records.values()) {
      yield key;
      if (stored) yield statusKey(key);
    }
    for (const key of this.intents.keys()) yield intentKey(key);
    for (const state of this.services.values()) {
      if (state.protectedSinceMs !== undefined) yield `protection/${state.id}`;
    }
    for (const route of this.routes.list()) yield `route/${route.namespace}/${route.name}`;
    for (const policy of this.policies.list())
      yield `policy/${policy.namespace}/${policy.group}/${policy.service}`;
    for (const { namespace, group, service } of this.settings.list())
      yield `settings/${namespace}/${group}/${service}`;
    for (const id of this.terms.keys()) yield `term/${id}`;
    for (const webhook of this.webhooks.list()) yield `webhook/${webhook.id}`;
    for (const name of this.namespaces.keys()) yield `namespace/${name}`;
    yield* this.damaged.keys();
  }
}

function isInDefaults({ namespace, group }: ServiceKey): boolean {
  return namespace === DEFAULT_NAMESPACE && group === DEFAULT_GROUP;
}
