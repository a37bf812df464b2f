import { type DocumentCollection, RegistryError, type Revision, type Store } from '@portolan/core';
import type { DocumentShelf, Shelved } from '../catalogue/document-shelf.ts';
import type { ReachedRevisions } from '../catalogue/reached-revisions.ts';
import type { KeyLock } from './key-lock.ts';

export interface DocumentsDeps<T extends object> {
  readonly kind: 'route' | 'policy' | 'webhook';
  readonly shelf: DocumentShelf<T>;
  readonly encode: (document: T) => string;
  /** Throws `RegistryError` when the document is not acceptable under this name. */
  readonly validate: (name: string, document: T) => void;
  readonly store: Store;
  readonly lock: KeyLock;
  readonly reached: ReachedRevisions;
}

const MAX_TRIES = 8;

/** Named documents of one kind: compare-and-swap on the store, visible when a write resolves. */
export function createDocuments<T extends object>(
  deps: DocumentsDeps<T>,
): DocumentCollection<T, Shelved<T>> {
  const { kind, shelf, encode, store, lock, reached } = deps;

  /** `decide` gives the op, or undefined when nothing would change. */
  async function swap(
    name: string,
    ifRevision: Revision | undefined,
    decide: (present: Shelved<T> | undefined) => string | null | undefined,
  ): Promise<boolean> {
    const key = `${kind}/${name}`;
    const release = await lock.acquire([key]);
    try {
      for (let tries = 1; ; tries++) {
        const present = shelf.get(name);
        const at = present?.modifyRevision ?? 0;
        if (ifRevision !== undefined && ifRevision !== at) {
          throw new RegistryError('CONFLICT', {
            detail:
              at === 0
                ? `${kind} "${name}" does not exist.`
                : `${kind} "${name}" is at revision ${at}, not ${ifRevision}. Read it again and decide anew.`,
          });
        }
        const value = decide(present);
        if (value === undefined) return false;
        const op =
          value === null
            ? ({ type: 'delete', key } as const)
            : ({ type: 'put', key, value } as const);
        const committed = await store.commit([op], [{ key, modifyRevision: at }]);
        if (committed.ok) {
          await reached.wait(committed.revision);
          return true;
        }
        if (tries >= MAX_TRIES) {
          const detail = `${kind} "${name}" kept changing meanwhile; nothing was changed. Try again.`;
          throw new RegistryError('CONFLICT', { detail });
        }
        await reached.wait(committed.actual);
      }
    } finally {
      release();
    }
  }

  return {
    list: () => shelf.list(),
    get: (name) => shelf.get(name),
    async put(name, document, ifRevision) {
      deps.validate(name, document);
      const value = encode(document);
      const changed = await swap(name, ifRevision, (present) =>
        present && encode(withoutRevisions(present)) === value ? undefined : value,
      );
      const stored = shelf.get(name);
      if (!stored) {
        throw new RegistryError('CONFLICT', { detail: `${kind} "${name}" was deleted meanwhile.` });
      }
      return { document: stored, changed };
    },
    delete: (name, ifRevision) =>
      swap(name, ifRevision, (present) => (present === undefined ? undefined : null)),
  };
}

function withoutRevisions<T extends object>(document: Shelved<T>): T {
  const { createRevision, modifyRevision, ...rest } = document;
  return rest as unknown as T;
}
