import { closeSync, constants, fsyncSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { renameDurably } from './data-folder.ts';
import { FrameFile } from './frame-file.ts';
import { FRAME_HEAD_BYTES, writeFrameHead } from './log-frame.ts';

const NAME = /^registry-(\d{8})\.(log|base)(\.new)?$/;

/** The files of the store in a folder, by their numbers. */
export interface LogFiles {
  readonly logs: readonly number[];
  readonly bases: readonly number[];
  /** Names of files that were being made when the process ended. */
  readonly unfinished: readonly string[];
}

export function listLogFiles(folder: string): LogFiles {
  const logs: number[] = [];
  const bases: number[] = [];
  const unfinished: string[] = [];
  for (const name of readdirSync(folder)) {
    const match = NAME.exec(name);
    if (!match) continue;
    if (match[3] !== undefined) unfinished.push(name);
    else (match[2] === 'log' ? logs : bases).push(Number(match[1]));
  }
  const ascending = (a: number, b: number): number => a - b;
  return { logs: logs.sort(ascending), bases: bases.sort(ascending), unfinished };
}

export function logPath(folder: string, number: number): string {
  return join(folder, `registry-${String(number).padStart(8, '0')}.log`);
}

export function basePath(folder: string, number: number): string {
  return join(folder, `registry-${String(number).padStart(8, '0')}.base`);
}

/** What writing and reading a log needs. */
export interface OpenLog {
  /** Open for durable writes. */
  readonly descriptor: number;
  readonly file: FrameFile;
}

const { O_RDWR, O_CREAT, O_TRUNC, O_DSYNC } = constants;

/**
 * Makes an empty log that is whole from its first moment: written aside, synced, renamed. It is open before it has its name, so
 * that there never is a log in the folder which nobody can write: on a failure there is none.
 */
export function createLog(folder: string, number: number, revision: number): OpenLog {
  const path = logPath(folder, number);
  const aside = `${path}.new`;
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  writeFrameHead(head, 0, { kind: 'begin', recordBytes: 0, count: number, revision });
  let descriptor: number | undefined;
  let file: FrameFile | undefined;
  try {
    descriptor = openSync(aside, O_RDWR | O_CREAT | O_TRUNC | O_DSYNC, 0o600);
    writeSync(descriptor, head);
    fsyncSync(descriptor);
    file = new FrameFile(path, aside);
    renameDurably(aside, path);
    return { descriptor, file };
  } catch (error) {
    if (descriptor !== undefined) closeSync(descriptor);
    file?.release();
    removeFiles([aside, path]);
    throw error;
  }
}

/** Files that a newer base or a fresh start made useless; what cannot be removed now goes at the next start. */
export function removeFiles(paths: readonly string[]): void {
  for (const path of paths) rmSync(path, { force: true });
}
