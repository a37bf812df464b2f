import {
  type AddressPolicy,
  type Clock,
  type DocumentWrite,
  type ExclusiveRole,
  type HealthProbe,
  type Heartbeat,
  type HeartbeatOutcome,
  type Instance,
  type InstanceRef,
  type Logger,
  type Metrics,
  type Random,
  type RegisterOutcome,
  type Registry,
  RegistryError,
  type Revision,
  type ServiceView,
  type Status,
  type Store,
  serviceId,
  textAt,
} from '@portolan/core';
import { Catalogue } from './catalogue/catalogue.ts';
import { CatalogueFeed } from './catalogue/catalogue-feed.ts';
import type { InstanceRecord, RecordDelta } from './catalogue/instance-record.ts';
import { CheckScheduler } from './checks/check-scheduler.ts';
import { encodePolicy, encodeRoute, encodeWebhook } from './codec/document-codec.ts';
import { encodeSettings } from './codec/exclusive-codec.ts';
import { idOf, refKey } from './codec/keys.ts';
import { ExclusiveController } from './exclusive/exclusive-controller.ts';
import { createHealthReconciler } from './health/reconciler.ts';
import { LeaseTable } from './leases/lease-table.ts';
import { type RegistryOptionsInput, resolveRegistryOptions } from './options/registry-options.ts';
import { createRegistryMetrics } from './telemetry/registry-metrics.ts';
import { nextTurn } from './time/next-turn.ts';
import { commitDocuments, type DocumentChange } from './write/commit-documents.ts';
import { createDocuments } from './write/documents.ts';
import { InstanceWriter, notFound } from './write/instance-writer.ts';
import { KeyLock } from './write/key-lock.ts';
import { mergeLabels } from './write/merge-changes.ts';
import { createNamespaces } from './write/namespaces.ts';
import {
  validatePolicy,
  validateRoute,
  validateSettings,
  validateWebhook,
} from './write/validate-route.ts';

export interface RegistryDeps {
  /** Stays the caller's: `close` does not close it. */
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly probes: readonly HealthProbe[];
  readonly addressPolicy: AddressPolicy;
  /** Why the port cannot be reached; undefined when it accepts. Absent: `preflight` is not asked for. */
  readonly preflight?: (address: string, port: number) => Promise<string | undefined>;
  /** Gives the event loop its turn in the middle of much work; absent: `setImmediate`. */
  readonly nextTurn?: () => Promise<void>;
}

/** The registry of this process, and what only its composition root does with it. */
export interface LocalRegistry extends Registry {
  /** Thresholds and defaults for what comes from now on; window sizes stay. */
  updateOptions(options: RegistryOptionsInput): void;
  /** Views newer than `from`; undefined when some removals are forgotten. */
  viewsSince(from: Revision): readonly ServiceView[] | undefined;
}

/** Loads the catalogue from the store and starts leases and checks. Rejects with what the store says. */
export async function createRegistry(
  input: RegistryOptionsInput,
  deps: RegistryDeps,
): Promise<LocalRegistry> {
  const { store, clock, random, logger } = deps;
  let options = resolveRegistryOptions(input);
  let closed = false;
  let loaded = false;

  const metrics = createRegistryMetrics(deps.metrics, () => ({
    watchers: () => catalogue.subscribers.count,
    revision: () => catalogue.revision,
    protectedServices: () => catalogue.protectedServices,
    damaged: () => catalogue.damaged.size,
    exclusive: () => countExclusive(catalogue),
    statuses: () => countStatuses(catalogue.records()),
  }));
  const onApplied = (deltas: readonly RecordDelta[], displaced: readonly string[]): void => {
    for (const delta of deltas) {
      leases.follow(delta);
      checks.follow(delta, !loaded);
    }
    reconciler.onApplied(deltas, displaced);
    exclusive.onApplied(deltas);
  };
  const catalogue = new Catalogue(
    { eventWindowSize: options.events.windowSize, maxTombstones: options.tombstones.max },
    { logger, wallNow: () => clock.wallNow(), onApplied },
  );
  const leases = new LeaseTable({
    clock,
    recordOf: (key) => catalogue.record(key),
    onExpired: (keys) => reconciler.mark(keys),
  });
  const checks = new CheckScheduler(options.checks, {
    clock,
    random,
    logger,
    metrics,
    probes: deps.probes,
    onChanged: (key) => reconciler.mark([key]),
  });
  const lock = new KeyLock();
  const reconciler = createHealthReconciler({
    lock,
    options: () => options,
    catalogue,
    leases,
    checks,
    store,
    clock,
    random,
    logger,
    metrics,
    nextTurn: deps.nextTurn ?? nextTurn,
  });
  const exclusive = new ExclusiveController({ catalogue, store, clock, random, logger, metrics });
  /** Whether it counted as lost until now. */
  const hear = (record: InstanceRecord): boolean => {
    if (leases.renew(record) !== 'returned') return false;
    reconciler.mark([record.key]);
    return true;
  };
  const writer = new InstanceWriter({
    options: () => options,
    addressPolicy: deps.addressPolicy,
    catalogue,
    store,
    clock,
    metrics,
    lock,
    onRenewed: (key) => {
      const record = catalogue.record(key);
      return record && hear(record) ? reconciler.removalUnderWay(key) : undefined;
    },
    ...(deps.preflight === undefined ? {} : { preflight: deps.preflight }),
  });
  const shared = { store, lock, reached: catalogue.reached };
  const routeDocuments = createDocuments({
    ...shared,
    kind: 'route',
    shelf: catalogue.routeShelf,
    encode: encodeRoute,
    validate: validateRoute,
  });
  const policyDocuments = createDocuments({
    ...shared,
    kind: 'policy',
    shelf: catalogue.policyShelf,
    encode: encodePolicy,
    validate: validatePolicy,
  });
  const webhooks = createDocuments({
    ...shared,
    kind: 'webhook',
    shelf: catalogue.webhooks,
    encode: encodeWebhook,
    validate: validateWebhook,
  });
  const settingsDocuments = createDocuments({
    ...shared,
    kind: 'settings',
    shelf: catalogue.settingsShelf,
    encode: encodeSettings,
    validate: validateSettings,
  });
  function toChange(write: DocumentWrite): DocumentChange {
    if ('deleted' in write) {
      const collection = write.kind === 'route' ? routeDocuments : policyDocuments;
      return collection.deletionOf(write.deleted, write.ifRevision);
    }
    if (write.kind === 'route') {
      const { namespace, name } = write.document;
      return routeDocuments.changeTo(`${namespace}/${name}`, write.document, write.ifRevision);
    }
    const { namespace, group, service } = write.document;
    const id = serviceId({ namespace, group, name: service });
    return policyDocuments.changeTo(id, write.document, write.ifRevision);
  }
  const namespaces = createNamespaces({ ...shared, catalogue });
  const feed = new CatalogueFeed(catalogue, store, clock, logger);
  await feed.start();
  loaded = true;

  /** Refuses writes of a registry that is closing: what is acknowledged must also be seen. */
  function open(): void {
    if (closed) throw shuttingDown();
  }

  function now(instance: Instance): Instance {
    return (
      catalogue.instance({ namespace: instance.service.namespace, id: instance.id }) ?? instance
    );
  }

  /** What a write to an exclusive service did is told when it is clear who is active. */
  async function afterElection(instance: Instance): Promise<Instance> {
    await exclusive.settled();
    return now(instance);
  }

  function elected(outcome: RegisterOutcome): RegisterOutcome | Promise<RegisterOutcome> {
    if (catalogue.settingsShelf.size === 0 || !outcome.instance.exclusive) return outcome;
    return afterElection(outcome.instance).then((instance) => withInstance(outcome, instance));
  }

  async function heartbeat(ref: InstanceRef, beat?: Heartbeat): Promise<HeartbeatOutcome> {
    open();
    const key = refKey(ref);
    const record = catalogue.record(key);
    if (!record) {
      metrics.heartbeats('unknown');
      return notFound(ref);
    }
    if (beat) await tell(ref, record.instance, beat);
    // A removal may be on its way to the store while its instance is heard: only what comes of it tells who was in time.
    const told = beat ? catalogue.record(key) : record;
    const removal = told && hear(told) ? reconciler.removalUnderWay(key) : undefined;
    if (removal) await removal;
    const present = removal ? catalogue.record(key) : told;
    if (!present) {
      metrics.heartbeats('unknown');
      return notFound(ref);
    }
    metrics.heartbeats('renewed');
    // It was given its whole term this moment.
    return new Renewal(present, present.lease?.ttlMs);
  }

  /** What a heartbeat says besides that there is one: all of it or nothing. */
  async function tell(ref: InstanceRef, instance: Instance, beat: Heartbeat): Promise<void> {
    const key = refKey(ref);
    const { status, checkId, metadata, output = 'as reported by the instance' } = beat;
    const isForCheck = status !== undefined && checks.takesReport(key, checkId);
    if (status && !isForCheck && (checkId !== undefined || instance.checks.length > 0)) {
      throw new RegistryError('CHECK_NOT_FOUND', {
        detail: `Instance "${ref.id}" has no ttl check${checkId === undefined ? '' : ` "${checkId}"`} that takes a report.`,
      });
    }
    if (metadata && mergeLabels(instance.metadata, metadata) !== instance.metadata) {
      await writer.patch(ref, { metadata });
    }
    if (!status) return;
    if (!isForCheck) {
      await writer.reportStatus(ref, status);
      return;
    }
    checks.report(key, status, output, checkId);
    await reconciler.settled();
  }

  /** Gives each its term. Resolves to the places of those that are not there, or not any more by a removal that was under way. */
  async function renewAll(records: readonly (InstanceRecord | undefined)[]): Promise<number[]> {
    const returned = leases.renewMany(records).map(({ key }) => key);
    if (returned.length > 0) reconciler.mark(returned);
    const leaving = new Set(returned.filter((key) => reconciler.removalUnderWay(key)));
    await Promise.all([...leaving].map((key) => reconciler.removalUnderWay(key)));
    const unknown: number[] = [];
    for (let at = 0; at < records.length; at++) {
      const key = records[at]?.key;
      if (key === undefined || (leaving.has(key) && !catalogue.record(key))) unknown.push(at);
    }
    const renewed = records.length - unknown.length;
    if (renewed > 0) metrics.heartbeats('renewed', renewed);
    if (unknown.length > 0) metrics.heartbeats('unknown', unknown.length);
    return unknown;
  }

  return {
    get revision() {
      return catalogue.revision;
    },
    services: (namespace) => catalogue.services(namespace),
    view: (service) => catalogue.view(service),
    viewsSince: (from) => catalogue.viewsSince(from),
    instance: (ref) => catalogue.instance(ref),
    instanceAt: (service, address, port) => catalogue.instanceAt(service, address, port),
    routes: () => catalogue.routes(),
    policies: () => catalogue.policies(),
    subscribe: (listener) => catalogue.subscribe(listener),
    subscribeService: (service, listener) => catalogue.subscribeService(service, listener),
    events: catalogue.events,
    register(registration, context) {
      if (closed) return Promise.reject(shuttingDown());
      return writer.register(registration, context).then(elected);
    },
    async registerBatch(registrations, context) {
      open();
      const items = await writer.registerBatch(registrations, context);
      if (catalogue.settingsShelf.size === 0) return items;
      if (!items.some((item) => item.ok && item.value.instance.exclusive)) return items;
      await exclusive.settled();
      return items.map((item) =>
        item.ok ? { ok: true, value: withInstance(item.value, now(item.value.instance)) } : item,
      );
    },
    heartbeat,
    async renewBatch(refs) {
      const unknown = await renewAll(catalogue.recordsOf(refs.map(refKey)));
      return unknown.map((at) => refs[at] as InstanceRef);
    },
    async renewIds(namespace, ids) {
      const unknown = await renewAll(catalogue.recordsIn(namespace, ids));
      return unknown.map((at) => textAt(ids, at));
    },
    async patch(ref, patch) {
      open();
      return writer.patch(ref, patch);
    },
    async deregister(ref) {
      open();
      const present = catalogue.instance(ref);
      if (present) await exclusive.relinquish(present, 'gone');
      return writer.deregister(ref);
    },
    async setIntent(ref, patch) {
      open();
      const present = catalogue.instance(ref);
      const isDrain = patch.enabled === false || !!patch.maintenance || patch.weight === 0;
      if (present && isDrain) await exclusive.relinquish(present, 'drained');
      const instance = await writer.setIntent(ref, patch);
      return instance.exclusive ? afterElection(instance) : instance;
    },
    intent: (ref) => catalogue.intent(refKey(ref)),
    lease: (ref) => leases.get(refKey(ref)),
    checks: (ref) => checks.states(refKey(ref)),
    routeDocuments,
    policyDocuments,
    webhooks,
    settingsDocuments,
    async handOver(service, to) {
      open();
      return exclusive.handOver(service, to);
    },
    async writeDocuments(writes, options) {
      open();
      return commitDocuments(writes.map(toChange), shared, options?.dryRun);
    },
    ...namespaces,
    updateOptions(next) {
      options = resolveRegistryOptions(next);
    },
    async close() {
      if (closed) return;
      closed = true;
      checks.close();
      leases.close();
      await Promise.all([reconciler.close(), exclusive.close()]);
      await feed.close();
      catalogue.subscribers.clear();
    },
  };
}

/** Most answers to a heartbeat name three things of the instance: it is made only for those that want all of it. */
class Renewal implements HeartbeatOutcome {
  declare readonly ttlMs?: number;
  readonly #record: InstanceRecord;

  constructor(record: InstanceRecord, ttlMs: number | undefined) {
    this.#record = record;
    if (ttlMs !== undefined) this.ttlMs = ttlMs;
  }

  get id(): string {
    return idOf(this.#record.key);
  }

  get status(): Status {
    return this.#record.status;
  }

  get exclusive(): ExclusiveRole | undefined {
    return this.#record.exclusive;
  }

  get instance(): Instance {
    return this.#record.instance;
  }
}

function shuttingDown(): RegistryError {
  return new RegistryError('SHUTTING_DOWN', { detail: 'The registry is shutting down.' });
}

function withInstance(outcome: RegisterOutcome, instance: Instance): RegisterOutcome {
  return { ...outcome, instance, revision: instance.modifyRevision };
}

function countExclusive(catalogue: Catalogue): { services: number; vacant: number } {
  let services = 0;
  let vacant = 0;
  for (const { namespace, group, service, exclusive } of catalogue.settingsShelf.list()) {
    if (!exclusive) continue;
    const view = catalogue.view({ namespace, group, name: service });
    if (!view || view.count === 0) continue;
    services++;
    if (view.exclusive?.active === undefined) vacant++;
  }
  return { services, vacant };
}

function countStatuses(records: Iterable<InstanceRecord>): Record<string, number> {
  const counts: Record<string, number> = { passing: 0, warning: 0, critical: 0, unknown: 0 };
  for (const { status } of records) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}
