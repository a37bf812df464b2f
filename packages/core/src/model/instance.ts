import { isHostName } from '../network/ip-address.ts';
import type { CheckSpec } from './check.ts';
import type { Condition } from './condition.ts';
import type { ExclusiveRole, ExclusiveTerm } from './exclusive.ts';
import type { Intent } from './intent.ts';
import type { LeaseSpec } from './lease.ts';
import type { Revision } from './revision.ts';
import type { ServiceKey } from './service.ts';
import type { Status } from './status.ts';

/** Names one instance. Ids are unique within a namespace, across services. */
export interface InstanceRef {
  readonly namespace: string;
  readonly id: string;
}

export type Labels = Readonly<Record<string, string>>;

/** What a registrant says of an instance, parsed and complete with defaults. This is what is stored. */
export interface Registration {
  readonly id: string;
  readonly service: ServiceKey;
  /** IP literal (IPv6 without brackets) or host name; a name is resolved when dialled. */
  readonly address: string;
  readonly port: number;
  /** As registered, in order, without duplicates. */
  readonly tags: readonly string[];
  readonly metadata: Labels;
  /** Share of traffic relative to its siblings, 0 to 65535; 0 takes no new traffic. */
  readonly weight: number;
  /** Absent: the instance lives until deregistered. */
  readonly lease?: LeaseSpec;
  readonly checks: readonly CheckSpec[];
  /** Status claimed at registration; used only while there is no check to know better. */
  readonly initialStatus: Status;
  /** Epoch milliseconds at which this id was first registered. */
  readonly registeredAtMs: number;
  /** Provider that keeps it registered; absent: whoever registered it. */
  readonly owner?: string;
  /** Absent: nothing but checks and the operator keep it from requests. */
  readonly condition?: Condition;
}

/** An instance as readers see it: the registration, the operator's intent and its present health. */
export interface Instance extends Registration {
  /** Tags of the form `key:value` (or `key=value`) and metadata, one set; metadata wins. */
  readonly labels: Labels;
  readonly status: Status;
  /** Why `status` is what it is, in a few words for people; never a probe's response body. */
  readonly statusReason: string;
  readonly intent: Intent;
  /** `intent.weight` when set, else the registered weight. */
  readonly effectiveWeight: number;
  /** Whether the gateway may send it new requests: healthy (or protected), enabled, not in maintenance, no standby. */
  readonly routable: boolean;
  /** Kept in rotation by mass-loss protection although its lease or checks say otherwise. */
  readonly protected: boolean;
  /** Present in an exclusive service. */
  readonly exclusive?: ExclusiveRole;
  readonly createRevision: Revision;
  readonly modifyRevision: Revision;
}

/** A service's instances at a revision: immutable, sorted by id; a new object for every change. */
export interface ServiceView {
  readonly service: ServiceKey;
  readonly revision: Revision;
  /** How many instances: known without making them. */
  readonly count: number;
  /** Made when first asked for, where the view is the registry's own. */
  readonly instances: readonly Instance[];
  /** Whether some of them are registered by a host name, which has to be resolved before it can be dialled. */
  readonly named: boolean;
  /** Present while mass-loss protection keeps instances that would have been removed. */
  readonly protection?: { readonly sinceMs: number; readonly kept: number };
  /** Present in an exclusive service. */
  readonly exclusive?: ExclusiveTerm;
}

/** The view of instances that are at hand. */
export function toServiceView(
  service: ServiceKey,
  revision: Revision,
  instances: readonly Instance[],
  more: Pick<ServiceView, 'protection' | 'exclusive'> = {},
): ServiceView {
  return {
    service,
    revision,
    count: instances.length,
    instances,
    named: instances.some(({ address }) => isHostName(address)),
    ...(more.protection === undefined ? {} : { protection: more.protection }),
    ...(more.exclusive === undefined ? {} : { exclusive: more.exclusive }),
  };
}
