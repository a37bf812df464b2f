import { type CommitResult, type Guard, type Op, RegistryError } from '@portolan/core';
import { nextTurn } from '../time/next-turn.ts';
import type { CommitRequest } from './evaluate-commits.ts';

export interface CommitQueueLimits {
  /** Commits that may wait; one more is refused. */
  readonly maxWaitingCommits: number;
  /** Characters of keys and values that may wait. */
  readonly maxWaitingCharacters: number;
  /** Operations written together; a single larger commit is still written whole. */
  readonly maxBatchOps: number;
}

export const DEFAULT_COMMIT_QUEUE_LIMITS: CommitQueueLimits = {
  maxWaitingCommits: 20_000,
  maxWaitingCharacters: 64 * 1024 * 1024,
  maxBatchOps: 2_000,
};

/** Makes a batch durable and returns one result for each request, or throws and has changed nothing. */
export type WriteBatch = (requests: readonly CommitRequest[]) => Promise<readonly CommitResult[]>;

interface Waiting extends CommitRequest {
  readonly characters: number;
  resolve(result: CommitResult): void;
  reject(error: unknown): void;
}

/**
 * Group commit: the commits of one event turn, and those that arrive while a batch is on its way to the disk, go
 * together. One batch is in flight at a time, so guards are decided on durable state plus the batch itself.
 */
export class CommitQueue {
  readonly #write: WriteBatch;
  readonly #limits: CommitQueueLimits;
  #waiting: Waiting[] = [];
  #characters = 0;
  #tasks: (() => Promise<void>)[] = [];
  #running: Promise<void> | undefined;

  constructor(write: WriteBatch, limits: CommitQueueLimits) {
    this.#write = write;
    this.#limits = limits;
  }

  commit(ops: readonly Op[], guards: readonly Guard[]): Promise<CommitResult> {
    let characters = 0;
    for (const op of ops) {
      characters += op.key.length + (op.type === 'put' ? op.value.length : 0);
    }
    if (
      this.#waiting.length >= this.#limits.maxWaitingCommits ||
      (this.#waiting.length > 0 &&
        this.#characters + characters > this.#limits.maxWaitingCharacters)
    ) {
      return Promise.reject(
        new RegistryError('TOO_MANY_REQUESTS', {
          detail: `${this.#waiting.length} writes are already waiting for the disk. Nothing of this one was kept; try again shortly.`,
          retryAfterMs: 1_000,
        }),
      );
    }
    this.#characters += characters;
    const result = new Promise<CommitResult>((resolve, reject) => {
      this.#waiting.push({ ops, guards, characters, resolve, reject });
    });
    this.#running ??= this.#run();
    return result;
  }

  /** Runs a task alone: between batches, never beside one. */
  async exclusive(task: () => Promise<void>): Promise<void> {
    const done = new Promise<void>((resolve, reject) => {
      this.#tasks.push(() => task().then(resolve, reject));
    });
    this.#running ??= this.#run();
    await done;
  }

  /** Resolves when nothing waits and nothing is in flight. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0 || this.#tasks.length > 0) {
      // The rest of this turn may still add to the batch.
      await nextTurn();
      for (const task of this.#tasks.splice(0)) await task();
      const batch = this.#take();
      if (batch.length === 0) continue;
      try {
        const results = await this.#write(batch);
        for (let index = 0; index < batch.length; index++) {
          const result = results[index];
          if (result === undefined) batch[index]?.reject(new Error(`no result ${index}`));
          else batch[index]?.resolve(result);
        }
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#running = undefined;
  }

  #take(): Waiting[] {
    let ops = 0;
    let count = 0;
    for (const waiting of this.#waiting) {
      if (count > 0 && ops + waiting.ops.length > this.#limits.maxBatchOps) break;
      ops += waiting.ops.length;
      this.#characters -= waiting.characters;
      count++;
    }
    return this.#waiting.splice(0, count);
  }
}
