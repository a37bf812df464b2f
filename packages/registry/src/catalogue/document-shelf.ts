import type { Entry, Revision } from '@portolan/core';

/** A document with the revisions that made it what it is. */
export type Shelved<T> = T & {
  readonly createRevision: Revision;
  readonly modifyRevision: Revision;
};

/** The documents of one kind, by name, and their sorted list, made when asked for. */
export class DocumentShelf<T extends object> {
  readonly #decode: (value: string) => T;
  readonly #documents = new Map<string, Shelved<T>>();
  #list: readonly Shelved<T>[] | undefined = [];

  constructor(decode: (value: string) => T) {
    this.#decode = decode;
  }

  get size(): number {
    return this.#documents.size;
  }

  /** Throws what `decode` throws; then nothing has changed. */
  put(name: string, entry: Entry): Shelved<T> {
    const { createRevision, modifyRevision } = entry;
    const document = { ...this.#decode(entry.value), createRevision, modifyRevision };
    this.#documents.set(name, document);
    this.#list = undefined;
    return document;
  }

  delete(name: string): boolean {
    this.#list = undefined;
    return this.#documents.delete(name);
  }

  get(name: string): Shelved<T> | undefined {
    return this.#documents.get(name);
  }

  /** Sorted by name; the same array until something changes. */
  list(): readonly Shelved<T>[] {
    this.#list ??= [...this.#documents]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, document]) => document);
    return this.#list;
  }
}
