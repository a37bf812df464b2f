import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { damaged, newerFormat, olderFormat, toStoreError } from './store-fault.ts';

/** Layout of the data folder and of the files in it; a reader refuses any other. 1 was LMDB's. */
const STORE_FORMAT = 2;

/** Where the newest log ends. */
export interface LogEnd {
  readonly log: number;
  readonly bytes: number;
}

/** What the marker says: that there is a whole store, and, after a clean stop, where it ends. */
export interface StoreMarker {
  readonly closed?: LogEnd;
}

export interface DataFolder {
  readonly path: string;
  readonly markerPath: string;
}

export function dataFolderAt(path: string): DataFolder {
  return {
    path,
    markerPath: join(path, 'portolan-store.json'),
  };
}

/** Makes the folder and its parents when missing, and says what is wrong with it otherwise. */
export function createFolder(path: string): void {
  try {
    const missing: string[] = [];
    for (let at = path; !existsSync(at); at = dirname(at)) missing.push(at);
    // One by one: mkdir with `recursive` never returns where a file system refuses new folders with ENOENT, as /proc does.
    for (const folder of missing.reverse()) {
      makeFolder(folder);
      syncFolder(dirname(folder));
    }
    if (!statSync(path).isDirectory()) throw notAFolder(path);
  } catch (error) {
    if (hasCode(error, 'EEXIST') || hasCode(error, 'ENOTDIR')) throw notAFolder(path);
    throw toStoreError(error, path, 'making the data folder');
  }
}

/** Somebody else may have made it in the meantime. */
function makeFolder(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (!hasCode(error, 'EEXIST') || !statSync(path).isDirectory()) throw error;
  }
}

function notAFolder(path: string): Error {
  return toStoreError(
    Object.assign(new Error('it, or a part of its path, is a file'), { code: 'ENOTDIR' }),
    path,
    'opening the data folder',
  );
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/**
 * The marker of a store that was once complete; undefined where there never was one. It is written after the first log and
 * never removed, so a store that vanished is told apart from a first start: it is never replaced by an empty one.
 */
export function readMarker(folder: DataFolder): StoreMarker | undefined {
  let text: string;
  try {
    text = readFileSync(folder.markerPath, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw toStoreError(error, folder.markerPath, 'reading the marker');
  }
  const marker = parseMarker(text);
  if (marker === undefined) {
    throw damaged(folder.markerPath, 'it is not the marker of a Portolan store');
  }
  const { format, closed } = marker;
  if (format > STORE_FORMAT) {
    throw newerFormat(folder.path, `format ${format}, this version reads ${STORE_FORMAT}`);
  }
  if (format < STORE_FORMAT) throw olderFormat(folder.path, format);
  return closed === undefined ? {} : { closed };
}

function parseMarker(
  text: string,
): { readonly format: number; readonly closed: LogEnd | undefined } | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { format, closed } = value as { format?: unknown; closed?: Partial<LogEnd> | null };
  if (!Number.isInteger(format)) return undefined;
  if (closed === undefined) return { format: Number(format), closed };
  const { log, bytes } = closed ?? {};
  if (!Number.isSafeInteger(log) || !Number.isSafeInteger(bytes)) return undefined;
  return { format: Number(format), closed: { log: Number(log), bytes: Number(bytes) } };
}

/** Durable before it returns: written aside, synced, renamed, and the folder synced. */
export function writeMarker(folder: DataFolder, marker: StoreMarker): void {
  try {
    const aside = `${folder.markerPath}.new`;
    const file = openSync(aside, 'w', 0o600);
    try {
      const fields = { product: 'portolan', format: STORE_FORMAT, ...marker };
      writeSync(file, `${JSON.stringify(fields)}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameDurably(aside, folder.markerPath);
  } catch (error) {
    throw toStoreError(error, folder.markerPath, 'writing the marker');
  }
}

/** So that the name survives a power cut. Where it fails, the name is what it was, unless the disk itself is at fault. */
export function renameDurably(from: string, to: string): void {
  // Opened first: when there are no descriptors left, nothing is to have happened.
  const folder = openSync(dirname(to), 'r');
  try {
    renameSync(from, to);
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** Makes names in a folder survive a power cut. */
function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
