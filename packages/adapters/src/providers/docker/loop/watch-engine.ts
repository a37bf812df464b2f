import { backoffMs, type Clock, type Logger, type Random, type TimerHandle } from '@portolan/core';
import type { DockerSource } from '../engine/docker-source.ts';
import type { EngineEvent } from '../facts.ts';
import type { DiscoveryMetrics } from './discovery-metrics.ts';
import { EngineState } from './engine-state.ts';
import { type RestartLoopOptions, RestartLoops } from './restart-loops.ts';

export interface WatchOptions {
  /** Events of one container within this time are one. */
  readonly coalesceMs: number;
  /** Everything is compared with the list this often. */
  readonly resyncMs: number;
  /** Silence after which the daemon is asked whether it is there. */
  readonly idleMs: number;
  readonly pingTimeoutMs: number;
  /** Swarm tasks have no events: they are asked for this often, and much more often while a service changes. */
  readonly swarmPollMs: number;
  readonly swarmBusyPollMs: number;
  readonly reconnect: { readonly baseMs: number; readonly maxMs: number };
  /** A container that was told to stop and still runs is believed again after this long. */
  readonly drainLimitMs: number;
  /** How long a list is doubted that shows much less than was known, after the daemon was away. */
  readonly doubtMs: number;
  readonly restartLoop: RestartLoopOptions;
}

export interface WatchDeps {
  readonly source: DockerSource;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: DiscoveryMetrics;
  /** Called with the state when it changed, and at each resync. */
  readonly onState: (state: EngineState) => void;
}

const INSPECTIONS = 8;
/** An engine that says nothing before its first event is subscribed to by then. */
const OPEN_PATIENCE_MS = 1_000;
const EVENT_LIMIT = 100_000;
const PUBLISH_GAP_MS = 25;

/** Follows one engine until the signal aborts. What is known stays known while the engine is away. */
export async function watchEngine(
  options: WatchOptions,
  deps: WatchDeps,
  signal: AbortSignal,
): Promise<void> {
  const { clock, random, logger, metrics } = deps;
  const state = new EngineState(new RestartLoops(options.restartLoop, clock));
  let since: string | undefined;
  let said = '';
  for (let attempt = 0; !signal.aborted; ) {
    const watch = new Connection(options, deps, state, since);
    let reason = '';
    try {
      await watch.run(signal);
    } catch (error) {
      reason = describe(error);
    }
    if (signal.aborted) break;
    since = watch.lastEvent ?? since;
    if (watch.synced) attempt = 0;
    metrics.lost(clock.now());
    const delayMs = watch.again ? 0 : 50 + backoffMs(attempt++, options.reconnect, random);
    if (!watch.again && reason !== said) {
      logger.warn(
        { reason, known: state.containers.size },
        'the Docker Engine is away: what it last said stays in force',
      );
    }
    said = watch.synced ? '' : reason;
    await pause(delayMs, clock, signal);
  }
}

/** From one subscription to its end. */
class Connection {
  readonly #options: WatchOptions;
  readonly #deps: WatchDeps;
  readonly #state: EngineState;
  readonly #abort = new AbortController();
  readonly #timers = new Map<string, TimerHandle>();
  readonly #dirty = new Set<string>();
  readonly #since: string | undefined;
  lastEvent: string | undefined;
  /** Whether the state was brought up to date. */
  synced = false;
  /** Ended by itself, to subscribe anew. */
  again = false;
  #failure: unknown;
  #lastHeardMs = 0;
  #buffer: EngineEvent[] | undefined = [];
  #inspecting: Promise<void> | undefined;
  #swarmWork: Promise<void> | undefined;
  #networksWanted = false;
  #swarmBusyUntilMs = 0;
  #publishedMs = Number.NEGATIVE_INFINITY;

  constructor(
    options: WatchOptions,
    deps: WatchDeps,
    state: EngineState,
    since: string | undefined,
  ) {
    this.#options = options;
    this.#deps = deps;
    this.#state = state;
    this.#since = since;
  }

  async run(signal: AbortSignal): Promise<void> {
    const end = (): void => this.#abort.abort();
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
    let reading: Promise<void> | undefined;
    try {
      const { source, clock } = this.#deps;
      const facts = await this.#ask((inner) => source.connect(inner));
      this.#state.facts = facts;
      const stream = source.events(this.#since, this.#abort.signal);
      this.#lastHeardMs = clock.now();
      reading = this.#read(stream.events).then(
        () => this.#fail(new Error('the event stream ended')),
        (error: unknown) => this.#fail(error),
      );
      await this.#orAborted(
        Promise.race([stream.opened, pause(OPEN_PATIENCE_MS, clock, this.#abort.signal)]),
      );
      await this.#firstSync();
      this.#armIdle();
      this.#armResync();
      this.#armSwarm(this.#options.swarmPollMs);
      await reading;
      if (this.#failure !== undefined) throw this.#failure;
    } finally {
      this.#abort.abort();
      signal.removeEventListener('abort', end);
      for (const timer of this.#timers.values()) timer.cancel();
      this.#timers.clear();
      await reading;
      await this.#inspecting;
      await this.#swarmWork;
    }
  }

  async #read(events: AsyncIterable<EngineEvent>): Promise<void> {
    try {
      for await (const event of events) {
        this.#lastHeardMs = this.#deps.clock.now();
        if (this.#since !== undefined && !isAfter(event.timeNano, this.#since)) continue;
        this.lastEvent = event.timeNano;
        if (this.#buffer === undefined) this.#take(event);
        else if (this.#buffer.length < EVENT_LIMIT) this.#buffer.push(event);
        else throw new Error('more events than can be held came before the list');
        if (this.#abort.signal.aborted) return;
      }
    } catch (error) {
      if (!this.#abort.signal.aborted) throw error;
    }
  }

  /** List, look at what changed since it was last known, then what happened meanwhile. */
  async #firstSync(): Promise<void> {
    const { source, metrics, clock } = this.#deps;
    const state = this.#state;
    const isFirst = state.containers.size === 0;
    if (!isFirst) await this.#doubt();
    state.networks = await this.#ask((signal) => source.networks(signal));
    await this.#compare();
    if (state.facts?.swarm) state.swarm = await this.#ask((signal) => source.swarm(signal));
    else state.swarm = undefined;
    const waiting = this.#buffer ?? [];
    this.#buffer = undefined;
    for (const event of waiting) this.#take(event);
    this.synced = true;
    metrics.synced(clock.now());
    this.#publish();
  }

  /** A daemon that just came back may still be finding its containers. */
  async #doubt(): Promise<void> {
    const { source, clock } = this.#deps;
    const known = [...this.#state.containers.values()].filter(
      (container) => container.state === 'running' || container.state === 'paused',
    ).length;
    const listed = await this.#ask((signal) => source.containers(signal));
    if (listed.filter((summary) => summary.running).length * 2 >= known) return;
    await pause(this.#options.doubtMs, clock, this.#abort.signal);
  }

  /** Brings the state to what the list says; resolves to how many containers were not as known. */
  async #compare(): Promise<number> {
    const { source } = this.#deps;
    const state = this.#state;
    const listed = await this.#ask((signal) => source.containers(signal));
    const ids = new Set(listed.map(({ id }) => id));
    const gone = [...state.containers.keys()].filter((id) => !ids.has(id));
    for (const id of gone) state.forget(id);
    const changed = listed.filter(
      ({ id, fingerprint }) => state.fingerprints.get(id) !== fingerprint,
    );
    let differences = gone.length;
    await this.#inspectAll(
      changed.map(({ id }) => id),
      (id, before) => {
        const after = state.containers.get(id);
        if (JSON.stringify(before) !== JSON.stringify(after)) differences++;
      },
    );
    state.prune();
    for (const { id, fingerprint } of listed) {
      if (state.containers.has(id)) state.fingerprints.set(id, fingerprint);
    }
    return differences;
  }

  async #inspectAll(
    ids: readonly string[],
    onSeen: (id: string, before: unknown) => void = () => undefined,
  ): Promise<void> {
    const { source } = this.#deps;
    const left = [...ids];
    const lane = async (): Promise<void> => {
      for (let id = left.shift(); id !== undefined; id = left.shift()) {
        const wanted = id;
        const before = this.#state.containers.get(wanted);
        const touches = this.#state.touches(wanted);
        const container = await this.#ask((signal) => source.inspect(wanted, signal));
        // What happened to it while it was looked at is the newer word.
        if (this.#state.touches(wanted) !== touches) {
          this.#dirty.add(wanted);
          continue;
        }
        this.#state.put(wanted, container);
        onSeen(wanted, before);
      }
    };
    await Promise.all(Array.from({ length: Math.min(INSPECTIONS, left.length) }, lane));
  }

  #take(event: EngineEvent): void {
    const { clock, metrics } = this.#deps;
    metrics.event(event.type);
    const effect = this.#state.take(event, clock.now());
    if (effect.networks) this.#networksWanted = true;
    if (effect.swarm) this.#hastenSwarm();
    if (effect.inspect !== undefined) this.#dirty.add(effect.inspect);
    if (effect.atOnce) this.#publishSoon();
    if (effect.inspect !== undefined || effect.networks) this.#armInspection();
  }

  #armInspection(): void {
    if (this.#timers.has('inspect') || this.#inspecting) return;
    this.#arm('inspect', this.#options.coalesceMs, () => {
      this.#inspecting = this.#inspectDirty().catch((error: unknown) => this.#fail(error));
    });
  }

  async #inspectDirty(): Promise<void> {
    const { source } = this.#deps;
    try {
      const ids = [...this.#dirty];
      this.#dirty.clear();
      if (this.#networksWanted) {
        this.#networksWanted = false;
        this.#state.networks = await this.#ask((signal) => source.networks(signal));
      }
      await this.#inspectAll(ids);
      if (this.#state.facts?.swarm && ids.some((id) => this.#isTask(id))) this.#hastenSwarm();
      this.#publish();
    } finally {
      this.#inspecting = undefined;
    }
    if (this.#dirty.size > 0 || this.#networksWanted) this.#armInspection();
  }

  #isTask(id: string): boolean {
    const labels = this.#state.containers.get(id)?.labels;
    return labels === undefined || labels['com.docker.swarm.task.id'] !== undefined;
  }

  #publish(): void {
    if (this.#buffer !== undefined || this.#abort.signal.aborted) return;
    this.#publishedMs = this.#deps.clock.now();
    this.#deps.onState(this.#state);
  }

  /** At once, unless that was just done: then all that happens meanwhile together. */
  #publishSoon(): void {
    if (this.#buffer !== undefined) return;
    const restMs = this.#publishedMs + PUBLISH_GAP_MS - this.#deps.clock.now();
    if (restMs <= 0) this.#publish();
    else if (!this.#timers.has('publish')) this.#arm('publish', restMs, () => this.#publish());
  }

  #armIdle(): void {
    const { clock, source } = this.#deps;
    const restMs = this.#lastHeardMs + this.#options.idleMs - clock.now();
    this.#arm('idle', Math.max(1, restMs), () => {
      if (clock.now() - this.#lastHeardMs < this.#options.idleMs) return this.#armIdle();
      this.#ask((signal) => source.ping(signal), this.#options.pingTimeoutMs).then(
        () => {
          this.#lastHeardMs = clock.now();
          this.#armIdle();
        },
        (error: unknown) => this.#fail(error),
      );
    });
  }

  #armResync(): void {
    const { clock, random, metrics, logger } = this.#deps;
    const { resyncMs } = this.#options;
    this.#arm('resync', resyncMs * (0.9 + random() * 0.2), () => {
      const run = async (): Promise<void> => {
        const { source } = this.#deps;
        // What is on its way by an event was not missed.
        await this.#inspecting;
        if (this.#dirty.size > 0) return;
        this.#state.networks = await this.#ask((signal) => source.networks(signal));
        const heardMs = this.#lastHeardMs;
        const missed = await this.#compare();
        this.#state.endDraining(clock.now() - this.#options.drainLimitMs);
        metrics.synced(clock.now());
        this.#publish();
        if (missed === 0 || this.#dirty.size > 0 || heardMs !== this.#lastHeardMs) return;
        metrics.missed(missed);
        logger.warn({ missed }, 'events of the Docker Engine were missed: subscribing anew');
        this.again = true;
        this.#abort.abort();
      };
      run().then(
        () => this.#armResync(),
        (error: unknown) => this.#fail(error),
      );
    });
  }

  /** Asks for tasks soon, and then often for a while: an update goes on without events. */
  #hastenSwarm(): void {
    const { clock } = this.#deps;
    if (!this.#state.facts?.swarm) {
      // It became a manager: that is found out by connecting.
      this.again = true;
      this.#abort.abort();
      return;
    }
    this.#swarmBusyUntilMs = clock.now() + 10 * this.#options.swarmBusyPollMs;
    this.#armSwarm(this.#options.coalesceMs);
  }

  #armSwarm(delayMs: number): void {
    if (!this.#state.facts?.swarm || this.#swarmWork || this.#buffer !== undefined) return;
    const { source, clock } = this.#deps;
    this.#arm('swarm', delayMs, () => {
      const run = async (): Promise<void> => {
        const swarm = await this.#ask((signal) => source.swarm(signal));
        const same = JSON.stringify(swarm) === JSON.stringify(this.#state.swarm);
        if (same) return;
        this.#state.swarm = swarm;
        this.#publish();
      };
      this.#swarmWork = run().then(
        () => {
          this.#swarmWork = undefined;
          const { swarmPollMs, swarmBusyPollMs } = this.#options;
          const busy =
            clock.now() < this.#swarmBusyUntilMs ||
            this.#state.swarm?.services.some(({ updating }) => updating) === true ||
            this.#state.swarm?.tasks.some(({ state }) => state !== 'running') === true;
          this.#armSwarm(busy ? swarmBusyPollMs : swarmPollMs);
        },
        (error: unknown) => this.#fail(error),
      );
    });
  }

  #arm(name: string, delayMs: number, callback: () => void): void {
    if (this.#abort.signal.aborted) return;
    this.#timers.get(name)?.cancel();
    const timer = this.#deps.clock.setTimer(delayMs, () => {
      this.#timers.delete(name);
      if (!this.#abort.signal.aborted) callback();
    });
    this.#timers.set(name, timer);
  }

  /** Ends the connection; the reason is told by `run`. */
  #fail(error: unknown): void {
    if (this.#abort.signal.aborted) return;
    this.#failure = error;
    this.#abort.abort();
  }

  /** A question that is given up when the connection ends. */
  async #ask<T>(question: (signal: AbortSignal) => Promise<T>, timeoutMs?: number): Promise<T> {
    if (timeoutMs === undefined) return this.#orAborted(question(this.#abort.signal));
    const own = new AbortController();
    const end = (): void => own.abort();
    this.#abort.signal.addEventListener('abort', end);
    let timer: TimerHandle | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = this.#deps.clock.setTimer(timeoutMs, () => {
        own.abort();
        reject(new Error(`no answer within ${timeoutMs} ms`));
      });
    });
    try {
      return await this.#orAborted(Promise.race([question(own.signal), timeout]));
    } finally {
      timer?.cancel();
      this.#abort.signal.removeEventListener('abort', end);
    }
  }

  async #orAborted<T>(work: Promise<T>): Promise<T> {
    const { signal } = this.#abort;
    let end = (): void => undefined;
    const aborted = new Promise<never>((_, reject) => {
      end = () => reject(this.#failure ?? new Error('the connection was given up'));
      if (signal.aborted) end();
      else signal.addEventListener('abort', end);
    });
    try {
      return await Promise.race([work, aborted]);
    } finally {
      signal.removeEventListener('abort', end);
      // Whichever loses is told to nobody.
      work.catch(() => undefined);
      aborted.catch(() => undefined);
    }
  }
}

function pause(delayMs: number, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      timer.cancel();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = clock.setTimer(delayMs, end);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
  });
}

/** Nanoseconds as text: a longer one is later. */
function isAfter(a: string, b: string): boolean {
  return a.length === b.length ? a > b : a.length > b.length;
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as NodeJS.ErrnoException).code;
  return code === undefined || error.message.includes(code)
    ? error.message || error.name
    : `${error.message} (${code})`;
}
