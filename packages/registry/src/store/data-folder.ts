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
import { damaged, newerFormat, toStoreError } from './store-fault.ts';

/** Layout of the data folder and of the database in it; a reader refuses what is newer than it knows. */
export const STORE_FORMAT = 1;

export interface DataFolder {
  readonly path: string;
  readonly databasePath: string;
  readonly markerPath: string;
}

export function dataFolderAt(path: string): DataFolder {
  return {
    path,
    databasePath: join(path, 'registry.mdb'),
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
 * Whether the folder holds a store that was once complete. The marker is written after the database and never removed,
 * so a database that vanished or was emptied is told apart from a first start: it is never replaced by an empty one.
 */
export function readMarker(folder: DataFolder): boolean {
  let text: string;
  try {
    text = readFileSync(folder.markerPath, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw toStoreError(error, folder.markerPath, 'reading the marker');
  }
  const format = parseFormat(text);
  if (format === undefined) {
    throw damaged(folder.markerPath, 'it is not the marker of a Portolan store');
  }
  if (format > STORE_FORMAT) {
    throw newerFormat(folder.path, `format ${format}, this version reads up to ${STORE_FORMAT}`);
  }
  return true;
}

function parseFormat(text: string): number | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('format' in value)) return undefined;
    return Number.isInteger(value.format) ? Number(value.format) : undefined;
  } catch {
    return undefined;
  }
}

/** Durable before it returns: written aside, synced, renamed, and the folder synced. */
export function writeMarker(folder: DataFolder): void {
  try {
    const aside = `${folder.markerPath}.new`;
    const file = openSync(aside, 'w', 0o600);
    try {
      writeSync(file, `${JSON.stringify({ product: 'portolan', format: STORE_FORMAT })}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(aside, folder.markerPath);
    syncFolder(folder.path);
  } catch (error) {
    throw toStoreError(error, folder.markerPath, 'writing the marker');
  }
}

/** Makes names in a folder survive a power cut. */
export function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
