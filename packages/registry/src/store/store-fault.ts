import { RegistryError } from '@portolan/core';

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);
const FORBIDDEN = new Set(['EACCES', 'EPERM', 'EROFS']);
function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Whether the error itself says that there is no space left. */
export function isDiskFull(error: unknown): boolean {
  const code = codeOf(error);
  return code !== undefined && FULL.has(code);
}

/** What went wrong with the file system, in the words of the error table. */
export function toStoreError(error: unknown, path: string, doing: string): RegistryError {
  if (error instanceof RegistryError) return error;
  const code = codeOf(error);
  const message = error instanceof Error ? error.message : String(error);
  if (code !== undefined && FULL.has(code)) {
    return new RegistryError('STORE_FULL', {
      detail: `No space left while ${doing} in ${path}. Nothing of this write was kept; free space on that disk and try again.`,
      retryAfterMs: 5_000,
      cause: error,
    });
  }
  if (code !== undefined && FORBIDDEN.has(code)) {
    return new RegistryError('STORE_FORBIDDEN', {
      detail: `No permission while ${doing} in ${path} (${message}). Give the user this process runs as read and write access, or choose another folder with --data-dir.`,
      cause: error,
    });
  }
  return new RegistryError('STORE_FAILED', {
    detail: `The store failed while ${doing} in ${path}: ${message}. Check the disk and the system log, then restart.`,
    cause: error,
  });
}

/** The file cannot be trusted; it is left as it is. */
export function damaged(path: string, what: string, cause?: unknown): RegistryError {
  return new RegistryError('STORE_CORRUPT', {
    detail:
      `${path} is damaged: ${what}. Nothing was changed. Move the data folder away and put a backup in its place, ` +
      'or start with an empty folder and `portolan snapshot restore` the last snapshot.',
    cause,
  });
}

/** There was never a store, and none is to be made. */
export function noStore(path: string): RegistryError {
  return new RegistryError('STORE_FAILED', {
    detail: `There is no data of Portolan in ${path}, and nothing was made there. Name the folder that the server was started with as --data-dir.`,
  });
}

/** Written by a later release. */
export function newerFormat(path: string, what: string): RegistryError {
  return new RegistryError('STORE_FAILED', {
    detail:
      `${path} was written by a newer version of Portolan: ${what}. Nothing was changed. Run that version, ` +
      'or move the data with `portolan snapshot save` there and `portolan snapshot restore` here.',
  });
}

/** Written by an earlier release whose files cannot be read any more. */
export function olderFormat(path: string, format: number): RegistryError {
  return new RegistryError('STORE_FAILED', {
    detail:
      `${path} was written by an older version of Portolan (format ${format}). Nothing was changed. Move the data with ` +
      '`portolan snapshot save` of that version and `portolan snapshot restore` of this one, into another folder.',
  });
}

export function storeClosed(path: string): RegistryError {
  return new RegistryError('STORE_CLOSED', { detail: `The store in ${path} is closed.` });
}
