import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { RegistryError } from '@portolan/core';
import { toStoreError } from './store-fault.ts';

export interface ProcessLock {
  release(): void;
}

const BUSY = 5;

/**
 * Takes the folder for this process alone, or fails with STORE_LOCKED naming who has it.
 *
 * The lock is the kernel's (an fcntl lock, taken through the runtime's own SQLite: the only one Node can take without a
 * native addon). It vanishes with the process however that ends, holds across containers that share the folder, and
 * knows no stale pid, no reused pid and no race between two starters. The pid beside it only names the holder.
 */
export function acquireProcessLock(folder: string): ProcessLock {
  const lockPath = join(folder, 'portolan.lock');
  const pidPath = join(folder, 'portolan.pid');
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(lockPath, { timeout: 0 });
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    database?.close();
    if (isBusy(error)) throw locked(folder, lockPath, pidPath);
    throw toLockError(error, lockPath);
  }
  const held = database;
  try {
    writeFileSync(pidPath, `${process.pid}\n`);
  } catch (error) {
    held.close();
    throw toStoreError(error, pidPath, 'writing the pid file');
  }
  let released = false;
  return {
    release() {
      if (released) return;
      released = true;
      // The file first: after the lock is gone the next holder may already have written its own.
      rmSync(pidPath, { force: true });
      held.close();
    },
  };
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === BUSY;
}

function toLockError(error: unknown, lockPath: string): RegistryError {
  const errcode = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0;
  // SQLITE_PERM, SQLITE_READONLY, SQLITE_CANTOPEN; SQLITE_FULL.
  const code = [3, 8, 14].includes(errcode) ? 'EACCES' : errcode === 13 ? 'ENOSPC' : undefined;
  if (errcode === 26 || errcode === 11) {
    return new RegistryError('STORE_CORRUPT', {
      detail: `${lockPath} is not a lock file of ours. It holds no data: remove it and start again.`,
      cause: error,
    });
  }
  const fault = code === undefined ? error : Object.assign(new Error(messageOf(error)), { code });
  return toStoreError(fault, lockPath, 'taking the lock');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function locked(folder: string, lockPath: string, pidPath: string): RegistryError {
  const pid = holderFromKernel(lockPath) ?? holderFromPidFile(pidPath);
  const holder = pid === undefined ? 'Another process' : `Process ${pid}`;
  return new RegistryError('STORE_LOCKED', {
    detail: `${holder} uses the data folder ${folder}. Stop it first, or give this one a folder of its own with --data-dir.`,
  });
}

/** On Linux the kernel tells whose lock is on this inode, also before the holder wrote its pid. */
function holderFromKernel(lockPath: string): number | undefined {
  try {
    const { ino } = statSync(lockPath);
    for (const line of readFileSync('/proc/locks', 'utf8').split('\n')) {
      const fields = line.trim().split(/\s+/);
      const pid = Number(fields[4]);
      if (fields[3] === 'WRITE' && fields[5]?.endsWith(`:${ino}`) === true && pid > 0) return pid;
    }
  } catch {
    // Not Linux, or /proc is hidden: the pid file will do.
  }
  return undefined;
}

function holderFromPidFile(pidPath: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(pidPath, 'utf8'), 10);
    return pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}
