import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import {
  checkRecord,
  FRAME_HEAD_BYTES,
  type FrameHead,
  MAGIC_BYTES,
  type RecordView,
  readFrameHead,
  viewRecord,
} from './log-frame.ts';

const BLOCK_BYTES = 4 * 1024 * 1024;
const SECTOR_BYTES = 512;

/** A file of frames, open for reading; whoever uses it holds it, and it closes with the last holder. */
export class FrameFile {
  readonly path: string;
  readonly #descriptor: number;
  #holders = 1;

  /** Held by the caller. `at` is where it stands now, if it is not yet called `path`. */
  constructor(path: string, at = path) {
    this.path = path;
    this.#descriptor = openSync(at, 'r');
  }

  get size(): number {
    return fstatSync(this.#descriptor).size;
  }

  hold(): this {
    this.#holders++;
    return this;
  }

  release(): void {
    if (--this.#holders === 0) closeSync(this.#descriptor);
  }

  /** Fills `target` as far as the file goes and returns how far that was. */
  read(target: Buffer, offset: number, bytes: number): number {
    let done = 0;
    while (done < bytes) {
      const count = readSync(this.#descriptor, target, done, bytes - done, offset + done);
      if (count === 0) break;
      done += count;
    }
    return done;
  }
}

/** Called for every record in order, with where it is in the file. */
export type TakeRecord = (record: RecordView, offset: number) => void;

export interface FrameScan {
  /** End of the last whole frame. */
  readonly end: number;
  /** Of the file. */
  readonly size: number;
  readonly last: FrameHead | undefined;
}

/**
 * Reads whole frames from the start of the file until one does not fit; `turn` is awaited between blocks. `takeFrame` is called
 * before the records of a frame and may throw.
 */
export async function scanFrames(
  file: FrameFile,
  takeFrame: (head: FrameHead) => void,
  takeRecord: TakeRecord,
  turn: () => Promise<void>,
): Promise<FrameScan> {
  const { size } = file;
  let block = Buffer.allocUnsafeSlow(Math.min(BLOCK_BYTES, Math.max(size, FRAME_HEAD_BYTES)));
  let blockAt = 0;
  let filled = file.read(block, 0, block.length);
  let at = 0;
  let last: FrameHead | undefined;
  const load = (bytes: number): boolean => {
    if (at + bytes <= blockAt + filled) return true;
    if (at + bytes > size) return false;
    if (bytes > block.length) block = Buffer.allocUnsafeSlow(bytes);
    blockAt = at;
    filled = file.read(block, at, Math.min(block.length, size - at));
    return filled >= bytes;
  };
  while (load(FRAME_HEAD_BYTES)) {
    const head = readFrameHead(block, at - blockAt);
    if (!head || !load(FRAME_HEAD_BYTES + head.recordBytes)) break;
    if (!areRecordsWhole(block, at - blockAt, head)) break;
    takeFrame(head);
    const start = at - blockAt + FRAME_HEAD_BYTES;
    const end = start + head.recordBytes;
    for (let record = start; record < end; ) {
      const view = viewRecord(block, record);
      takeRecord(view, blockAt + record);
      record += view.bytes;
    }
    const before = blockAt;
    at += FRAME_HEAD_BYTES + head.recordBytes;
    last = head;
    if (at - before > BLOCK_BYTES / 2) await turn();
  }
  return { end: at, size, last };
}

/** All of them are checked before the first is used: a frame is taken whole or not at all. */
function areRecordsWhole(block: Buffer, at: number, head: FrameHead): boolean {
  if (head.kind === 'begin' || head.kind === 'end') return head.recordBytes === 0;
  let next = at + FRAME_HEAD_BYTES;
  const end = next + head.recordBytes;
  let count = 0;
  while (next < end) {
    const bytes = checkRecord(block, next, end);
    if (bytes === undefined) return false;
    next += bytes;
    count++;
  }
  return count === head.count;
}

/**
 * Whether what follows the last whole frame is one that was being written when the process or the machine stopped, as etcd
 * judges it: it ends beyond the file, or holds a whole sector that never reached the disk. Anything else was whole once.
 */
export function isTorn(file: FrameFile, end: number): boolean {
  const bytes = file.size - end;
  const rest = Buffer.allocUnsafeSlow(bytes);
  file.read(rest, end, bytes);
  // A frame that can still be read after it was only written when it was durable.
  for (let at = rest.indexOf(MAGIC_BYTES, 1); at >= 0; at = rest.indexOf(MAGIC_BYTES, at + 1)) {
    if (readFrameHead(rest, at)) return false;
  }
  if (bytes < FRAME_HEAD_BYTES) return true;
  const head = readFrameHead(rest, 0);
  if (head && FRAME_HEAD_BYTES + head.recordBytes > bytes) return true;
  for (
    let at = (SECTOR_BYTES - (end % SECTOR_BYTES)) % SECTOR_BYTES;
    at < bytes;
    at += SECTOR_BYTES
  ) {
    if (rest.subarray(at, at + SECTOR_BYTES).every((byte) => byte === 0)) return true;
  }
  return head === undefined && rest.subarray(0, FRAME_HEAD_BYTES).every((byte) => byte === 0);
}

/** The open files of the store by the numbers that places name; a number is never used twice. */
export class FrameFiles {
  readonly #files = new Map<number, FrameFile>();
  #next = 0;

  add(file: FrameFile): number {
    const number = this.#next++;
    this.#files.set(number, file);
    return number;
  }

  at(number: number): FrameFile {
    const file = this.#files.get(number);
    if (!file) throw new Error(`file ${number} is not open`);
    return file;
  }

  /** All of them, held for a reader that has to release each. */
  holdAll(): ReadonlyMap<number, FrameFile> {
    return new Map([...this.#files].map(([number, file]) => [number, file.hold()]));
  }

  /** Returns the paths of those that are not needed any more. */
  dropAllBut(kept: readonly number[]): readonly string[] {
    const dropped = [...this.#files].filter(([number]) => !kept.includes(number));
    for (const [number, file] of dropped) {
      this.#files.delete(number);
      file.release();
    }
    return dropped.map(([, { path }]) => path);
  }

  close(): void {
    this.dropAllBut([]);
  }
}
