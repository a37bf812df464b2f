import { closeSync, existsSync } from 'node:fs';
import { access, constants } from 'node:fs/promises';
import { type Logger, RegistryError } from '@portolan/core';
import {
  createFolder,
  type DataFolder,
  dataFolderAt,
  readMarker,
  writeMarker,
} from './data-folder.ts';
import { LogDatabase, type LogDatabaseOptions } from './log-database.ts';
import { createLog, listLogFiles } from './log-files.ts';
import { acquireProcessLock } from './process-lock.ts';
import { RESTORE_MARKER_KEY } from './snapshot-format.ts';
import { noStore, toStoreError } from './store-fault.ts';

export interface OpenedFolder {
  readonly database: LogDatabase;
  /** Gives the folder back; `clean` when all that was acknowledged is in the files, and nothing else. */
  readonly release: (clean: boolean) => void;
}

/** Locks, checks and opens the folder; on any failure everything taken is given back and nothing is changed. */
export async function openDataFolder(
  path: string,
  options: LogDatabaseOptions & {
    readonly allowInterruptedRestore?: boolean;
    readonly mustExist?: boolean;
  },
  logger: Logger,
): Promise<OpenedFolder> {
  const folder = dataFolderAt(path);
  if (options.mustExist === true && !existsSync(folder.markerPath)) throw noStore(path);
  createFolder(path);
  try {
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw toStoreError(error, path, 'opening the data folder');
  }
  const lock = acquireProcessLock(path);
  let database: LogDatabase | undefined;
  try {
    const marker = readMarker(folder);
    if (!marker) beginStore(folder);
    database = await LogDatabase.open(folder, marker?.closed, options, logger);
    if (options.allowInterruptedRestore !== true) refuseInterruptedRestore(folder, database);
    // From here on it is not closed any more; before the first write, so that a crash is seen as one.
    if (!marker || marker.closed) writeMarker(folder, {});
    const opened = database;
    return {
      database,
      release(clean) {
        if (clean) writeMarker(folder, { closed: opened.end });
        lock.release();
      },
    };
  } catch (error) {
    await database?.close();
    lock.release();
    throw toStoreError(error, path, 'opening the store');
  }
}

/** A first start, or one that ended before its marker was written: nothing was ever acknowledged from it. */
function beginStore(folder: DataFolder): void {
  if (listLogFiles(folder.path).logs.length > 0) return;
  const { descriptor, file } = createLog(folder.path, 1, 0);
  closeSync(descriptor);
  file.release();
}

function refuseInterruptedRestore(folder: DataFolder, database: LogDatabase): void {
  if (database.get(RESTORE_MARKER_KEY) === undefined) return;
  throw new RegistryError('STORE_CORRUPT', {
    detail: `A snapshot restore into ${folder.path} did not finish, so the store holds only a part. Restore again with \`portolan snapshot restore --force\`.`,
  });
}
