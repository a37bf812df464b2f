import { join } from 'node:path';
import type { Revision } from '@portolan/core';
import type { DataFolder, LogEnd } from './data-folder.ts';
import { FrameFile, FrameFiles, isTorn, scanFrames } from './frame-file.ts';
import { basePath, listLogFiles, logPath } from './log-files.ts';
import { type FrameHead, keyOf } from './log-frame.ts';
import { RecordTable } from './record-table.ts';
import { damaged } from './store-fault.ts';

/** What the files of a folder hold. */
export interface RecoveredStore {
  readonly table: RecordTable;
  readonly files: FrameFiles;
  readonly revision: Revision;
  readonly logNumber: number;
  /** The newest log among `files`. */
  readonly logFile: number;
  /** Where the newest log goes on. */
  readonly logEnd: number;
  /** After `logEnd`: of a write that never ended. */
  readonly tornBytes: number;
  readonly olderLogBytes: number;
  readonly baseBytes: number;
  /** Paths of files that nothing needs. */
  readonly useless: readonly string[];
}

/** Reads the newest base and the logs from its number on, checks every byte of them, and changes nothing. */
export async function recoverStore(
  folder: DataFolder,
  closed: LogEnd | undefined,
  turn: () => Promise<void>,
): Promise<RecoveredStore> {
  const present = listLogFiles(folder.path);
  const first = present.bases.at(-1) ?? 1;
  const logs = present.logs.filter((number) => number >= first);
  const newest = requireWhole(folder.path, first, logs, closed);
  const recovery = new Recovery();
  try {
    const baseBytes = present.bases.includes(first)
      ? await recovery.readBase(basePath(folder.path, first), turn)
      : 0;
    let olderLogBytes = 0;
    for (const number of logs.slice(0, -1)) {
      const path = logPath(folder.path, number);
      const { scan } = await recovery.readLog(path, number, turn);
      if (scan.end < scan.size) throw damaged(path, `it cannot be read from ${scan.end} on`);
      olderLogBytes += scan.end;
    }
    const path = logPath(folder.path, newest);
    const { scan, number: logFile } = await recovery.readLog(path, newest, turn);
    const { end, size } = scan;
    if (closed !== undefined && (end !== size || size !== closed.bytes)) {
      throw damaged(path, `it was left with ${closed.bytes} bytes and holds ${end} of ${size}`);
    }
    if (end < size && !isTorn(recovery.files.at(logFile), end)) {
      throw damaged(path, `it cannot be read from ${end} on`);
    }
    return {
      table: recovery.table,
      files: recovery.files,
      revision: recovery.revision,
      logNumber: newest,
      logFile,
      logEnd: end,
      tornBytes: size - end,
      olderLogBytes,
      baseBytes,
      useless: [
        ...present.unfinished.map((name) => join(folder.path, name)),
        ...present.logs.filter((n) => n < first).map((n) => logPath(folder.path, n)),
        ...present.bases.filter((n) => n < first).map((n) => basePath(folder.path, n)),
      ],
    };
  } catch (error) {
    recovery.files.close();
    throw error;
  }
}

/** Number of the newest log. */
function requireWhole(
  folder: string,
  first: number,
  logs: readonly number[],
  closed: LogEnd | undefined,
): number {
  const last = closed?.log ?? logs.at(-1) ?? first;
  for (let number = first; number <= last; number++) {
    if (!logs.includes(number)) throw damaged(logPath(folder, number), 'it is missing');
  }
  const newest = logs.at(-1) ?? first;
  if (newest > last) {
    throw damaged(logPath(folder, newest), 'it is newer than what the last clean stop left');
  }
  return newest;
}

class Recovery {
  readonly table = new RecordTable();
  readonly files = new FrameFiles();
  revision: Revision = 0;

  async readBase(path: string, turn: () => Promise<void>): Promise<number> {
    const number = this.files.add(new FrameFile(path));
    let records = 0;
    const { end, size, last } = await scanFrames(
      this.files.at(number),
      (head) => {
        if (head.kind !== 'part' && head.kind !== 'end') throw misplaced(path, head);
      },
      (record, offset) => {
        records++;
        this.table.setRecord(record, number, offset);
      },
      turn,
    );
    if (end !== size || last?.kind !== 'end' || last.count !== records) {
      throw damaged(path, `it cannot be read from ${end} on`);
    }
    this.revision = last.revision;
    return size;
  }

  async readLog(path: string, logNumber: number, turn: () => Promise<void>) {
    const number = this.files.add(new FrameFile(path));
    let begun = false;
    const scan = await scanFrames(
      this.files.at(number),
      (head) => {
        const isFirst = !begun;
        begun = true;
        if ((head.kind === 'begin') !== isFirst) throw misplaced(path, head);
        if (isFirst && head.count !== logNumber) throw misplaced(path, head);
        if (head.kind !== 'begin' && head.kind !== 'commits') throw misplaced(path, head);
        // A base may hold records newer than the beginning of the log that follows it.
        this.revision = Math.max(this.revision, head.revision);
      },
      (record, offset) => {
        if (record.deleted) this.table.delete(keyOf(record));
        else this.table.setRecord(record, number, offset);
      },
      turn,
    );
    if (!begun) throw damaged(path, 'it is no log of Portolan, or has lost its beginning');
    return { scan, number };
  }
}

function misplaced(path: string, head: FrameHead): Error {
  return damaged(
    path,
    `a frame (${head.kind}, revision ${head.revision}) stands where it cannot be`,
  );
}
