import {
  backoffMs,
  type Clock,
  type Instance,
  isRegistryError,
  type Logger,
  type Metrics,
  type ProvidedInstance,
  type Provider,
  type ProviderSnapshot,
  type Random,
  type Registry,
  type Route,
  serviceId,
  type TimerHandle,
} from '@portolan/core';

export interface AggregatorOptions {
  /** Least time between two looks at what a provider published; default 20 ms. */
  readonly paceMs?: number;
  /** Everything is written again this often, so that what others changed in it comes back; default 60 s. */
  readonly fullEveryMs?: number;
}

export interface AggregatorDeps {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Brings what providers publish into the registry. */
export interface ProviderAggregator {
  /** Resolves when what the provider published first is in the registry, or when it is closed. */
  start(provider: Provider): Promise<void>;
  /** Why the registry does not hold something as the provider published it: by `namespace/id`, or `route namespace/name`. */
  refusals(provider: string): ReadonlyMap<string, string>;
  /** Ends the providers and what is being written. */
  close(): Promise<void>;
}

const STORE_BACKOFF = { baseMs: 200, maxMs: 10_000 };
const CONTEXT = { trusted: true };

/**
 * One aggregator for all providers. An instance or a route belongs to the provider that is its owner; what belongs to somebody
 * else is never changed or removed, and what an application registered itself at the same address stays. What its provider does
 * not name any more goes, also when a former process registered it, but only once the provider published: not knowing is not
 * knowing that nothing is there.
 */
export function createProviderAggregator(
  options: AggregatorOptions,
  deps: AggregatorDeps,
): ProviderAggregator {
  const closing = new AbortController();
  const lanes = new Map<string, Lane>();
  const running: Promise<void>[] = [];
  const { metrics } = deps;
  const instances = metrics.gauge({
    name: 'portolan_provider_instances',
    help: 'Instances that a provider keeps in the registry.',
    labelNames: ['provider'],
  });
  const refused = metrics.gauge({
    name: 'portolan_provider_refused',
    help: 'Instances and routes of a provider that the registry does not take as they are.',
    labelNames: ['provider'],
  });
  metrics.onCollect(() => {
    for (const [name, lane] of lanes) {
      instances.labels(name).set(lane.owned.size);
      refused.labels(name).set(lane.refusals.size);
    }
  });

  return {
    start(provider) {
      const lane = new Lane(provider.name, options, deps, closing.signal);
      lanes.set(provider.name, lane);
      const run = provider.run((snapshot) => lane.take(snapshot), closing.signal);
      running.push(
        run.catch((error: unknown) => {
          if (closing.signal.aborted) return;
          deps.logger.error({ err: error, provider: provider.name }, 'a provider broke');
        }),
      );
      return lane.first;
    },
    refusals: (provider) => lanes.get(provider)?.refusals ?? new Map(),
    async close() {
      closing.abort();
      await Promise.all([...running, ...[...lanes.values()].map((lane) => lane.close())]);
    },
  };
}

interface Owned {
  readonly namespace: string;
  readonly id: string;
}

/** What one provider published last, and what of it the registry holds. */
class Lane {
  readonly #name: string;
  readonly #options: AggregatorOptions;
  readonly #deps: AggregatorDeps;
  readonly #closing: AbortSignal;
  readonly owned = new Map<string, Owned>();
  refusals: ReadonlyMap<string, string> = new Map();
  /** What was last written, by `namespace/id`: what is equal needs no look at the registry's rules. */
  #written = new Map<string, string>();
  #routes = new Map<string, string>();
  #waiting: ProviderSnapshot | undefined;
  #work: Promise<void> | undefined;
  #timer: TimerHandle | undefined;
  #endPause: (() => void) | undefined;
  #adopted = false;
  readonly #first = Promise.withResolvers<void>();
  #lastFullMs = Number.NEGATIVE_INFINITY;

  constructor(
    name: string,
    options: AggregatorOptions,
    deps: AggregatorDeps,
    closing: AbortSignal,
  ) {
    this.#name = name;
    this.#options = options;
    this.#deps = deps;
    this.#closing = closing;
  }

  get first(): Promise<void> {
    return this.#first.promise;
  }

  take(snapshot: ProviderSnapshot): void {
    if (this.#closing.aborted) return;
    this.#waiting = snapshot;
    this.#work ??= this.#run();
  }

  async close(): Promise<void> {
    this.#timer?.cancel();
    this.#endPause?.();
    this.#first.resolve();
    await this.#work;
  }

  /** The newest snapshot each time: those in between say nothing that it does not. */
  async #run(): Promise<void> {
    for (let attempt = 0; this.#waiting && !this.#closing.aborted; ) {
      const snapshot = this.#waiting;
      this.#waiting = undefined;
      try {
        await this.#apply(snapshot);
        this.#first.resolve();
        attempt = 0;
        await this.#pause(this.#options.paceMs ?? 20);
      } catch (error) {
        this.#waiting ??= snapshot;
        this.#written.clear();
        if (this.#closing.aborted) break;
        if (isRegistryError(error) && error.code === 'SHUTTING_DOWN') break;
        this.#deps.logger.error(
          { err: error, provider: this.#name },
          'what a provider found could not be written and is tried again',
        );
        await this.#pause(50 + backoffMs(attempt++, STORE_BACKOFF, this.#deps.random));
      }
    }
    this.#work = undefined;
  }

  #pause(durationMs: number): Promise<void> {
    if (this.#closing.aborted || durationMs <= 0) return Promise.resolve();
    return new Promise((end) => {
      this.#endPause = end;
      this.#timer = this.#deps.clock.setTimer(durationMs, end);
    });
  }

  async #apply(snapshot: ProviderSnapshot): Promise<void> {
    const { registry, clock } = this.#deps;
    if (!this.#adopted) this.#adopt();
    const nowMs = clock.now();
    if (nowMs - this.#lastFullMs >= (this.#options.fullEveryMs ?? 60_000)) {
      this.#written.clear();
      this.#lastFullMs = nowMs;
    }
    const refusals = new Map<string, string>();
    const wanted = new Map(snapshot.instances.map((input) => [keyOf(input), input]));
    await this.#register([...wanted.values()], refusals);
    // A route points to what is there; a route that goes does so before what it points to.
    await this.#putRoutes(snapshot.routes, refusals);
    const gone = [...this.owned].filter(([key]) => !wanted.has(key));
    await Promise.all(
      gone.map(async ([key, ref]) => {
        // Somebody else may have taken the id over meanwhile.
        if (registry.instance(ref)?.owner === this.#name) await this.#deregister(ref);
        this.owned.delete(key);
        this.#written.delete(key);
      }),
    );
    this.#sayRefusals(refusals);
  }

  /** What a former process left. */
  #adopt(): void {
    const { registry } = this.#deps;
    for (const { service } of registry.services()) {
      for (const instance of registry.view(service)?.instances ?? []) {
        if (instance.owner !== this.#name) continue;
        const ref = { namespace: service.namespace, id: instance.id };
        this.owned.set(`${ref.namespace}/${ref.id}`, ref);
      }
    }
    for (const route of registry.routeDocuments.list()) {
      if (route.owner === this.#name) this.#routes.set(`${route.namespace}/${route.name}`, '');
    }
    this.#adopted = true;
  }

  async #register(
    wanted: readonly ProvidedInstance[],
    refusals: Map<string, string>,
  ): Promise<void> {
    const { registry } = this.#deps;
    const strangers = new Strangers(registry, this.#name);
    const batch: ProvidedInstance[] = [];
    const texts: string[] = [];
    for (const input of wanted) {
      const key = keyOf(input);
      const text = JSON.stringify(input);
      const ref = { namespace: input.service.namespace, id: input.id };
      const present = registry.instance(ref);
      if (present && present.owner === this.#name && this.#written.get(key) === text) continue;
      const reason = strangers.refusal(present, input);
      if (reason !== undefined) {
        refusals.set(key, reason);
        continue;
      }
      batch.push({ ...input, owner: this.#name });
      texts.push(text);
    }
    if (batch.length === 0) return;
    const results = await registry.registerBatch(batch, CONTEXT);
    for (const [at, result] of results.entries()) {
      const input = batch[at];
      if (!input) continue;
      const key = keyOf(input);
      if (result.ok) {
        this.owned.set(key, { namespace: input.service.namespace, id: input.id });
        this.#written.set(key, texts[at] ?? '');
      } else if (result.error.row.retryable) throw result.error;
      else {
        refusals.set(key, `the registry refuses it: ${result.error.message}`);
        // What it was before is not what it is now.
        if (this.owned.delete(key)) {
          await this.#deregister({ namespace: input.service.namespace, id: input.id });
        }
      }
    }
  }

  async #putRoutes(wanted: readonly Route[], refusals: Map<string, string>): Promise<void> {
    const { routeDocuments } = this.#deps.registry;
    const names = new Set<string>();
    for (const route of wanted) {
      const key = `${route.namespace}/${route.name}`;
      names.add(key);
      const present = routeDocuments.get(key);
      if (present && present.owner !== this.#name) {
        refusals.set(`route ${key}`, 'the route was written or changed through the API: it stays');
        this.#routes.delete(key);
        continue;
      }
      const text = JSON.stringify(route);
      if (present && this.#routes.get(key) === text) continue;
      try {
        const owned = { ...route, owner: this.#name };
        await routeDocuments.put(key, owned, present?.modifyRevision ?? 0);
        this.#routes.set(key, text);
      } catch (error) {
        if (!isRegistryError(error) || error.row.retryable) throw error;
        refusals.set(`route ${key}`, `the registry refuses the route: ${error.message}`);
      }
    }
    for (const key of [...this.#routes.keys()]) {
      if (names.has(key)) continue;
      const present = routeDocuments.get(key);
      if (present?.owner === this.#name) await routeDocuments.delete(key, present.modifyRevision);
      this.#routes.delete(key);
    }
  }

  async #deregister(ref: Owned): Promise<void> {
    try {
      await this.#deps.registry.deregister(ref);
    } catch (error) {
      if (!isRegistryError(error) || error.code !== 'INSTANCE_NOT_FOUND') throw error;
    }
  }

  #sayRefusals(refusals: ReadonlyMap<string, string>): void {
    for (const [what, reason] of refusals) {
      if (this.refusals.get(what) === reason) continue;
      this.#deps.logger.warn({ provider: this.#name, what, reason }, 'not as a provider found it');
    }
    this.refusals = refusals;
  }
}

/** What others hold, looked at once a service. */
class Strangers {
  readonly #registry: Registry;
  readonly #name: string;
  readonly #services = new Map<string, ReadonlyMap<string, Instance>>();

  constructor(registry: Registry, name: string) {
    this.#registry = registry;
    this.#name = name;
  }

  refusal(present: Instance | undefined, input: ProvidedInstance): string | undefined {
    if (present && present.owner !== this.#name) {
      return `the id is held by an instance that ${ownerText(present)} registered`;
    }
    const holder = this.#slots(input).get(placeOf(input));
    if (!holder) return undefined;
    return `${input.address}:${input.port} is instance ${holder.id} already, which ${ownerText(holder)} registered`;
  }

  #slots({ service }: ProvidedInstance): ReadonlyMap<string, Instance> {
    const id = serviceId(service);
    const known = this.#services.get(id);
    if (known) return known;
    const slots = new Map<string, Instance>();
    for (const instance of this.#registry.view(service)?.instances ?? []) {
      if (instance.owner !== this.#name) slots.set(placeOf(instance), instance);
    }
    this.#services.set(id, slots);
    return slots;
  }
}

function ownerText(instance: Instance): string {
  return instance.owner === undefined ? 'somebody' : `provider ${instance.owner}`;
}

function placeOf({ address, port }: Pick<Instance, 'address' | 'port'>): string {
  return `${address}|${port}`;
}

function keyOf(input: ProvidedInstance): string {
  return `${input.service.namespace}/${input.id}`;
}
