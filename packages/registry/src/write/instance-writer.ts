import {
  type BatchItem,
  type Clock,
  DEFAULT_INTENT,
  type DeregisterReason,
  type Guard,
  type Instance,
  type InstanceRef,
  type IntentPatch,
  isRegistryError,
  type Op,
  type Problem,
  type RegisterOutcome,
  type Registration,
  type RegistrationInput,
  type RegistrationPatch,
  RegistryError,
  type Revision,
  type Store,
  type WriteContext,
} from '@portolan/core';
import type { Catalogue } from '../catalogue/catalogue.ts';
import { InstanceRecord } from '../catalogue/instance-record.ts';
import { recordGuards, statusGuard } from '../catalogue/record-guards.ts';
import { shapeOf } from '../catalogue/registration-shape.ts';
import { fromRefKey, intentKey, refKey, statusKey } from '../codec/keys.ts';
import { encodeRegistration } from '../codec/registration-codec.ts';
import { encodeIntent, encodeStatus } from '../codec/status-codec.ts';
import { declareExclusive, hasToDeclare } from '../exclusive/declare-exclusive.ts';
import type { RegistryMetrics } from '../telemetry/registry-metrics.ts';
import { commitWrite } from './commit-write.ts';
import type { KeyLock } from './key-lock.ts';
import { idLock, placeLock } from './lock-keys.ts';
import { lockRegistrations } from './lock-registrations.ts';
import { mergeIntent, mergeLabels } from './merge-changes.ts';
import { isSameRegistration, keepsHealth } from './same-registration.ts';
import { checkLabels, toRegistration, type ValidationDeps } from './validate-registration.ts';

const MAX_TRIES = 8;

export interface InstanceWriterDeps extends Pick<ValidationDeps, 'addressPolicy'> {
  /** Read anew at each write: options may change at run time. */
  readonly options: () => ValidationDeps['options'];
  readonly catalogue: Catalogue;
  readonly store: Store;
  readonly clock: Clock;
  readonly metrics: RegistryMetrics;
  readonly lock: KeyLock;
  /** Why the port cannot be reached; undefined when it accepts. */
  readonly preflight?: (address: string, port: number) => Promise<string | undefined>;
  /** An identical registration came: it renews. A promise when its removal is with the store already: resolves when that is decided. */
  readonly onRenewed: (key: string) => Promise<void> | undefined;
}

interface ValidItem {
  readonly at: number;
  readonly registration: Omit<Registration, 'registeredAtMs'>;
  /** Only as an instance of an exclusive service. */
  readonly exclusive: boolean;
}

/** A registration on its way: what it would do, as seen from the catalogue and the items before it. */
interface Plan {
  readonly key: string;
  readonly registration: Registration;
  readonly before: InstanceRecord | undefined;
  readonly changed: boolean;
  readonly created: boolean;
  readonly superseded?: string;
}

/** The writes that change instances: each a compare-and-swap on the store, visible to readers when it resolves. */
export class InstanceWriter {
  readonly #deps: InstanceWriterDeps;

  constructor(deps: InstanceWriterDeps) {
    this.#deps = deps;
  }

  async register(input: RegistrationInput, context: WriteContext): Promise<RegisterOutcome> {
    const [item] = await this.registerBatch([input], context);
    if (!item) throw new Error('a batch of one gave nothing');
    if (!item.ok) throw item.error;
    return item.value;
  }

  async registerBatch(
    inputs: readonly RegistrationInput[],
    context: WriteContext,
  ): Promise<readonly BatchItem<RegisterOutcome>[]> {
    const { metrics } = this.#deps;
    const results: (BatchItem<RegisterOutcome> | undefined)[] = [];
    const valid: ValidItem[] = [];
    for (const [at, input] of inputs.entries()) {
      try {
        const validation = {
          options: this.#deps.options(),
          addressPolicy: this.#deps.addressPolicy,
        };
        const registration = toRegistration(input, context, validation);
        if (input.preflight) await this.#preflight(registration);
        valid.push({ at, registration, exclusive: input.exclusive === true });
      } catch (error) {
        if (!isRegistryError(error)) throw error;
        metrics.registration('refused');
        results[at] = { ok: false, error };
      }
    }
    const { catalogue, lock } = this.#deps;
    const registrations = valid.map(({ registration }) => registration);
    const release = await lockRegistrations(registrations, catalogue, lock);
    try {
      await this.#registerLocked(valid, results);
    } finally {
      release();
    }
    return results.map((item) => {
      if (!item) throw new Error('a batch left an item without a result');
      return item;
    });
  }

  patch(ref: InstanceRef, patch: RegistrationPatch): Promise<Instance> {
    return this.#change(ref, (record) => {
      const { instance } = record;
      const metadata = mergeLabels(instance.metadata, patch.metadata);
      const tags = patch.tags === undefined ? instance.tags : [...new Set(patch.tags)];
      const weight = patch.weight ?? instance.weight;
      const problems: Problem[] = [];
      checkLabels(tags, metadata, problems);
      if (!Number.isInteger(weight) || weight < 0 || weight > 65_535) {
        problems.push({ path: '$.weight', expected: 'a whole number from 0 to 65535' });
      }
      if (problems.length > 0) {
        const [first] = problems;
        const detail = `${first?.path} has to be ${first?.expected}. Nothing was changed.`;
        throw new RegistryError(
          problems.some((p) => p.path === '$.metadata') ? 'LABEL_LIMIT' : 'VALIDATION_FAILED',
          { detail, problems },
        );
      }
      const next: Registration = { ...toStored(instance), tags, metadata, weight };
      if (isSameRegistration(instance, next)) return undefined;
      return {
        ops: [{ type: 'put', key: record.key, value: encodeRegistration(next) }],
        guards: [{ key: record.key, modifyRevision: record.registrationRevision }],
      };
    });
  }

  async deregister(ref: InstanceRef): Promise<Instance> {
    let removed: Instance | undefined;
    await this.#change(ref, (record) => {
      removed = record.instance;
      return {
        ops: removalOps(record, this.#deps.catalogue),
        // A health that was written meanwhile must not outlive its instance.
        guards: recordGuards(record, this.#deps.catalogue),
        removal: 'requested',
      };
    });
    return removed ?? notFound(ref);
  }

  /** What the instance says of itself, without a check that would know better. */
  reportStatus(ref: InstanceRef, status: 'passing' | 'warning' | 'critical'): Promise<Instance> {
    return this.#change(ref, (record) => {
      const { instance, stored } = record;
      if (instance.status === status && (stored?.reported ?? instance.initialStatus) === status)
        return undefined;
      const value = encodeStatus({
        status,
        reason: 'as reported by the instance',
        protected: false,
        reported: status,
        checks: stored?.checks ?? {},
      });
      return {
        ops: [{ type: 'put', key: statusKey(record.key), value }],
        guards: [
          { key: record.key, modifyRevision: record.registrationRevision },
          { key: statusKey(record.key), modifyRevision: record.statusRevision },
        ],
      };
    });
  }

  setIntent(ref: InstanceRef, patch: IntentPatch): Promise<Instance> {
    const weight = patch.weight;
    if (
      typeof weight === 'number' &&
      !(Number.isInteger(weight) && weight >= 0 && weight <= 65_535)
    ) {
      const problem = { path: '$.weight', expected: 'a whole number from 0 to 65535, or null' };
      return Promise.reject(
        new RegistryError('VALIDATION_FAILED', {
          detail: `${problem.path} has to be ${problem.expected}.`,
          problems: [problem],
        }),
      );
    }
    return this.#change(ref, (record) => {
      const { catalogue } = this.#deps;
      const before = catalogue.intent(record.key);
      const after = mergeIntent(before, patch);
      if (JSON.stringify(before) === JSON.stringify(after)) return undefined;
      const key = intentKey(record.key);
      const isDefault = after.enabled && after.weight === undefined && !after.maintenance;
      return {
        ops: [
          isDefault ? { type: 'delete', key } : { type: 'put', key, value: encodeIntent(after) },
        ],
        guards: [{ key, modifyRevision: catalogue.intentRevision(record.key) }],
      };
    });
  }

  async #registerLocked(
    all: readonly ValidItem[],
    results: (BatchItem<RegisterOutcome> | undefined)[],
  ): Promise<void> {
    const { catalogue, metrics } = this.#deps;
    let valid = all;
    for (let tries = 1; valid.length > 0; tries++) {
      const plans: { readonly item: ValidItem; readonly plan: Plan }[] = [];
      const ops = new Map<string, Op>();
      const guards = new Map<string, Guard>();
      const overlay = { byKey: new Map<string, Registration>(), bySlot: new Map<string, string>() };
      for (const item of valid) {
        try {
          plans.push({ item, plan: this.#plan(item, overlay, ops, guards) });
        } catch (error) {
          if (!isRegistryError(error)) throw error;
          metrics.registration('refused');
          results[item.at] = { ok: false, error };
        }
      }
      let revision = catalogue.revision;
      if (ops.size > 0) {
        const removals = plans.flatMap(({ plan: { superseded, registration } }) => {
          if (superseded === undefined) return [];
          const { namespace } = registration.service;
          const record = catalogue.record(refKey({ namespace, id: superseded }));
          return record ? [{ record, reason: 'superseded' as const }] : [];
        });
        const write = { ops: [...ops.values()], guards: [...guards.values()] };
        const committed = await commitWrite(this.#deps, write, removals);
        if (!committed.ok) {
          if (tries >= MAX_TRIES) throw busy();
          // Somebody else's write came first: wait until it is visible here, then decide anew.
          await catalogue.reached.wait(committed.actual);
          continue;
        }
        revision = committed.revision;
        await catalogue.reached.wait(revision);
      }
      const removed: ValidItem[] = [];
      for (const { item, plan } of plans) {
        const removal = plan.changed ? undefined : this.#deps.onRenewed(plan.key);
        if (removal) {
          await removal;
          // It expired a moment before, so it is a new one.
          if (!catalogue.record(plan.key)) {
            removed.push(item);
            continue;
          }
        }
        metrics.registration(plan.created ? 'created' : plan.changed ? 'updated' : 'unchanged');
        results[item.at] = { ok: true, value: this.#outcome(plan, revision) };
      }
      valid = removed;
    }
  }

  #plan(
    { registration: given, exclusive }: ValidItem,
    overlay: { readonly byKey: Map<string, Registration>; readonly bySlot: Map<string, string> },
    ops: Map<string, Op>,
    guards: Map<string, Guard>,
  ): Plan {
    const { catalogue, clock } = this.#deps;
    const key = refOf(given);
    const record = catalogue.record(key);
    const before = overlay.byKey.get(key) ?? record?.instance;
    const registration: Registration = {
      ...given,
      registeredAtMs: before?.registeredAtMs ?? clock.wallNow(),
    };
    const declares = exclusive && hasToDeclare(given.service, catalogue);
    const isShown = !catalogue.isHidden(key);
    if (before && isShown && !declares && isSameRegistration(before, registration)) {
      return { key, registration, before: record, changed: false, created: false };
    }
    const place = placeLock(given);
    const planned = overlay.bySlot.get(place);
    const holder = planned ?? catalogue.occupant(given.service, given.address, given.port);
    const superseded = holder === undefined || holder === key ? undefined : holder;
    if (superseded !== undefined && this.#deps.options().onAddressConflict === 'reject') {
      throw new RegistryError('ADDRESS_CONFLICT', {
        detail: `${given.address}:${given.port} of service ${given.service.name} is instance ${fromRefKey(superseded).id}. Deregister it first, or register under its id.`,
        problems: [
          { path: '$.address', expected: 'an address and port that no other instance has' },
        ],
      });
    }
    if (exclusive) declareExclusive(given.service, catalogue, ops, guards);
    ops.set(key, { type: 'put', key, value: encodeRegistration(registration) });
    const known = record?.registrationRevision ?? catalogue.damaged.get(key) ?? 0;
    guards.set(key, { key, modifyRevision: known });
    if (record && !keepsHealth(record.instance, registration)) {
      const status = statusGuard(record, catalogue);
      guards.set(status.key, status);
      if (record.stored) ops.set(status.key, { type: 'delete', key: status.key });
    }
    if (superseded !== undefined) {
      const other = catalogue.record(superseded);
      if (other) {
        for (const op of removalOps(other, catalogue)) ops.set(op.key, op);
        for (const guard of recordGuards(other, catalogue)) guards.set(guard.key, guard);
      } else {
        ops.delete(superseded);
      }
      overlay.byKey.delete(superseded);
    }
    overlay.byKey.set(key, registration);
    overlay.bySlot.set(place, key);
    const plan = {
      key,
      registration,
      before: record,
      changed: true,
      created: before === undefined,
    };
    return superseded === undefined ? plan : { ...plan, superseded: fromRefKey(superseded).id };
  }

  #outcome(plan: Plan, revision: Revision): RegisterOutcome {
    const { changed, created, superseded } = plan;
    const present = this.#deps.catalogue.record(plan.key)?.instance;
    // A later write of the same batch may have taken it away again: then it is told as it was registered.
    const instance = present ?? asRegistered(plan, revision);
    return { instance, changed, created, ...(superseded === undefined ? {} : { superseded }) };
  }

  /** One compare-and-swap on an instance that exists; `decide` gives undefined when nothing would change. */
  async #change(
    ref: InstanceRef,
    decide: (record: InstanceRecord) =>
      | {
          readonly ops: readonly Op[];
          readonly guards: readonly Guard[];
          readonly removal?: DeregisterReason;
        }
      | undefined,
  ): Promise<Instance> {
    const { catalogue, lock } = this.#deps;
    const key = refKey(ref);
    const release = await lock.acquire([idLock(key)]);
    try {
      for (let tries = 1; ; tries++) {
        const record = catalogue.record(key);
        if (!record) return notFound(ref);
        const write = decide(record);
        if (!write) return record.instance;
        const removals = write.removal ? [{ record, reason: write.removal }] : [];
        const committed = await commitWrite(this.#deps, write, removals);
        if (committed.ok) {
          await catalogue.reached.wait(committed.revision);
          return catalogue.record(key)?.instance ?? record.instance;
        }
        if (tries >= MAX_TRIES) throw busy();
        await catalogue.reached.wait(committed.actual);
      }
    } finally {
      release();
    }
  }

  async #preflight(registration: Omit<Registration, 'registeredAtMs'>): Promise<void> {
    const { address, port } = registration;
    const reason = await this.#deps.preflight?.(address, port);
    if (reason === undefined) return;
    throw new RegistryError('PREFLIGHT_FAILED', {
      detail: `${address}:${port} did not accept a connection: ${reason}. Start the service first, or register without preflight.`,
      problems: [{ path: '$.port', expected: 'a port that accepts connections', found: `${port}` }],
    });
  }
}

export function notFound(ref: InstanceRef): never {
  throw new RegistryError('INSTANCE_NOT_FOUND', {
    detail: `No instance "${ref.id}" in namespace "${ref.namespace}": register it again.`,
  });
}

function busy(): RegistryError {
  return new RegistryError('CONFLICT', {
    detail: 'Others kept changing the same instance; nothing was changed. Try again.',
    retryAfterMs: 100,
  });
}

/** The stored part of an instance. */
export function toStored(instance: Instance): Registration {
  const { id, service, address, port, tags, metadata, weight, lease, checks } = instance;
  const { initialStatus, registeredAtMs, owner, condition } = instance;
  const base = { id, service, address, port, tags, metadata, weight, checks, initialStatus };
  return {
    ...base,
    registeredAtMs,
    ...(lease === undefined ? {} : { lease }),
    ...(owner === undefined ? {} : { owner }),
    ...(condition === undefined ? {} : { condition }),
  };
}

function removalOps(record: InstanceRecord, catalogue: Catalogue): Op[] {
  const ops: Op[] = [{ type: 'delete', key: record.key }];
  if (record.stored || catalogue.damaged.has(statusKey(record.key)))
    ops.push({ type: 'delete', key: statusKey(record.key) });
  return ops;
}

function refOf(registration: Pick<Registration, 'id' | 'service'>): string {
  return refKey({ namespace: registration.service.namespace, id: registration.id });
}

function asRegistered({ key, registration, before }: Plan, revision: Revision): Instance {
  const { service, address, port, registeredAtMs } = registration;
  return new InstanceRecord({
    key,
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
  }).instance;
}
