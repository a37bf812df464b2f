import type { RegistryError } from '../errors/registry-error.ts';
import type { AsciiTexts } from '../model/ascii-texts.ts';
import type { CheckSpec, CheckState } from '../model/check.ts';
import type { Condition } from '../model/condition.ts';
import type { ExclusiveTerm, ServiceSettings, StoredServiceSettings } from '../model/exclusive.ts';
import type { Instance, InstanceRef, Labels } from '../model/instance.ts';
import type { Intent, IntentPatch } from '../model/intent.ts';
import type { LeaseSpec } from '../model/lease.ts';
import type { Revision } from '../model/revision.ts';
import type { Route, StoredRoute } from '../model/route.ts';
import type { ServiceKey } from '../model/service.ts';
import type { Status } from '../model/status.ts';
import type { StoredTrafficPolicy, TrafficPolicy } from '../model/traffic-policy.ts';
import type { Webhook } from '../model/webhook.ts';
import type { CatalogueReader, EventLog } from './catalogue.ts';

/**
 * A registration as a dialect hands it over: names and types already checked, defaults still open.
 * The registry applies rule 1 to 8 and refuses what breaks them with a `RegistryError` that names the field.
 */
export interface RegistrationInput {
  readonly service: ServiceKey;
  /** Default `service-address-port`. */
  readonly id?: string;
  readonly address: string;
  readonly port: number;
  readonly tags?: readonly string[];
  readonly metadata?: Labels;
  readonly weight?: number;
  /**
   * `default` and `fast` name a profile; an object gives times; `none` asks for no lease. Absent: the registry's default
   * profile when there is no check, else no lease.
   */
  readonly lease?:
    | 'default'
    | 'fast'
    | 'none'
    | { readonly ttlMs: number; readonly heartbeatMs?: number };
  readonly checks?: readonly CheckInput[];
  readonly initialStatus?: Status;
  /** Probe the port once before registering; refuse with PREFLIGHT_FAILED when it does not accept. */
  readonly preflight?: boolean;
  /**
   * The service has to be exclusive: makes it so, in the same write, when nothing is settled for it yet. EXCLUSIVE_CONFLICT when its
   * settings say that it is not. Absent or false: whatever the service is.
   */
  readonly exclusive?: boolean;
  /** Set by providers only: no dialect takes it from the network. */
  readonly owner?: string;
  readonly condition?: Condition;
}

/** A check whose open schedule fields take the registry's defaults. `script` only when `trusted`. */
export interface CheckInput extends Partial<Omit<CheckSpec, 'probe'>> {
  readonly probe: CheckSpec['probe'];
}

export interface RegisterOutcome {
  readonly id: string;
  /** Newest of the instance. */
  readonly revision: Revision;
  readonly instance: Instance;
  /** False when the registration was identical: no revision, no write, nobody woken. */
  readonly changed: boolean;
  readonly created: boolean;
  /** Id that this registration replaced because it held the same address and port. */
  readonly superseded?: string;
}

export interface RegistrationPatch {
  readonly tags?: readonly string[];
  /** Merged key by key; null removes a key. */
  readonly metadata?: Readonly<Record<string, string | null>>;
  readonly weight?: number;
}

export interface Heartbeat {
  /** Merged as in `RegistrationPatch`; only a real change is written. */
  readonly metadata?: Readonly<Record<string, string | null>>;
  /** Sets the instance's `ttl` check, if it has one; else the status of an instance without checks. */
  readonly status?: Exclude<Status, 'unknown'>;
  /** Which ttl check, when there are several. */
  readonly checkId?: string;
  readonly output?: string;
}

export interface HeartbeatOutcome {
  readonly id: string;
  readonly status: Instance['status'];
  readonly exclusive: Instance['exclusive'] | undefined;
  readonly instance: Instance;
  /** Milliseconds until the lease ends without another heartbeat; absent without a lease. */
  readonly ttlMs?: number;
}

/** Per item: a value, or why not. Order follows the input. */
export type BatchItem<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: RegistryError };

/** Where a registration comes from decides what it may contain. */
export interface WriteContext {
  /** The operator's own configuration or an agent's command line: may use script checks. */
  readonly trusted: boolean;
}

/** Named documents with revisions: routes, webhooks. */
export interface DocumentCollection<
  T,
  S = T & { createRevision: Revision; modifyRevision: Revision },
> {
  list(): readonly S[];
  get(id: string): S | undefined;
  /** `ifRevision` 0: must not exist; n: must be at n; absent: any. Fails with CONFLICT. An equal document writes nothing. */
  put(
    id: string,
    document: T,
    ifRevision?: Revision,
  ): Promise<{ readonly document: S; readonly changed: boolean }>;
  /** False when it did not exist. With `ifRevision` n it must be at n; fails with CONFLICT. */
  delete(id: string, ifRevision?: Revision): Promise<boolean>;
}

/** One of several documents to be written together, with what the collection's own `put` and `delete` take. */
export type DocumentWrite = { readonly ifRevision?: Revision | undefined } & (
  | { readonly kind: 'route'; readonly document: Route }
  | { readonly kind: 'policy'; readonly document: TrafficPolicy }
  | { readonly kind: 'route' | 'policy'; readonly deleted: string }
);

/** What became of a document; `unchanged` also for a deletion of what did not exist. */
export type DocumentOutcome = 'created' | 'configured' | 'unchanged' | 'deleted';

/**
 * The whole registry. Writes resolve when durable and visible to readers. Caller's and environment's faults are
 * `RegistryError`s.
 */
export interface Registry extends CatalogueReader {
  readonly events: EventLog;
  /** The instance of a service at an address; found without a look at the others. */
  instanceAt(service: ServiceKey, address: string, port: number): Instance | undefined;
  register(input: RegistrationInput, context: WriteContext): Promise<RegisterOutcome>;
  /** One durable write for the batch; items succeed or fail one by one. */
  registerBatch(
    inputs: readonly RegistrationInput[],
    context: WriteContext,
  ): Promise<readonly BatchItem<RegisterOutcome>[]>;
  /** Renews in memory; resolves at once unless metadata or status really changed. INSTANCE_NOT_FOUND: register again. */
  heartbeat(ref: InstanceRef, heartbeat?: Heartbeat): Promise<HeartbeatOutcome>;
  /** Renews only: one promise for all, no allocation per item worth naming. Resolves to those that have to register again. */
  renewBatch(refs: readonly InstanceRef[]): Promise<readonly InstanceRef[]>;
  /**
   * As `renewBatch`, of ids as they came from the wire: nothing is made of those that are there. Resolves to the others; until then the
   * bytes stay as they are.
   */
  renewIds(namespace: string, ids: AsciiTexts): Promise<readonly string[]>;
  patch(ref: InstanceRef, patch: RegistrationPatch): Promise<Instance>;
  deregister(ref: InstanceRef): Promise<Instance>;
  setIntent(ref: InstanceRef, patch: IntentPatch): Promise<Instance>;
  intent(ref: InstanceRef): Intent;
  lease(ref: InstanceRef): { readonly spec: LeaseSpec; readonly remainingMs: number } | undefined;
  checks(ref: InstanceRef): readonly CheckState[];
  /** Keyed `namespace/name`. */
  readonly routeDocuments: DocumentCollection<Route, StoredRoute>;
  /** Keyed by `serviceId`: one a service. */
  readonly policyDocuments: DocumentCollection<TrafficPolicy, StoredTrafficPolicy>;
  readonly webhooks: DocumentCollection<Webhook>;
  /** Keyed by `serviceId`: one a service. */
  readonly settingsDocuments: DocumentCollection<ServiceSettings, StoredServiceSettings>;
  /**
   * Makes another instance of an exclusive service active: `to`, or the next in line. Resolves to the new term, or to the present one
   * when `to` is active already. SERVICE_NOT_EXCLUSIVE, INSTANCE_NOT_FOUND, or STANDBY_UNAVAILABLE when nobody could take over.
   */
  handOver(service: ServiceKey, to?: string): Promise<ExclusiveTerm>;
  /**
   * All of them in one commit, or none: readers see all at one revision. VALIDATION_FAILED or CONFLICT as of the collections; with
   * `dryRun` nothing is written.
   */
  writeDocuments(
    writes: readonly DocumentWrite[],
    options?: { readonly dryRun?: boolean },
  ): Promise<readonly DocumentOutcome[]>;
  namespaces(): readonly {
    readonly name: string;
    readonly services: number;
    readonly instances: number;
  }[];
  /** Idempotent. A namespace also comes into being with its first registration. */
  createNamespace(name: string): Promise<void>;
  /** Fails with CONFLICT while it has instances or routes. */
  deleteNamespace(name: string): Promise<void>;
  close(): Promise<void>;
}
