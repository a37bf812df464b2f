import { constants, existsSync, statSync, truncateSync } from 'node:fs';
import { access } from 'node:fs/promises';
import { RegistryError } from '@portolan/core';
import { checkDatabaseFile } from './check-database-file.ts';
import {
  createFolder,
  type DataFolder,
  dataFolderAt,
  readMarker,
  STORE_FORMAT,
  syncFolder,
  writeMarker,
} from './data-folder.ts';
import { LmdbDatabase } from './lmdb-database.ts';
import { acquireProcessLock } from './process-lock.ts';
import { RESTORE_MARKER_KEY } from './snapshot-format.ts';
import { damaged, newerFormat, noStore, toStoreError } from './store-fault.ts';

const TWO_META_PAGES_BYTES = 2 * 4096;

/** Locks, checks and opens the folder; on any failure everything taken is given back and nothing is changed. */
export async function openDataFolder(
  path: string,
  options: { readonly allowInterruptedRestore?: boolean; readonly mustExist?: boolean },
): Promise<{ readonly database: LmdbDatabase; readonly release: () => void }> {
  const folder = dataFolderAt(path);
  if (options.mustExist === true && !existsSync(folder.markerPath)) throw noStore(path);
  createFolder(path);
  try {
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw toStoreError(error, path, 'opening the data folder');
  }
  const lock = acquireProcessLock(path);
  let database: LmdbDatabase | undefined;
  try {
    const complete = readMarker(folder);
    if (checkSize(folder, complete)) await checkDatabaseFile(folder.databasePath);
    database = new LmdbDatabase(folder.databasePath);
    await completeDatabase(folder, complete, database);
    if (options.allowInterruptedRestore !== true) refuseInterruptedRestore(folder, database);
    return { database, release: () => lock.release() };
  } catch (error) {
    await database?.close();
    lock.release();
    throw toStoreError(error, folder.databasePath, 'opening the database');
  }
}

/** Whether there is a database to check; an empty one is only right where there never was a complete one. */
function checkSize(folder: DataFolder, complete: boolean): boolean {
  if (!existsSync(folder.databasePath)) {
    if (!complete) return false;
    throw damaged(
      folder.databasePath,
      `it is missing, though ${folder.markerPath} says that there was a store`,
    );
  }
  const { size } = statSync(folder.databasePath);
  if (size >= TWO_META_PAGES_BYTES) return true;
  if (complete) throw damaged(folder.databasePath, `it has only ${size} bytes`);
  // A first start that ended before its first page: nothing was ever acknowledged from it.
  truncateSync(folder.databasePath, 0);
  return false;
}

async function completeDatabase(
  folder: DataFolder,
  complete: boolean,
  database: LmdbDatabase,
): Promise<void> {
  const format = database.readFormat();
  if (format !== undefined && format > STORE_FORMAT) {
    throw newerFormat(folder.path, `format ${format}, this version reads up to ${STORE_FORMAT}`);
  }
  if (complete && format === undefined) {
    throw damaged(folder.databasePath, 'it holds no store, though it once did');
  }
  if (!complete) {
    if (format === undefined) await database.writeFormat(STORE_FORMAT);
    syncFolder(folder.path);
    writeMarker(folder);
  }
}

function refuseInterruptedRestore(folder: DataFolder, database: LmdbDatabase): void {
  if (database.get(RESTORE_MARKER_KEY) === undefined) return;
  throw new RegistryError('STORE_CORRUPT', {
    detail: `A snapshot restore into ${folder.path} did not finish, so the store holds only a part. Restore again with \`portolan snapshot restore --force\`.`,
  });
}
