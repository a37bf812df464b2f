import type { Revision } from '@portolan/core';

interface Waiter {
  readonly revision: Revision;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Lets a writer wait until its revision was applied. */
export class ReachedRevisions {
  #revision: Revision = 0;
  #waiters: Waiter[] = [];
  #failure: unknown;

  /** Resolves when `revision` was applied; rejects when that will never happen. */
  wait(revision: Revision): Promise<void> {
    if (revision <= this.#revision) return Promise.resolve();
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => this.#waiters.push({ revision, resolve, reject }));
  }

  advance(revision: Revision): void {
    this.#revision = Math.max(this.#revision, revision);
    if (this.#waiters.length === 0) return;
    const waiting: Waiter[] = [];
    for (const waiter of this.#waiters) {
      if (waiter.revision <= this.#revision) waiter.resolve();
      else waiting.push(waiter);
    }
    this.#waiters = waiting;
  }

  fail(error: unknown): void {
    this.#failure = error;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
  }
}
