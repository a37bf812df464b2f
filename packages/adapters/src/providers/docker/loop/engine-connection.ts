import type { EngineEvent } from '../facts.ts';
import { ConnectionScope, pause } from './connection-scope.ts';
import type { EngineState } from './engine-state.ts';
import type { WatchDeps, WatchOptions } from './watch-options.ts';

const INSPECTIONS = 8;
/** An engine that says nothing before its first event is subscribed to by then. */
const OPEN_PATIENCE_MS = 1_000;
const EVENT_LIMIT = 100_000;
const PUBLISH_GAP_MS = 25;

/** From one subscription to its end. */
export class EngineConnection {
  readonly #options: WatchOptions;
  readonly #deps: WatchDeps;
  readonly #state: EngineState;
  readonly #scope: ConnectionScope;
  readonly #dirty = new Set<string>();
  readonly #since: string | undefined;
  lastEvent: string | undefined;
  /** Whether the state was brought up to date. */
  synced = false;
  /** Ended by itself, to subscribe anew. */
  again = false;
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
    this.#scope = new ConnectionScope(deps.clock);
  }

  async run(signal: AbortSignal): Promise<void> {
    const end = (): void => this.#scope.end();
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
    let reading: Promise<void> | undefined;
    try {
      const { source, clock } = this.#deps;
      const facts = await this.#scope.ask((inner) => source.connect(inner));
      const { swarm, ...others } = facts;
      this.#state.facts = this.#options.swarm && swarm ? facts : others;
      const stream = source.events(this.#since, this.#scope.signal);
      this.#lastHeardMs = clock.now();
      reading = this.#read(stream.events).then(
        () => this.#scope.fail(new Error('the event stream ended')),
        (error: unknown) => this.#scope.fail(error),
      );
      await this.#scope.orEnded(
        Promise.race([stream.opened, pause(OPEN_PATIENCE_MS, clock, this.#scope.signal)]),
      );
      await this.#firstSync();
      this.#armIdle();
      this.#armResync();
      this.#armSwarm(this.#options.swarmPollMs);
      if (facts.silentStops) this.#armStops(this.#options.stopPollMs);
      await reading;
      if (this.#scope.failure !== undefined) throw this.#scope.failure;
    } finally {
      this.#scope.end();
      signal.removeEventListener('abort', end);
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
        if (this.#scope.signal.aborted) return;
      }
    } catch (error) {
      if (!this.#scope.signal.aborted) throw error;
    }
  }

  /** List, look at what changed since it was last known, then what happened meanwhile. */
  async #firstSync(): Promise<void> {
    const { source, metrics, clock } = this.#deps;
    const state = this.#state;
    const isFirst = state.containers.size === 0;
    if (!isFirst) await this.#doubt();
    state.networks = await this.#scope.ask((signal) => source.networks(signal));
    await this.#compare();
    if (state.facts?.swarm) state.swarm = await this.#scope.ask((signal) => source.swarm(signal));
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
    const listed = await this.#scope.ask((signal) => source.containers(signal));
    if (listed.filter((summary) => summary.running).length * 2 >= known) return;
    await pause(this.#options.doubtMs, clock, this.#scope.signal);
  }

  /** Brings the state to what the list says; resolves to how many containers were not as known. */
  async #compare(): Promise<number> {
    const { source } = this.#deps;
    const state = this.#state;
    const listed = await this.#scope.ask((signal) => source.containers(signal));
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
        const container = await this.#scope.ask((signal) => source.inspect(wanted, signal));
        // What happened to it while it was looked at is the newer word.
        if (this.#state.touches(wanted) !== touches) {
          this.#dirty.add(wanted);
          this.#armInspection();
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
    if (this.#scope.isArmed('inspect') || this.#inspecting) return;
    this.#scope.arm('inspect', this.#options.coalesceMs, () => {
      this.#inspecting = this.#inspectDirty().catch((error: unknown) => this.#scope.fail(error));
    });
  }

  async #inspectDirty(): Promise<void> {
    const { source } = this.#deps;
    try {
      const ids = [...this.#dirty];
      this.#dirty.clear();
      if (this.#networksWanted) {
        this.#networksWanted = false;
        this.#state.networks = await this.#scope.ask((signal) => source.networks(signal));
      }
      await this.#inspectAll(ids);
      if (ids.some((id) => this.#state.lacksNetwork(id))) {
        this.#state.networks = await this.#scope.ask((signal) => source.networks(signal));
      }
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
    if (this.#buffer !== undefined || this.#scope.signal.aborted) return;
    this.#publishedMs = this.#deps.clock.now();
    this.#deps.onState(this.#state);
  }

  /** At once, unless that was just done: then all that happens meanwhile together. */
  #publishSoon(): void {
    if (this.#buffer !== undefined) return;
    const restMs = this.#publishedMs + PUBLISH_GAP_MS - this.#deps.clock.now();
    if (restMs <= 0) this.#publish();
    else if (!this.#scope.isArmed('publish'))
      this.#scope.arm('publish', restMs, () => this.#publish());
  }

  #armIdle(): void {
    const { clock, source } = this.#deps;
    const restMs = this.#lastHeardMs + this.#options.idleMs - clock.now();
    this.#scope.arm('idle', Math.max(1, restMs), () => {
      if (clock.now() - this.#lastHeardMs < this.#options.idleMs) return this.#armIdle();
      this.#scope
        .ask((signal) => source.ping(signal), this.#options.pingTimeoutMs)
        .then(
          () => {
            this.#lastHeardMs = clock.now();
            this.#armIdle();
          },
          (error: unknown) => this.#scope.fail(error),
        );
    });
  }

  #armResync(): void {
    const { clock, random, metrics, logger } = this.#deps;
    const { resyncMs } = this.#options;
    this.#scope.arm('resync', resyncMs * (0.9 + random() * 0.2), () => {
      const run = async (): Promise<void> => {
        const { source } = this.#deps;
        // What is on its way by an event was not missed.
        await this.#inspecting;
        if (this.#dirty.size > 0) return;
        this.#state.networks = await this.#scope.ask((signal) => source.networks(signal));
        const heardMs = this.#lastHeardMs;
        const missed = await this.#compare();
        this.#state.endDraining(clock.now() - this.#options.drainLimitMs);
        metrics.synced(clock.now());
        this.#publish();
        if (missed === 0 || this.#dirty.size > 0 || heardMs !== this.#lastHeardMs) return;
        metrics.missed(missed);
        logger.warn({ missed }, 'events of the Docker Engine were missed: subscribing anew');
        this.again = true;
        this.#scope.end();
      };
      run().then(
        () => this.#armResync(),
        (error: unknown) => this.#scope.fail(error),
      );
    });
  }

  /** Looks for containers that were told to stop; a slow answer makes the pauses longer. */
  #armStops(delayMs: number): void {
    const { source, clock } = this.#deps;
    this.#scope.arm('stops', delayMs, () => {
      const askedMs = clock.now();
      this.#scope
        .ask((signal) => source.containers(signal))
        .then(
          (listed) => {
            for (const { id, stopping } of listed) {
              if (stopping && !this.#state.containers.get(id)?.stopping) this.#dirty.add(id);
            }
            if (this.#dirty.size > 0) this.#armInspection();
            this.#armStops(Math.max(this.#options.stopPollMs, 4 * (clock.now() - askedMs)));
          },
          (error: unknown) => this.#scope.fail(error),
        );
    });
  }

  /** Asks for tasks soon, and then often for a while: an update goes on without events. */
  #hastenSwarm(): void {
    const { clock } = this.#deps;
    const { coalesceMs } = this.#options;
    if (!this.#state.facts?.swarm) {
      if (this.#options.swarm) this.#scope.arm('manager', coalesceMs, () => this.#lookForSwarm());
      return;
    }
    this.#swarmBusyUntilMs = clock.now() + 10 * this.#options.swarmBusyPollMs;
    this.#armSwarm(coalesceMs);
  }

  /** It may have become a manager: then it is asked for other things, from the start. */
  #lookForSwarm(): void {
    const { source } = this.#deps;
    this.#scope
      .ask((signal) => source.connect(signal))
      .then(
        (facts) => {
          if (!facts.swarm) return;
          this.again = true;
          this.#scope.end();
        },
        (error: unknown) => this.#scope.fail(error),
      );
  }

  #armSwarm(delayMs: number): void {
    if (!this.#state.facts?.swarm || this.#swarmWork || this.#buffer !== undefined) return;
    const { source, clock } = this.#deps;
    this.#scope.arm('swarm', delayMs, () => {
      const run = async (): Promise<void> => {
        const swarm = await this.#scope.ask((signal) => source.swarm(signal));
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
        (error: unknown) => this.#scope.fail(error),
      );
    });
  }
}

/** Nanoseconds as text: a longer one is later. */
function isAfter(a: string, b: string): boolean {
  return a.length === b.length ? a > b : a.length > b.length;
}
