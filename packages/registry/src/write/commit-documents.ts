import {
  type DocumentOutcome,
  type Op,
  RegistryError,
  type Revision,
  type Store,
} from '@portolan/core';
import type { ReachedRevisions } from '../catalogue/reached-revisions.ts';
import type { KeyLock } from './key-lock.ts';
import { keyLock } from './lock-keys.ts';

/** What is to become of one document. */
export interface DocumentChange {
  readonly kind: string;
  readonly name: string;
  /** Undefined: whatever it is at. 0: it must not exist. */
  readonly ifRevision: Revision | undefined;
  /** Of the document as it is; 0 when there is none. */
  present(): Revision;
  /** What to store, null to delete, or undefined when nothing would change; asked again when another write came first. */
  decide(): string | null | undefined;
}

export interface CommitDeps {
  readonly store: Store;
  readonly lock: KeyLock;
  readonly reached: ReachedRevisions;
}

const MAX_TRIES = 8;

/** Makes all changes in one commit, or none; visible when it resolves. */
export async function commitDocuments(
  changes: readonly DocumentChange[],
  { store, lock, reached }: CommitDeps,
  dryRun = false,
): Promise<readonly DocumentOutcome[]> {
  const keys = changes.map(keyOf);
  const twice = changes.find((_, at) => keys.indexOf(keys[at] ?? '') < at);
  if (twice !== undefined) {
    throw new RegistryError('VALIDATION_FAILED', {
      detail: `${twice.kind} "${twice.name}" stands twice among the documents to write. Nothing was changed.`,
    });
  }
  const release = await lock.acquire(keys.map(keyLock));
  try {
    for (let tries = 1; ; tries++) {
      const ops: Op[] = [];
      const guards = changes.map((change, at) => ({
        key: keys[at] ?? '',
        modifyRevision: change.present(),
      }));
      const outcomes = changes.map((change, at): DocumentOutcome => {
        const { key = '', modifyRevision = 0 } = guards[at] ?? {};
        requireRevision(change, modifyRevision);
        const value = change.decide();
        if (value === undefined) return 'unchanged';
        if (value === null) {
          ops.push({ type: 'delete', key });
          return 'deleted';
        }
        ops.push({ type: 'put', key, value });
        return modifyRevision === 0 ? 'created' : 'configured';
      });
      if (ops.length === 0 || dryRun) return outcomes;
      const committed = await store.commit(ops, guards);
      if (committed.ok) {
        await reached.wait(committed.revision);
        return outcomes;
      }
      if (tries >= MAX_TRIES) {
        const what = committed.conflict.key.replace('/', ' "');
        throw new RegistryError('CONFLICT', {
          detail: `${what}" kept changing meanwhile; nothing was changed. Try again.`,
        });
      }
      await reached.wait(committed.actual);
    }
  } finally {
    release();
  }
}

function keyOf({ kind, name }: DocumentChange): string {
  return `${kind}/${name}`;
}

function requireRevision({ kind, name, ifRevision }: DocumentChange, at: Revision): void {
  if (ifRevision === undefined || ifRevision === at) return;
  throw new RegistryError('CONFLICT', {
    detail:
      at === 0
        ? `${kind} "${name}" does not exist.`
        : `${kind} "${name}" is at revision ${at}, not ${ifRevision}. Read it again and decide anew.`,
  });
}
