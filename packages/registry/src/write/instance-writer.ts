import {
  type BatchItem,
  type Clock,
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
  type Store,
  type WriteContext,
} from '@portolan/core';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { InstanceRecord } from '../catalogue/instance-record.ts';
import { recordGuards } from '../catalogue/record-guards.ts';
import { intentKey, refKey, statusKey } from '../codec/keys.ts';
import { encodeRegistration } from '../codec/registration-codec.ts';
import { encodeIntent, encodeStatus } from '../codec/status-codec.ts';
import type { RegistryMetrics } from '../telemetry/registry-metrics.ts';
import { commitWrite } from './commit-write.ts';
import type { KeyLock } from './key-lock.ts';
import { keyLock, placeLock } from './lock-keys.ts';
import { findOccupants, lockRegistrations } from './lock-registrations.ts';
import { mergeIntent, mergeLabels } from './merge-changes.ts';
import { Outcome, RegistrationWrite, removalOps, type ValidItem } from './registration-plan.ts';
import { isSameRegistration } from './same-registration.ts';
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

/** The writes that change instances: each a compare-and-swap on the store, visible to readers when it resolves. */
export class InstanceWriter {
  readonly #deps: InstanceWriterDeps;

  constructor(deps: InstanceWriterDeps) {
    this.#deps = deps;
  }

  register(input: RegistrationInput, context: WriteContext): Promise<RegisterOutcome> {
    return this.registerBatch([input], context).then(onlyOne);
  }

  async registerBatch(
    inputs: readonly RegistrationInput[],
    context: WriteContext,
  ): Promise<readonly BatchItem<RegisterOutcome>[]> {
    const { options, addressPolicy, catalogue, clock, lock } = this.#deps;
    const validation = { options: options(), addressPolicy };
    const nowMs = clock.wallNow();
    const results: (BatchItem<RegisterOutcome> | undefined)[] = new Array(inputs.length);
    const valid: ValidItem[] = [];
    for (let at = 0; at < inputs.length; at++) {
      const input = inputs[at] as RegistrationInput;
      try {
        const registration = toRegistration(input, context, validation, nowMs);
        if (input.preflight) await this.#preflight(registration);
        const { service, id } = registration;
        valid.push({
          at,
          key: refKey({ namespace: service.namespace, id }),
          place: placeLock(registration),
          registration,
          exclusive: input.exclusive === true,
          occupant: undefined,
        });
      } catch (error) {
        this.#refuse(at, error, results);
      }
    }
    const locked = lockRegistrations(valid, catalogue, lock);
    const release = locked instanceof Promise ? await locked : locked;
    try {
      await this.#registerLocked(valid, results);
    } finally {
      release();
    }
    for (const result of results) if (!result) throw new Error('a batch left an item out');
    return results as readonly BatchItem<RegisterOutcome>[];
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
      if (isSameRegistration(instance, instance, next)) return undefined;
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

  #refuse(at: number, error: unknown, results: (BatchItem<RegisterOutcome> | undefined)[]): void {
    if (!isRegistryError(error)) throw error;
    this.#deps.metrics.registration('refused');
    results[at] = { ok: false, error };
  }

  async #registerLocked(
    all: readonly ValidItem[],
    results: (BatchItem<RegisterOutcome> | undefined)[],
  ): Promise<void> {
    const { catalogue, metrics } = this.#deps;
    let left = all;
    for (let tries = 1; left.length > 0; tries++) {
      if (tries > 1) findOccupants(left, catalogue);
      const { onAddressConflict } = this.#deps.options();
      const write = new RegistrationWrite(catalogue, onAddressConflict, left.length);
      for (const item of left) {
        try {
          write.add(item);
        } catch (error) {
          this.#refuse(item.at, error, results);
        }
      }
      let revision = catalogue.revision;
      if (write.ops.length > 0) {
        const committed = await commitWrite(this.#deps, write, write.removals);
        if (!committed.ok) {
          if (tries >= MAX_TRIES) throw busy();
          // Somebody else's write came first: wait until it is visible here, then decide anew.
          await catalogue.reached.wait(committed.actual);
          left = write.plans.map(({ item }) => item);
          continue;
        }
        revision = committed.revision;
        if (catalogue.revision < revision) await catalogue.reached.wait(revision);
      }
      const removed: ValidItem[] = [];
      for (const plan of write.plans) {
        const { item, changed, created } = plan;
        const removal = changed ? undefined : this.#deps.onRenewed(item.key);
        if (removal) {
          await removal;
          // It expired a moment before, so it is a new one.
          if (!catalogue.record(item.key)) {
            removed.push(item);
            continue;
          }
        }
        metrics.registration(created ? 'created' : changed ? 'updated' : 'unchanged');
        results[item.at] = { ok: true, value: new Outcome(plan, catalogue, revision) };
      }
      left = removed;
    }
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
    const release = await lock.acquire([keyLock(key)]);
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

  async #preflight(registration: Registration): Promise<void> {
    const { address, port } = registration;
    const reason = await this.#deps.preflight?.(address, port);
    if (reason === undefined) return;
    throw new RegistryError('PREFLIGHT_FAILED', {
      detail: `${address}:${port} did not accept a connection: ${reason}. Start the service first, or register without preflight.`,
      problems: [{ path: '$.port', expected: 'a port that accepts connections', found: `${port}` }],
    });
  }
}

function onlyOne([item]: readonly BatchItem<RegisterOutcome>[]): RegisterOutcome {
  if (!item) throw new Error('a batch of one gave nothing');
  if (!item.ok) throw item.error;
  return item.value;
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
