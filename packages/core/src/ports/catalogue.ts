import type { RegistryEvent } from '../model/event.ts';
import type { Instance, InstanceRef, ServiceView } from '../model/instance.ts';
import type { Revision } from '../model/revision.ts';
import type { StoredRoute } from '../model/route.ts';
import type { ServiceKey } from '../model/service.ts';
import type { StoredTrafficPolicy } from '../model/traffic-policy.ts';

export interface ServiceSummary {
  readonly service: ServiceKey;
  readonly revision: Revision;
  readonly instances: number;
  readonly routable: number;
  readonly protected: boolean;
  readonly exclusive: boolean;
}

/** What changed since a subscriber was last told: whole views, not differences. */
export interface CatalogueUpdate {
  readonly revision: Revision;
  /** The newest view of each service that changed; a service without instances has an empty view. */
  readonly views: readonly ServiceView[];
  /** The whole route list, when any route changed. */
  readonly routes?: readonly StoredRoute[];
  /** The whole list of traffic policies, when any changed. */
  readonly policies?: readonly StoredTrafficPolicy[];
}

/**
 * The read side of a registry: synchronous and in memory. Implemented by the registry itself and, on an edge node,
 * by a client-backed mirror; this is all that the gateway needs.
 */
export interface CatalogueReader {
  readonly revision: Revision;
  services(namespace?: string): readonly ServiceSummary[];
  view(service: ServiceKey): ServiceView | undefined;
  instance(ref: InstanceRef): Instance | undefined;
  routes(): readonly StoredRoute[];
  policies(): readonly StoredTrafficPolicy[];
  /**
   * Calls `listener` at every change, synchronously and in revision order, at most once a commit batch. Listeners must
   * not throw and must not block. Returns the function that unsubscribes. The first call comes with the next change:
   * read the present state first, in the same turn.
   */
  subscribe(listener: (update: CatalogueUpdate) => void): () => void;
  /** As `subscribe`, for one service only: a change elsewhere does not wake it. */
  subscribeService(service: ServiceKey, listener: (view: ServiceView) => void): () => void;
}

/** A bounded window of the past, for resumable streams. */
export interface EventLog {
  /**
   * Events with a revision greater than `from`, oldest first; undefined when some of them are no longer held
   * (the reader fell too far behind and must read the present state again).
   */
  since(from: Revision): readonly RegistryEvent[] | undefined;
  /** Called synchronously with each batch of new events. */
  subscribe(listener: (events: readonly RegistryEvent[]) => void): () => void;
  /** Lowest `from` that `since` still answers. */
  readonly horizon: Revision;
}
