import {
  backoffMs,
  type Clock,
  type CommitResult,
  type ExclusiveTerm,
  type Guard,
  type Instance,
  isRegistryError,
  type Logger,
  type Op,
  parseServiceId,
  type Random,
  RegistryError,
  type Revision,
  type ServiceKey,
  type Store,
  serviceId,
  type TermReason,
  type TimerHandle,
} from '@portolan/core';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { RecordDelta } from '../catalogue/instance-record.ts';
import { recordGuards } from '../catalogue/record-guards.ts';
import { encodeTerm } from '../codec/exclusive-codec.ts';
import { intentKey, refKey, settingsKey, termKey } from '../codec/keys.ts';
import type { RegistryMetrics } from '../telemetry/registry-metrics.ts';
import { decideTerm, isFit, successionOf, type TermDecision, whyUnfit } from './decide-term.ts';

const STORE_BACKOFF = { baseMs: 200, maxMs: 10_000 };
const CONFLICT_PAUSE_MS = 20;
const MAX_TRIES = 8;
/** Commits under way at the same time: the store makes groups of them. */
const CONCURRENT = 256;

export interface ExclusiveControllerDeps {
  readonly catalogue: Catalogue;
  readonly store: Pick<Store, 'commit'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: RegistryMetrics;
}

/**
 * Begins the terms of exclusive services: looks at each whose instances or settings changed and writes who is active, as a
 * compare-and-swap on everything that it judged by.
 */
export class ExclusiveController {
  readonly #deps: ExclusiveControllerDeps;
  /** At most one entry a service. */
  #dirty = new Set<string>();
  #running: Promise<void> | undefined;
  #closed = false;
  #waiters: (() => void)[] = [];
  readonly #pauses = new Set<{ readonly timer: TimerHandle; readonly end: () => void }>();
  /** Ends waits for a feed that may never come again. */
  readonly #releases = new Set<() => void>();

  constructor(deps: ExclusiveControllerDeps) {
    this.#deps = deps;
  }

  /** For the catalogue's `onApplied`. */
  onApplied(deltas: readonly RecordDelta[]): void {
    for (const { before, after } of deltas) {
      if (before?.exclusive) this.#dirty.add(serviceId(before.service));
      if (after?.exclusive) this.#dirty.add(serviceId(after.service));
    }
    if (this.#dirty.size > 0) this.#wake();
  }

  /** Resolves when all that changed so far is decided and visible, or could not be written (it is tried again). */
  settled(): Promise<void> {
    if (this.#closed || (this.#dirty.size === 0 && !this.#running)) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  async handOver(service: ServiceKey, to?: string): Promise<ExclusiveTerm> {
    const { catalogue } = this.#deps;
    const id = serviceId(service);
    for (let tries = 1; tries <= MAX_TRIES; tries++) {
      const term = catalogue.exclusiveTerm(id);
      if (!term) {
        throw new RegistryError('SERVICE_NOT_EXCLUSIVE', {
          detail: `Service "${service.name}" in namespace "${service.namespace}" is not exclusive: there is nothing to hand over.`,
        });
      }
      if (to !== undefined && to === term.active) return term;
      const active = this.#successor(service, term, to);
      const result = await this.#commit(id, service, { active, reason: 'requested' });
      if (result.ok) return catalogue.exclusiveTerm(id) ?? term;
      await catalogue.reached.wait(result.actual);
      await this.#sleep(CONFLICT_PAUSE_MS * this.#deps.random());
    }
    throw new RegistryError('CONFLICT', {
      detail: `Service "${service.name}" kept changing meanwhile; nothing was handed over. Try again.`,
      retryAfterMs: 100,
    });
  }

  /** Before an active instance is taken out on purpose: the next takes over first, so that there is always one. */
  async relinquish({ service, id, exclusive }: Instance, reason: TermReason): Promise<void> {
    if (exclusive?.role !== 'active') return;
    const active = this.#nextAfter(service, id);
    if (!active) return;
    try {
      await this.#commit(serviceId(service), service, { active, reason });
    } catch (error) {
      // It is looked at again when it is out; a full disk must not keep it in.
      if (!isRegistryError(error)) throw error;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { timer, end } of this.#pauses) {
      timer.cancel();
      end();
    }
    for (const release of this.#releases) release();
    await this.#running;
    this.#resolveWaiters();
  }

  #successor(service: ServiceKey, { active }: ExclusiveTerm, to: string | undefined) {
    if (to === undefined) {
      const next = this.#nextAfter(service, active);
      if (next) return next;
      throw new RegistryError('STANDBY_UNAVAILABLE', {
        detail: `Service "${service.name}" has no healthy and enabled standby that could take over. Nothing was changed.`,
      });
    }
    const next = this.#deps.catalogue.view(service)?.instances.find(({ id }) => id === to);
    if (!next) {
      throw new RegistryError('INSTANCE_NOT_FOUND', {
        detail: `Service "${service.name}" in namespace "${service.namespace}" has no instance "${to}". Nothing was changed.`,
      });
    }
    const why = whyUnfit(next);
    if (why === undefined) return next;
    throw new RegistryError('STANDBY_UNAVAILABLE', {
      detail: `Instance "${to}" cannot take over, ${why}. Nothing was changed.`,
    });
  }

  #nextAfter(service: ServiceKey, active: string | undefined): Instance | undefined {
    const instances = this.#deps.catalogue.view(service)?.instances ?? [];
    return successionOf(instances).find((one) => one.id !== active && isFit(one));
  }

  #wake(): void {
    if (this.#running || this.#closed) return;
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    await Promise.resolve();
    let lost = 0;
    for (let attempt = 0; this.#dirty.size > 0 && !this.#closed; ) {
      const ids = [...this.#dirty].slice(0, CONCURRENT);
      for (const id of ids) this.#dirty.delete(id);
      const outcomes = await Promise.allSettled(ids.map((id) => this.#judge(id)));
      let failure: unknown;
      let conflicts = 0;
      for (const [at, outcome] of outcomes.entries()) {
        const again = outcome.status === 'rejected' || !outcome.value;
        if (again) this.#dirty.add(ids[at] ?? '');
        if (outcome.status === 'rejected') failure = outcome.reason;
        else if (again) conflicts++;
      }
      if (failure !== undefined) {
        if (isRegistryError(failure) && failure.code === 'STORE_CLOSED') break;
        if (this.#closed) break;
        this.#deps.metrics.storeFailure();
        this.#deps.logger.error(
          { err: failure, waiting: this.#dirty.size },
          'who is active in an exclusive service could not be written and is tried again',
        );
        this.#resolveWaiters();
        await this.#sleep(50 + backoffMs(attempt++, STORE_BACKOFF, this.#deps.random));
        continue;
      }
      attempt = 0;
      lost = conflicts > 0 ? lost + 1 : 0;
      // Whoever waits is told how things are, not kept for as long as others write.
      if (lost >= MAX_TRIES) this.#resolveWaiters();
      if (conflicts > 0) await this.#sleep(CONFLICT_PAUSE_MS * (1 + this.#deps.random()));
    }
    this.#running = undefined;
    this.#resolveWaiters();
  }

  /** False when another write came first: then it is judged again. */
  async #judge(id: string): Promise<boolean> {
    const { catalogue, store } = this.#deps;
    const service = parseServiceId(id);
    if (!service) return true;
    const term = catalogue.exclusiveTerm(id);
    if (!term) {
      const modifyRevision = catalogue.termRevision(id);
      if (modifyRevision === 0) return true;
      const key = termKey(service);
      const guards = [{ key, modifyRevision }, settingsGuard(catalogue, id, service)];
      return (await store.commit([{ type: 'delete', key }], guards)).ok;
    }
    const decision = decideTerm(term, catalogue.view(service)?.instances ?? []);
    return !decision || (await this.#commit(id, service, decision)).ok;
  }

  async #commit(
    id: string,
    service: ServiceKey,
    { active, reason }: TermDecision,
  ): Promise<CommitResult> {
    const { catalogue, store, clock, metrics, logger } = this.#deps;
    const key = termKey(service);
    const guards: Guard[] = [
      { key, modifyRevision: catalogue.termRevision(id) },
      settingsGuard(catalogue, id, service),
    ];
    if (active) guards.push(...instanceGuards(catalogue, service, active.id));
    const previous = catalogue.exclusiveTerm(id)?.active;
    const value = encodeTerm({
      sinceMs: clock.wallNow(),
      reason,
      ...(active === undefined ? undefined : { active: active.id }),
    });
    const ops: Op[] = [{ type: 'put', key, value }];
    const result = await store.commit(ops, guards);
    if (!result.ok) return result;
    metrics.termBegan(reason);
    logger.info(
      { service: id, term: result.revision, active: active?.id, previous, reason },
      active
        ? 'another instance of this exclusive service is active'
        : 'no instance of this exclusive service can be active',
    );
    await this.#visible(result.revision);
    return result;
  }

  async #visible(revision: Revision): Promise<void> {
    const applied = this.#deps.catalogue.reached.wait(revision);
    let release: () => void = () => undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        release = resolve;
        if (this.#closed) resolve();
        this.#releases.add(release);
        applied.then(resolve, reject);
      });
    } finally {
      this.#releases.delete(release);
    }
  }

  #resolveWaiters(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }

  async #sleep(durationMs: number): Promise<void> {
    if (this.#closed) return;
    await new Promise<void>((resolve) => {
      const end = () => {
        this.#pauses.delete(pause);
        resolve();
      };
      const pause = { timer: this.#deps.clock.setTimer(durationMs, end), end };
      this.#pauses.add(pause);
    });
  }
}

function settingsGuard(catalogue: Catalogue, id: string, service: ServiceKey): Guard {
  return { key: settingsKey(service), modifyRevision: catalogue.settingsRevision(id) };
}

/** All that makes an instance fit: it must not be lost in the moment in which it becomes active. */
function instanceGuards(catalogue: Catalogue, service: ServiceKey, id: string): readonly Guard[] {
  const key = refKey({ namespace: service.namespace, id });
  const record = catalogue.record(key);
  const intent = { key: intentKey(key), modifyRevision: catalogue.intentRevision(key) };
  return record ? [...recordGuards(record, catalogue), intent] : [intent];
}
