import { type Change, RegistryError, type Revision } from '@portolan/core';

export interface ChangeWindowOptions {
  /** Changes kept for readers that resume. */
  readonly maxChanges: number;
  /** Bytes of keys and values kept, roughly. */
  readonly maxBytes: number;
  /** Changes that may wait for one slow reader before it is told to read anew. */
  readonly maxQueuedChanges: number;
}

interface Batch {
  readonly changes: readonly Change[];
  readonly lastRevision: Revision;
  readonly bytes: number;
}

/** The newest changes in order, and the readers that follow them. */
export class ChangeWindow {
  readonly #options: ChangeWindowOptions;
  readonly #watchers = new Set<Watcher>();
  #batches: Batch[] = [];
  #changes = 0;
  #bytes = 0;
  /** Changes up to here are no longer held. */
  #horizon: Revision;

  constructor(options: ChangeWindowOptions, horizon: Revision) {
    this.#options = options;
    this.#horizon = horizon;
  }

  /** Hands what became durable together to every reader; synchronous, so that it happens before anything else. */
  publish(changes: readonly Change[]): void {
    const last = changes.at(-1);
    if (last === undefined) return;
    let bytes = 0;
    for (const { key, entry } of changes) bytes += 100 + key.length + (entry?.value.length ?? 0);
    this.#batches.push({ changes, lastRevision: last.revision, bytes });
    this.#changes += changes.length;
    this.#bytes += bytes;
    this.#shrink();
    for (const watcher of this.#watchers) watcher.offer(changes);
  }

  watch(prefix: string, from: Revision, signal: AbortSignal): AsyncIterable<readonly Change[]> {
    const watcher = new Watcher(prefix, from, this.#options.maxQueuedChanges, () => {
      this.#watchers.delete(watcher);
      signal.removeEventListener('abort', watcher.end);
    });
    if (signal.aborted) {
      watcher.end();
      return watcher;
    }
    if (from < this.#horizon) {
      watcher.fail(compacted(from, this.#horizon));
      return watcher;
    }
    signal.addEventListener('abort', watcher.end);
    this.#watchers.add(watcher);
    for (const { changes, lastRevision } of this.#batches) {
      if (lastRevision > from) watcher.replay(changes);
    }
    return watcher;
  }

  close(): void {
    for (const watcher of [...this.#watchers]) watcher.finish();
    this.#batches = [];
  }

  #shrink(): void {
    let drop = 0;
    for (const { changes, bytes, lastRevision } of this.#batches) {
      if (drop === this.#batches.length - 1) break;
      if (this.#changes <= this.#options.maxChanges && this.#bytes <= this.#options.maxBytes) break;
      this.#changes -= changes.length;
      this.#bytes -= bytes;
      this.#horizon = lastRevision;
      drop++;
    }
    // One splice for many: shifting an array of thousands for each batch would be quadratic.
    if (drop > 0) this.#batches.splice(0, drop);
  }
}

function compacted(from: Revision, horizon: Revision): RegistryError {
  return new RegistryError('STORE_COMPACTED', {
    detail: `Changes after revision ${from} are no longer held (the oldest held follows ${horizon}): list, then watch from the list's revision.`,
  });
}

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

interface Waiting {
  resolve(result: IteratorResult<readonly Change[], undefined>): void;
  reject(error: unknown): void;
}

/** One reader. Hand-written instead of a generator: a generator would add turns between durable and seen. */
class Watcher implements AsyncIterableIterator<readonly Change[], undefined> {
  readonly #prefix: string;
  readonly #from: Revision;
  readonly #maxQueued: number;
  readonly #onEnd: () => void;
  #queue: (readonly Change[])[] = [];
  #queued = 0;
  #waiting: Waiting[] = [];
  #state: 'open' | 'finishing' | 'ended' = 'open';
  #error: RegistryError | undefined;

  constructor(prefix: string, from: Revision, maxQueued: number, onEnd: () => void) {
    this.#prefix = prefix;
    this.#from = from;
    this.#maxQueued = maxQueued;
    this.#onEnd = onEnd;
  }

  /** What the window already holds does not count as slowness. */
  replay(changes: readonly Change[]): void {
    const wanted = this.#select(changes);
    if (wanted.length > 0) this.#queue.push(wanted);
  }

  offer(changes: readonly Change[]): void {
    if (this.#state !== 'open') return;
    const wanted = this.#select(changes);
    if (wanted.length === 0) return;
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) {
      waiting.resolve({ done: false, value: wanted });
      return;
    }
    if (this.#queued > 0 && this.#queued + wanted.length > this.#maxQueued) {
      this.fail(
        new RegistryError('STORE_COMPACTED', {
          detail: `The reader was too slow: more than ${this.#maxQueued} changes were waiting for it. List, then watch from the list's revision.`,
        }),
      );
      return;
    }
    this.#queue.push(wanted);
    this.#queued += wanted.length;
  }

  next(): Promise<IteratorResult<readonly Change[], undefined>> {
    const changes = this.#queue.shift();
    if (changes !== undefined) {
      this.#queued = this.#queue.length === 0 ? 0 : Math.max(0, this.#queued - changes.length);
      return Promise.resolve({ done: false, value: changes });
    }
    if (this.#error !== undefined) {
      const error = this.#error;
      this.#error = undefined;
      return Promise.reject(error);
    }
    if (this.#state !== 'open') return Promise.resolve(DONE);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<readonly Change[], undefined>> {
    this.end();
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Stops at once; what is queued is dropped. */
  readonly end = (): void => {
    this.#queue = [];
    this.#error = undefined;
    this.#close('ended');
  };

  /** Stops after what is queued has been read. */
  finish(): void {
    this.#close('finishing');
  }

  fail(error: RegistryError): void {
    this.#queue = [];
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#error = error;
    else waiting.reject(error);
    this.#close('ended');
  }

  #close(state: 'finishing' | 'ended'): void {
    if (this.#state === 'open') this.#onEnd();
    this.#state = state;
    for (const waiting of this.#waiting.splice(0)) waiting.resolve(DONE);
  }

  #select(changes: readonly Change[]): readonly Change[] {
    const from = this.#from;
    const prefix = this.#prefix;
    if (prefix === '' && (changes[0]?.revision ?? 0) > from) return changes;
    return changes.filter(({ key, revision }) => revision > from && key.startsWith(prefix));
  }
}
