import { RegistryError, type Store } from '@portolan/core';
import { RESTORE_MARKER_KEY, toSnapshotLines } from './snapshot-format.ts';

const CHUNK_CHARACTERS = 64 * 1024;

/**
 * Everything in the store as of one revision, as chunks of newline-delimited JSON. The first chunk comes after the list
 * was read; a consumer that stops early holds nothing open.
 */
export async function* saveSnapshot(
  store: Store,
  options: { readonly createdAt: string },
): AsyncGenerator<string> {
  const { entries, revision } = await store.list('');
  if (entries.some(({ key }) => key === RESTORE_MARKER_KEY)) {
    throw new RegistryError('STORE_CORRUPT', {
      detail:
        'A snapshot restore into this store is under way or did not finish: what it holds is not whole. Finish it first.',
    });
  }
  const header = { revision, count: entries.length, createdAt: options.createdAt };
  let chunk = '';
  for (const line of toSnapshotLines(header, entries)) {
    chunk += line;
    if (chunk.length < CHUNK_CHARACTERS) continue;
    yield chunk;
    chunk = '';
  }
  yield chunk;
}
