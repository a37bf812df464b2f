import { type Entry, type Op, RegistryError, type Revision, type Store } from '@portolan/core';
import {
  fromSnapshotChunks,
  invalid,
  RESTORE_MARKER_KEY,
  type SnapshotHeader,
} from './snapshot-format.ts';
import { checkOps } from './store-limits.ts';

export type SnapshotChunks = AsyncIterable<Uint8Array | string>;

/** A snapshot is read twice: a function opens it anew (a file); an iterable is kept in memory for the second time. */
export type SnapshotSource = SnapshotChunks | (() => SnapshotChunks);

export interface RestoreOptions {
  /** `empty` refuses a store that holds something; `replace` makes the store equal to the snapshot. */
  readonly mode: 'empty' | 'replace';
  readonly onProgress?: (progress: RestoreProgress) => void;
}

export interface RestoreProgress {
  readonly phase: 'validating' | 'writing';
  readonly done: number;
  readonly total: number;
}

export interface RestoreOutcome {
  readonly restored: number;
  /** Keys that were removed because the snapshot does not have them. */
  readonly removed: number;
  /** Of the store afterwards: above its own before and above the snapshot's. */
  readonly revision: Revision;
}

const BATCH_OPS = 500;
const BATCH_CHARACTERS = 1024 * 1024;
const MAX_BUFFERED_BYTES = 1024 ** 3;

/**
 * Reads the whole snapshot and validates it, then writes it in bounded atomic commits between setting and removing a
 * marker: a restore that was interrupted is seen by whoever opens the store next.
 */
export async function restoreSnapshot(
  store: Store,
  source: SnapshotSource,
  options: RestoreOptions,
): Promise<RestoreOutcome> {
  const progress = options.onProgress ?? (() => undefined);
  const open = typeof source === 'function' ? source : await buffered(source);
  const { header, keys } = await validate(open(), progress);
  const present = await store.list('');
  const before = new Map(present.entries.map((entry) => [entry.key, entry.value]));
  before.delete(RESTORE_MARKER_KEY);
  if (options.mode === 'empty' && present.entries.length > 0) {
    throw new RegistryError('CONFLICT', {
      detail: `The store is not empty: it holds ${before.size} entries. Nothing was changed. Restore into an empty one, or ask for them to be replaced.`,
    });
  }
  await store.commit([{ type: 'put', key: RESTORE_MARKER_KEY, value: header.createdAt }]);
  await store.raiseRevision?.(header.revision);
  await writeEntries(store, open(), header, before, progress);
  const gone = [...before.keys()].filter((key) => !keys.has(key));
  for (let at = 0; at < gone.length; at += BATCH_OPS) {
    await store.commit(gone.slice(at, at + BATCH_OPS).map((key) => ({ type: 'delete', key })));
  }
  await store.commit([{ type: 'delete', key: RESTORE_MARKER_KEY }]);
  return { restored: keys.size, removed: gone.length, revision: store.revision };
}

async function buffered(source: SnapshotChunks): Promise<() => SnapshotChunks> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of source) {
    const kept = Buffer.from(chunk);
    bytes += kept.length;
    if (bytes > MAX_BUFFERED_BYTES) {
      throw new RegistryError('BODY_TOO_LARGE', {
        detail: `A snapshot of more than ${MAX_BUFFERED_BYTES} bytes has to be restored from a file.`,
      });
    }
    chunks.push(kept);
  }
  return async function* () {
    yield* chunks;
  };
}

async function validate(
  chunks: SnapshotChunks,
  progress: (progress: RestoreProgress) => void,
): Promise<{ readonly header: SnapshotHeader; readonly keys: ReadonlySet<string> }> {
  const keys = new Set<string>();
  let header: SnapshotHeader | undefined;
  for await (const item of fromSnapshotChunks(chunks)) {
    if (item.kind === 'header') header = item.header;
    else {
      const { key, value } = item.entry;
      const line = keys.size + 2;
      if (keys.has(key)) throw invalid(line, `the key ${JSON.stringify(key)} is there twice`);
      if (key === RESTORE_MARKER_KEY) throw invalid(line, 'it was taken during a restore');
      try {
        checkOps([{ type: 'put', key, value }]);
      } catch (cause) {
        throw invalid(line, cause instanceof Error ? cause.message : 'no valid entry', cause);
      }
      keys.add(key);
    }
    if (keys.size % 1_000 === 0) {
      progress({ phase: 'validating', done: keys.size, total: header?.count ?? 0 });
    }
  }
  if (header === undefined) throw invalid(1, 'the file is empty');
  return { header, keys };
}

async function writeEntries(
  store: Store,
  chunks: SnapshotChunks,
  header: SnapshotHeader,
  before: ReadonlyMap<string, string>,
  progress: (progress: RestoreProgress) => void,
): Promise<void> {
  let batch: Op[] = [];
  let characters = 0;
  let done = 0;
  const flush = async (): Promise<void> => {
    if (batch.length > 0) await store.commit(batch);
    batch = [];
    characters = 0;
    progress({ phase: 'writing', done, total: header.count });
  };
  const add = ({ key, value }: Entry): void => {
    done++;
    if (before.get(key) === value) return;
    batch.push({ type: 'put', key, value });
    characters += key.length + value.length;
  };
  for await (const item of fromSnapshotChunks(chunks)) {
    if (item.kind === 'header') continue;
    add(item.entry);
    if (batch.length >= BATCH_OPS || characters >= BATCH_CHARACTERS) await flush();
  }
  await flush();
}
