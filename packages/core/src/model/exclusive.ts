import type { Revision } from './revision.ts';

/** What is settled for a service as a whole, whoever is registered. */
export interface ServiceSettings {
  readonly service: string;
  readonly namespace: string;
  readonly group: string;
  /** At most one instance is active at any revision; the others stand by. */
  readonly exclusive: boolean;
}

/** Stored settings with the revision that wrote them. */
export interface StoredServiceSettings extends ServiceSettings {
  readonly createRevision: Revision;
  readonly modifyRevision: Revision;
}

/** Why a term began. */
export type TermReason =
  /** There was no active instance. */
  | 'vacant'
  /** The one before left the catalogue: expired, deregistered, superseded or moved. */
  | 'gone'
  /** The one before is no longer healthy, or only kept by mass-loss protection. */
  | 'unhealthy'
  /** The one before was disabled, put in maintenance or given weight 0. */
  | 'drained'
  /** Handed over by hand. */
  | 'requested';

/** Who is active in an exclusive service. */
export interface ExclusiveTerm {
  /** A fencing token: the revision at which it began, greater than every one before; 0 before the first. */
  readonly term: Revision;
  /** Id of the active instance; absent while there is none. */
  readonly active?: string;
  /** Epoch milliseconds at which the term began; absent before the first. */
  readonly sinceMs?: number;
  readonly reason?: TermReason;
}

/** What an instance of an exclusive service is. */
export interface ExclusiveRole {
  readonly role: 'active' | 'standby';
  readonly term: Revision;
  /** Id of the active instance; absent while there is none. */
  readonly active?: string;
}
