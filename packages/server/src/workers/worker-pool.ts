import { backoffDelayMs } from '@portolan/client';
import type {
  CatalogueReader,
  Clock,
  Logger,
  Random,
  RequestToExplain,
  RouteExplanation,
  TimerHandle,
} from '@portolan/core';
import { StartError } from '../lifecycle/start-error.ts';
import type { MetricSnapshot } from '../telemetry/metrics.ts';
import { type CatalogueFeed, createCatalogueFeed } from './catalogue-feed.ts';
import {
  type FromWorker,
  type ToWorker,
  VITALS_EVERY_MS,
  type WorkerListening,
  type WorkerSettings,
  type WorkerVitals,
} from './worker-messages.ts';
import type { StartWorkerProcess, WorkerProcess } from './worker-process.ts';

export interface WorkerPoolOptions {
  readonly workers: number;
  readonly version: string;
}

export interface WorkerPoolDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly catalogue: CatalogueReader;
  readonly startProcess: StartWorkerProcess;
  /** Asked whenever a worker starts and at a reload. */
  readonly settings: () => WorkerSettings;
  /** Called when a worker does not serve any more, or serves again. */
  readonly onServing: (serving: number) => void;
  /** Called once for each process that ended, with the last metrics it told. */
  readonly onEnd: (metrics: readonly MetricSnapshot[]) => void;
}

/** One of the places that a process fills. */
export interface WorkerStatus {
  readonly worker: number;
  readonly pid: number | null;
  readonly state: 'starting' | 'serving' | 'waiting';
  /** Processes that ended at this place. */
  readonly restarts: number;
  /** How the last one ended. */
  readonly lastEnd: string | null;
  readonly vitals: WorkerVitals | undefined;
}

/** Keeps a number of gateway processes alive. */
export interface WorkerPool {
  status(): readonly WorkerStatus[];
  /** The metrics of each process, of one that is too slow to answer as it told them last. */
  metrics(): Promise<readonly (readonly MetricSnapshot[])[]>;
  /** Asks a worker that serves; undefined when none does, or when it does not answer in time. */
  explain(request: RequestToExplain): Promise<RouteExplanation | undefined>;
  /** Gives all of them the present settings; resolves when they have them in force, or when that takes too long. */
  configure(): Promise<void>;
  /** Lets all of them drain and resolves when they have ended; what is left after `timeoutMs` is killed. */
  close(timeoutMs: number): Promise<void>;
}

const RESTART = { baseMs: 100, capMs: 10_000 };
/** A process that served this long did not fail for a reason that the next one has at once. */
const STEADY_MS = 30_000;
/** A process that says nothing for this long hangs. */
const SILENT_LIMIT_MS = 30 * VITALS_EVERY_MS;
const ANSWER_LIMIT_MS = 1_000;
const CONFIGURE_LIMIT_MS = 5_000;

/** Starts the first worker, which finds the port when any will do, then the others; resolves when all of them serve. */
export async function startWorkerPool(
  options: WorkerPoolOptions,
  deps: WorkerPoolDeps & {
    readonly onListening: (listening: WorkerListening) => void;
    /** Gives the start up; the promise rejects then. */
    readonly stopping: AbortSignal;
  },
): Promise<WorkerPool> {
  const { stopping } = deps;
  const pool = new Pool(options, deps);
  const stopped = Promise.withResolvers<never>();
  const stop = (): void => stopped.reject(stopping.reason);
  stopping.addEventListener('abort', stop);
  const starting = async (): Promise<void> => {
    deps.onListening(await pool.startPlace());
    const others = Array.from({ length: options.workers - 1 }, () => pool.startPlace());
    await Promise.all(others);
  };
  try {
    stopping.throwIfAborted();
    await Promise.race([starting(), stopped.promise]);
    stopping.removeEventListener('abort', stop);
    return pool;
  } catch (error) {
    stopping.removeEventListener('abort', stop);
    await pool.close(0);
    throw error;
  }
}

interface Place {
  readonly worker: number;
  process: WorkerProcess | undefined;
  state: WorkerStatus['state'];
  restarts: number;
  lastEnd: string | null;
  /** Ends in a row without a steady time between. */
  failures: number;
  servingSinceMs: number;
  heardAtMs: number;
  vitals: WorkerVitals | undefined;
  metrics: readonly MetricSnapshot[];
  feed: CatalogueFeed | undefined;
  retry: TimerHandle | undefined;
  /** Of the first process: what it could not do is the server's failure to start. */
  first: PromiseWithResolvers<WorkerListening> | undefined;
}

class Pool implements WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #deps: WorkerPoolDeps;
  readonly #places: Place[] = [];
  readonly #questions = new Map<number, (answer: FromWorker) => void>();
  readonly #configuring = new Map<Place, () => void>();
  #question = 0;
  #closing: PromiseWithResolvers<void> | undefined;
  #watch: TimerHandle | undefined;

  constructor(options: WorkerPoolOptions, deps: WorkerPoolDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#lookForSilent();
  }

  startPlace(): Promise<WorkerListening> {
    const place: Place = {
      worker: this.#places.length + 1,
      process: undefined,
      state: 'starting',
      restarts: 0,
      lastEnd: null,
      failures: 0,
      servingSinceMs: 0,
      heardAtMs: 0,
      vitals: undefined,
      metrics: [],
      feed: undefined,
      retry: undefined,
      first: Promise.withResolvers(),
    };
    this.#places.push(place);
    this.#start(place);
    return place.first?.promise ?? Promise.reject(new Error('A place has to have a promise.'));
  }

  status(): readonly WorkerStatus[] {
    return this.#places.map(({ worker, process, state, restarts, lastEnd, vitals }) => ({
      worker,
      pid: process?.pid ?? null,
      state,
      restarts,
      lastEnd,
      vitals,
    }));
  }

  async metrics(): Promise<readonly (readonly MetricSnapshot[])[]> {
    return await Promise.all(
      this.#places.map(async (place) => {
        const metrics = await this.#askMetrics(place);
        return metrics ?? place.metrics;
      }),
    );
  }

  async explain(request: RequestToExplain): Promise<RouteExplanation | undefined> {
    const process = this.#places.find(({ state }) => state === 'serving')?.process;
    if (!process) return undefined;
    const answer = await this.#ask(process, (question) => ({ kind: 'explain', question, request }));
    return answer?.kind === 'explained' ? answer.explanation : undefined;
  }

  async configure(): Promise<void> {
    const settings = this.#deps.settings();
    await Promise.all(
      this.#places.map(async (place) => {
        if (!place.process) return;
        const { promise, resolve } = Promise.withResolvers<void>();
        // One that ends meanwhile starts with the present settings again.
        this.#configuring.set(place, resolve);
        const timer = this.#deps.clock.setTimer(CONFIGURE_LIMIT_MS, () => {
          const { worker } = place;
          this.#deps.logger.warn({ worker }, 'a gateway worker is slow to take the configuration');
          resolve();
        });
        place.process.send({ kind: 'configure', settings });
        await promise;
        timer.cancel();
        this.#configuring.delete(place);
      }),
    );
  }

  async close(timeoutMs: number): Promise<void> {
    this.#closing = Promise.withResolvers();
    this.#watch?.cancel();
    for (const place of this.#places) {
      place.retry?.cancel();
      place.first?.promise.catch(() => undefined);
      place.process?.send({ kind: 'drain' });
    }
    const timer = this.#deps.clock.setTimer(timeoutMs, () => {
      for (const { worker, process } of this.#places) {
        if (!process) continue;
        this.#deps.logger.warn({ worker }, 'a gateway worker did not end in time and is killed');
        process.kill();
      }
    });
    this.#settleClosing();
    await this.#closing.promise;
    timer.cancel();
  }

  #start(place: Place): void {
    const { version } = this.#options;
    const { clock, catalogue, settings, startProcess } = this.#deps;
    place.state = 'starting';
    place.heardAtMs = clock.now();
    const process = startProcess({
      onMessage: (message) => this.#receive(place, message),
      onEnd: (how) => this.#ended(place, how),
    });
    place.process = process;
    process.send({ kind: 'start', version, settings: settings() });
    place.feed = createCatalogueFeed(catalogue, (part) =>
      process.send({ kind: 'catalogue', part }),
    );
  }

  #receive(place: Place, message: FromWorker): void {
    const { clock, logger } = this.#deps;
    place.heardAtMs = clock.now();
    switch (message.kind) {
      case 'took':
        place.feed?.took();
        break;
      case 'serving':
        place.state = 'serving';
        place.servingSinceMs = clock.now();
        place.first?.resolve(message.listening);
        place.first = undefined;
        logger.info({ worker: place.worker, pid: place.process?.pid }, 'a gateway worker serves');
        this.#tellServing();
        break;
      case 'failed': {
        const { worker } = place;
        logger.error({ worker, reason: message.message }, 'a gateway worker cannot start');
        place.first?.reject(new StartError(message.message, { hints: message.hints }));
        break;
      }
      case 'configured':
        this.#configuring.get(place)?.();
        break;
      case 'metrics':
      case 'explained':
        this.#questions.get(message.question)?.(message);
        break;
      case 'alive':
        place.vitals = message.vitals;
        break;
    }
  }

  #ended(place: Place, how: string): void {
    const { clock, random, logger, onEnd } = this.#deps;
    const { worker, process } = place;
    place.feed?.end();
    onEnd(place.metrics);
    const servedMs = place.state === 'serving' ? clock.now() - place.servingSinceMs : 0;
    Object.assign(place, { process: undefined, feed: undefined, vitals: undefined, metrics: [] });
    place.state = 'waiting';
    place.lastEnd = how;
    this.#configuring.get(place)?.();
    if (this.#closing) {
      this.#settleClosing();
      return;
    }
    this.#tellServing();
    place.restarts += 1;
    place.failures = servedMs >= STEADY_MS ? 0 : place.failures + 1;
    if (place.first) {
      place.first.reject(new StartError(`gateway worker ${worker} ended as it started: ${how}`));
      return;
    }
    // The first time at once: the others carry its share meanwhile.
    const delayMs = place.failures <= 1 ? 0 : backoffDelayMs(place.failures, RESTART, random);
    logger.error(
      { worker, pid: process?.pid, how, restartInMs: Math.round(delayMs) },
      'a gateway worker ended and is replaced',
    );
    place.retry = clock.setTimer(delayMs, () => this.#start(place));
  }

  #tellServing(): void {
    this.#deps.onServing(this.#places.filter(({ state }) => state === 'serving').length);
  }

  #settleClosing(): void {
    if (this.#places.every(({ process }) => process === undefined)) this.#closing?.resolve();
  }

  async #askMetrics(place: Place): Promise<readonly MetricSnapshot[] | undefined> {
    const { process } = place;
    if (!process || place.state !== 'serving') return undefined;
    const answer = await this.#ask(process, (question) => ({ kind: 'metrics', question }));
    // Of a process that ended meanwhile nothing is kept twice.
    if (answer?.kind !== 'metrics' || place.process !== process) return undefined;
    place.metrics = answer.metrics;
    return answer.metrics;
  }

  /** Undefined when the answer takes too long. */
  async #ask(
    process: WorkerProcess,
    toMessage: (question: number) => ToWorker,
  ): Promise<FromWorker | undefined> {
    this.#question += 1;
    const question = this.#question;
    const { promise, resolve } = Promise.withResolvers<FromWorker | undefined>();
    this.#questions.set(question, resolve);
    const timer = this.#deps.clock.setTimer(ANSWER_LIMIT_MS, () => resolve(undefined));
    process.send(toMessage(question));
    const answer = await promise;
    timer.cancel();
    this.#questions.delete(question);
    return answer;
  }

  #lookForSilent(): void {
    const { clock, logger } = this.#deps;
    for (const { worker, process, heardAtMs } of this.#places) {
      if (!process || clock.now() - heardAtMs < SILENT_LIMIT_MS) continue;
      logger.error({ worker, pid: process.pid }, 'a gateway worker hangs and is killed');
      process.kill();
    }
    this.#watch = clock.setTimer(VITALS_EVERY_MS, () => this.#lookForSilent());
  }
}
