import {
  type CheckState,
  type Clock,
  type Guard,
  isRoutableStatus,
  type Logger,
  type Op,
  type Random,
  type Status,
  type Store,
  serviceId,
  type TimerHandle,
  worstStatus,
} from '@portolan/core';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { InstanceRecord, RecordDelta } from '../catalogue/instance-record.ts';
import type { ServiceState } from '../catalogue/service-state.ts';
import type { CheckScheduler } from '../checks/check-scheduler.ts';
import { instanceKey, protectionKey, statusKey } from '../codec/keys.ts';
import { encodeProtection, encodeStatus, type StoredStatus } from '../codec/status-codec.ts';
import type { LeaseTable } from '../leases/lease-table.ts';
import type { RegistryOptions } from '../options/registry-options.ts';
import {
  type MassLossState,
  NO_LOSSES,
  onLosses,
  onReturns,
  onTime,
} from '../protection/mass-loss.ts';
import type { RegistryMetrics } from '../telemetry/registry-metrics.ts';

const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 5_000;
const PROTECTION_TICK_MS = 1_000;

export interface HealthReconcilerDeps {
  readonly options: () => RegistryOptions;
  readonly catalogue: Catalogue;
  readonly leases: LeaseTable;
  readonly checks: CheckScheduler;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: RegistryMetrics;
}

export interface HealthReconciler {
  /** The lease or a check of these instances says something new; looked at together, soon. */
  mark(keys: readonly string[]): void;
  /** Follows the catalogue; `displaced` lost their address to a newer registration elsewhere. */
  onApplied(deltas: readonly RecordDelta[], displaced: readonly string[]): void;
  /** Resolves when what is marked now was written, or could not be for now. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

type Wanted =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'remove'; readonly reason: 'expired' | 'check' | 'superseded' }
  | { readonly kind: 'status'; readonly next: StoredStatus };

interface Transition {
  readonly record: InstanceRecord;
  readonly wanted: Wanted;
  /** Goes out of rotation without having asked for it. */
  readonly isLoss: boolean;
}

/**
 * Brings the stored health in line with what leases and checks say. Marks are judged together, per service, so that a
 * mass loss is seen as one; commits are small, so that callers' writes get in between; a failed one is tried again.
 */
export function createHealthReconciler(deps: HealthReconcilerDeps): HealthReconciler {
  const { catalogue, leases, checks, store, clock, random, logger, metrics } = deps;
  const dirty = new Set<string>();
  const displacedKeys = new Set<string>();
  const protection = new Map<string, MassLossState>();
  const settleWaiters: (() => void)[] = [];
  let running: Promise<void> | undefined;
  let retry: TimerHandle | undefined;
  let tick: TimerHandle | undefined;
  let failures = 0;
  let closed = false;

  function mark(keys: readonly string[]): void {
    if (closed) return;
    for (const key of keys) dirty.add(key);
    start();
  }

  function start(): void {
    if (running || retry || closed || dirty.size === 0) return;
    // In a later turn: everything that falls due in this one is judged together.
    running = Promise.resolve()
      .then(run)
      .catch((error: unknown) => backOff(error))
      .finally(() => {
        running = undefined;
        for (const done of settleWaiters.splice(0)) done();
        start();
      });
  }

  function backOff(error: unknown): void {
    if (closed) return;
    metrics.storeFailure();
    const delayMs = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(failures++, 10));
    logger.error({ err: error, waiting: dirty.size }, 'health could not be written; trying again');
    retry = clock.setTimer(delayMs * (0.5 + random() / 2), () => {
      retry = undefined;
      start();
    });
  }

  async function run(): Promise<void> {
    const keys = [...dirty];
    dirty.clear();
    const byService = new Map<ServiceState, Transition[]>();
    for (const key of keys) {
      const record = catalogue.record(key);
      const state = record && catalogue.service(serviceId(record.instance.service));
      if (!record || !state) continue;
      const wanted = judge(record);
      if (wanted.kind === 'nothing') continue;
      const isLoss =
        wanted.kind === 'remove'
          ? wanted.reason !== 'superseded' && isRoutableStatus(record.instance.status)
          : isRoutableStatus(record.instance.status) && !isRoutableStatus(wanted.next.status);
      const transitions = byService.get(state) ?? [];
      byService.set(state, transitions);
      transitions.push({ record, wanted, isLoss });
    }
    const writes: { readonly key: string; readonly ops: Op[]; readonly guards: Guard[] }[] = [];
    for (const [state, transitions] of byService) {
      const keep = protect(state, transitions);
      for (const transition of transitions) writes.push(toWrite(transition, keep));
      writes.push(...protectionWrite(state, keep));
    }
    try {
      await commitAll(writes);
      failures = 0;
    } catch (error) {
      for (const key of keys) dirty.add(key);
      throw error;
    }
  }

  /** What leases and checks together say of an instance, against what is stored. */
  function judge(record: InstanceRecord): Wanted {
    const { key, instance, stored } = record;
    if (displacedKeys.has(key)) return { kind: 'remove', reason: 'superseded' };
    if (checks.isOverdue(key)) return { kind: 'remove', reason: 'check' };
    const isExpired = leases.isExpired(key);
    const states = checks.states(key);
    if (isExpired && !stored?.protected) return { kind: 'remove', reason: 'expired' };
    const reported = stored?.reported;
    const statuses: Status[] =
      states.length > 0
        ? states.map((state) => state.status)
        : [reported ?? instance.initialStatus];
    const status = isExpired ? 'critical' : worstStatus(statuses);
    const isProtected = Boolean(stored?.protected) && (isExpired || !isRoutableStatus(status));
    if (status === instance.status && isProtected === instance.protected)
      return { kind: 'nothing' };
    const next: StoredStatus = {
      status,
      reason: isExpired ? 'its lease ran out' : reasonOf(states, status),
      protected: isProtected,
      ...(reported === undefined ? {} : { reported }),
      checks: Object.fromEntries(states.map((state) => [state.id, state.status])),
    };
    return { kind: 'status', next };
  }

  /** Whether the losses among these are to be kept in rotation. */
  function protect(state: ServiceState, transitions: readonly Transition[]): boolean {
    const lost = transitions.filter((transition) => transition.isLoss).length;
    const nowMs = clock.now();
    const before = protection.get(state.id) ?? NO_LOSSES;
    if (lost === 0) {
      const returned = transitions.some(
        ({ record, wanted }) => record.instance.protected && wanted.kind === 'status',
      );
      if (returned) protection.set(state.id, onReturns(before, nowMs));
      return before.mode !== 'normal';
    }
    const healthy = healthyOf(state);
    const verdict = onLosses(before, { nowMs, count: lost, healthy }, deps.options().protection);
    protection.set(state.id, verdict.state);
    if (verdict.keep && before.mode === 'normal') {
      metrics.protectionEntered();
      logger.warn(
        { service: state.id, lost, healthy },
        'mass loss: the last known instances are kept in rotation until they return or the loss lasts',
      );
    }
    if (verdict.keep) armTick();
    return verdict.keep;
  }

  function toWrite(
    { record, wanted, isLoss }: Transition,
    keep: boolean,
  ): { key: string; ops: Op[]; guards: Guard[] } {
    const { key, stored } = record;
    const guards: Guard[] = [
      { key: instanceKey(key), modifyRevision: record.registrationRevision },
      { key: statusKey(key), modifyRevision: record.statusRevision },
    ];
    if (wanted.kind === 'remove' && !(keep && isLoss)) {
      const ops: Op[] = [{ type: 'delete', key: instanceKey(key) }];
      if (stored) ops.push({ type: 'delete', key: statusKey(key) });
      catalogue.announceRemoval(key, wanted.reason);
      if (wanted.reason !== 'superseded') metrics.removed(wanted.reason);
      displacedKeys.delete(key);
      return { key, ops, guards };
    }
    const next: StoredStatus =
      wanted.kind === 'status'
        ? { ...wanted.next, protected: wanted.next.protected || (keep && isLoss) }
        : {
            status: 'critical',
            reason: 'gone in a mass loss; kept by protection',
            protected: true,
            ...(stored?.reported === undefined ? {} : { reported: stored.reported }),
            checks: stored?.checks ?? {},
          };
    return { key, ops: [{ type: 'put', key: statusKey(key), value: encodeStatus(next) }], guards };
  }

  function protectionWrite(
    state: ServiceState,
    keep: boolean,
  ): { key: string; ops: Op[]; guards: Guard[] }[] {
    if (
      keep &&
      state.protectedSinceMs === undefined &&
      protection.get(state.id)?.mode === 'protected'
    ) {
      const value = encodeProtection(clock.wallNow());
      return [
        { key: '', ops: [{ type: 'put', key: protectionKey(state.key), value }], guards: [] },
      ];
    }
    return [];
  }

  async function commitAll(
    writes: readonly { key: string; ops: Op[]; guards: Guard[] }[],
  ): Promise<void> {
    const { batchSize } = deps.options().transitions;
    for (let from = 0; from < writes.length; from += batchSize) {
      const slice = writes.slice(from, from + batchSize);
      const ops = slice.flatMap((write) => write.ops);
      const guards = slice.flatMap((write) => write.guards);
      const committed = await store.commit(ops, guards);
      if (committed.ok) {
        await catalogue.reached.wait(committed.revision);
        continue;
      }
      await catalogue.reached.wait(committed.actual);
      // Somebody was first with one of them: each is judged anew, alone, so that one does not hold up the others.
      for (const { key, ops: own, guards: ownGuards } of slice) {
        const single = await store.commit(own, ownGuards);
        if (single.ok) await catalogue.reached.wait(single.revision);
        else if (key !== '') {
          catalogue.forgetRemoval(key);
          dirty.add(key);
        }
      }
    }
  }

  function armTick(): void {
    tick ??= clock.setTimer(PROTECTION_TICK_MS, () => {
      tick = undefined;
      void onTick().catch(backOff);
    });
  }

  async function onTick(): Promise<void> {
    if (closed) return;
    const nowMs = clock.now();
    const { protection: options } = deps.options();
    const writes: { key: string; ops: Op[]; guards: Guard[] }[] = [];
    for (const state of catalogue.protectedStates()) {
      const before = protection.get(state.id) ?? {
        mode: 'protected',
        sinceMs: nowMs,
        lastChangeMs: nowMs,
      };
      const kept = state.view.instances.filter((instance) => instance.protected);
      const verdict = onTime(
        before,
        { nowMs, healthy: healthyOf(state), kept: kept.length },
        options,
      );
      protection.set(state.id, verdict.state);
      for (const { id, service } of kept.slice(0, verdict.evict)) {
        const record = catalogue.record(`${service.namespace}/${id}`);
        if (record) writes.push(eviction(record));
      }
      if (verdict.state.mode === 'normal') {
        logger.warn({ service: state.id }, 'mass-loss protection ended');
        protection.delete(state.id);
        writes.push({
          key: '',
          ops: [{ type: 'delete', key: protectionKey(state.key) }],
          guards: [],
        });
      }
    }
    await commitAll(writes);
    if (!closed && catalogue.protectedServices > 0) armTick();
  }

  /** A believed loss: an expired instance goes, one whose check fails leaves rotation. */
  function eviction(record: InstanceRecord): { key: string; ops: Op[]; guards: Guard[] } {
    const wanted: Wanted =
      leases.isExpired(record.key) || !record.stored
        ? { kind: 'remove', reason: 'expired' }
        : { kind: 'status', next: { ...record.stored, protected: false } };
    return toWrite({ record, wanted, isLoss: false }, false);
  }

  return {
    mark,
    onApplied(deltas, displaced) {
      for (const key of displaced) displacedKeys.add(key);
      if (displaced.length > 0) mark(displaced);
      for (const { key, after } of deltas) {
        if (!after) displacedKeys.delete(key);
        else if (after.instance.protected) armTick();
      }
    },
    async settled() {
      if (!running && dirty.size === 0) return;
      if (retry) return;
      await new Promise<void>((resolve) => {
        settleWaiters.push(resolve);
        start();
      });
    },
    async close() {
      closed = true;
      retry?.cancel();
      tick?.cancel();
      await running;
    },
  };
}

function healthyOf(state: ServiceState): number {
  return state.view.instances.filter((instance) => isRoutableStatus(instance.status)).length;
}

function reasonOf(states: readonly CheckState[], status: Status): string {
  const telling = states.find((state) => state.status === status);
  if (!telling) return status === 'unknown' ? 'waiting for the first probe' : 'as registered';
  return telling.output === '' ? `check ${telling.id}` : `${telling.id}: ${telling.output}`;
}
