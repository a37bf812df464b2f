import { type DocumentCollection, RegistryError, type Revision } from '@portolan/core';
import type { DocumentShelf, Shelved } from '../catalogue/document-shelf.ts';
import { type CommitDeps, commitDocuments, type DocumentChange } from './commit-documents.ts';

export interface DocumentsDeps<T extends object> extends CommitDeps {
  readonly kind: 'route' | 'policy' | 'webhook' | 'settings';
  readonly shelf: DocumentShelf<T>;
  readonly encode: (document: T) => string;
  /** Throws `RegistryError` when the document is not acceptable under this name. */
  readonly validate: (name: string, document: T) => void;
}

/** A collection whose changes can also be committed together with others. */
export interface Documents<T extends object> extends DocumentCollection<T, Shelved<T>> {
  /** Throws what makes the document unacceptable. */
  changeTo(name: string, document: T, ifRevision?: Revision): DocumentChange;
  deletionOf(name: string, ifRevision?: Revision): DocumentChange;
}

/** Named documents of one kind: compare-and-swap on the store, visible when a write resolves. */
export function createDocuments<T extends object>(deps: DocumentsDeps<T>): Documents<T> {
  const { kind, shelf, encode } = deps;
  const revisionOf = (name: string): Revision => shelf.get(name)?.modifyRevision ?? 0;

  function changeTo(name: string, document: T, ifRevision?: Revision): DocumentChange {
    deps.validate(name, document);
    const value = encode(document);
    return {
      kind,
      name,
      ifRevision,
      present: () => revisionOf(name),
      decide() {
        const present = shelf.get(name);
        return present && encode(withoutRevisions(present)) === value ? undefined : value;
      },
    };
  }

  function deletionOf(name: string, ifRevision?: Revision): DocumentChange {
    return {
      kind,
      name,
      ifRevision,
      present: () => revisionOf(name),
      decide: () => (shelf.get(name) === undefined ? undefined : null),
    };
  }

  async function commit(change: DocumentChange): Promise<boolean> {
    const [outcome] = await commitDocuments([change], deps);
    return outcome !== 'unchanged';
  }

  return {
    list: () => shelf.list(),
    get: (name) => shelf.get(name),
    async put(name, document, ifRevision) {
      const changed = await commit(changeTo(name, document, ifRevision));
      const stored = shelf.get(name);
      if (!stored) {
        throw new RegistryError('CONFLICT', { detail: `${kind} "${name}" was deleted meanwhile.` });
      }
      return { document: stored, changed };
    },
    async delete(name, ifRevision) {
      return commit(deletionOf(name, ifRevision));
    },
    changeTo,
    deletionOf,
  };
}

function withoutRevisions<T extends object>(document: Shelved<T>): T {
  const { createRevision, modifyRevision, ...rest } = document;
  return rest as unknown as T;
}
