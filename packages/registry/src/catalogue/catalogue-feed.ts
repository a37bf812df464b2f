import {
  type Clock,
  isRegistryError,
  type Logger,
  RegistryError,
  type Store,
  type TimerHandle,
} from '@portolan/core';
import type { Catalogue } from './catalogue.ts';

const RETRY_MS = 1_000;

/** Carries the store's changes into the catalogue, for ever: a broken watch is taken up again without a gap. */
export class CatalogueFeed {
  readonly #catalogue: Catalogue;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #abort = new AbortController();
  #pause: { readonly timer: TimerHandle; readonly end: () => void } | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(catalogue: Catalogue, store: Store, clock: Clock, logger: Logger) {
    this.#catalogue = catalogue;
    this.#store = store;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Resolves when the present state is loaded. */
  async start(): Promise<void> {
    const loading = this.#catalogue.load();
    const revision = await this.#store.scan('', (entries) => loading.take(entries));
    loading.end(revision);
    this.#catalogue.reached.advance(revision);
    this.#running = this.#run();
  }

  async close(): Promise<void> {
    this.#abort.abort();
    this.#pause?.timer.cancel();
    this.#pause?.end();
    await this.#running;
    const detail = 'The registry was closed before the write was visible.';
    this.#catalogue.reached.fail(new RegistryError('SHUTTING_DOWN', { detail }));
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      try {
        const from = this.#catalogue.revision;
        for await (const changes of this.#store.watch('', from, signal)) {
          this.#catalogue.apply(changes);
        }
        if (signal.aborted) return;
        await this.#sleep();
      } catch (error) {
        if (signal.aborted) return;
        if (isRegistryError(error) && error.code === 'STORE_CLOSED') {
          this.#catalogue.reached.fail(error);
          return;
        }
        await this.#recover(error);
      }
    }
  }

  async #recover(error: unknown): Promise<void> {
    this.#logger.error({ err: error }, 'the watch on the store broke and is taken up again');
    if (!isRegistryError(error) || error.code !== 'STORE_COMPACTED') return this.#sleep();
    try {
      const { entries, revision } = await this.#store.list('');
      this.#catalogue.reconcile(entries, revision);
    } catch (again) {
      this.#logger.error({ err: again }, 'the store could not be read again');
      await this.#sleep();
    }
  }

  #sleep(): Promise<void> {
    return new Promise((end) => {
      this.#pause = { timer: this.#clock.setTimer(RETRY_MS, end), end };
    });
  }
}
