import { statfsSync } from 'node:fs';
import type { Entry, Revision } from '@portolan/core';
import { type Database, open, type RootDatabase } from 'lmdb';
import type { KeyRevisions } from './evaluate-commits.ts';
import { decodeRecord, decodeRevisions, encodeRecord } from './record-codec.ts';
import { damaged, isDiskFull, isIoError } from './store-fault.ts';

type Bytes = Database<Buffer, Buffer>;

const FORMAT_KEY = Buffer.from('format');
const REVISION_KEY = Buffer.from('revision');
/** Address space, not disk: the file grows with what is in it. */
const MAP_BYTES = 64 * 1024 ** 3;
/** UTF-8 never holds this byte, so it follows every key with the prefix before it. */
const AFTER_PREFIX = Buffer.from([0xff]);
const FIRST_KEY = Buffer.from([0]);
const LIST_CHUNK = 2_000;
/** A disk with less than one large batch left is full, whatever the error was called. */
const PAGE_BYTES = 4_096;
/** Kept free beside what a write may need. */
const SPARE_BYTES = 256 * 1_024;
const FULL_BELOW_BYTES = 4 * 1024 * 1024;

/** LMDB, holding entries in key order and, in the same transaction, the revision they are at. */
export class LmdbDatabase {
  readonly #path: string;
  #writeFailed = false;
  readonly #root: RootDatabase<Buffer, Buffer>;
  readonly #entries: Bytes;
  readonly #meta: Bytes;

  constructor(path: string) {
    this.#path = path;
    this.#root = open<Buffer, Buffer>({
      path,
      noSubdir: true,
      // Classic commits: data synced, then the meta page written through. Nothing is visible before it is durable, and a
      // failed sync leaves the last good transaction in place. docs/decisions/0003 has the comparison.
      overlappingSync: false,
      // We gather commits ourselves; the library's own gathering makes a second promise nobody could catch.
      eventTurnBatching: false,
      mapSize: MAP_BYTES,
      maxDbs: 4,
      maxReaders: 32,
      encoding: 'binary',
      keyEncoding: 'binary',
    });
    const options = { encoding: 'binary', keyEncoding: 'binary' } as const;
    this.#meta = this.#root.openDB<Buffer, Buffer>('meta', options);
    this.#entries = this.#root.openDB<Buffer, Buffer>('entries', options);
  }

  /** Layout number in the database; undefined when it was never completed. */
  readFormat(): number | undefined {
    return this.#readNumber(FORMAT_KEY);
  }

  async writeFormat(format: number): Promise<void> {
    await this.#transact(() => this.#putNumber(FORMAT_KEY, format));
  }

  readRevision(): Revision {
    return this.#readNumber(REVISION_KEY) ?? 0;
  }

  get(key: string): Entry | undefined {
    const bytes = Buffer.from(key);
    const record = this.#entries.getBinary(bytes);
    return record === undefined ? undefined : this.#decode(bytes, record);
  }

  revisionsOf(key: string): KeyRevisions | undefined {
    const record = this.#entries.getBinaryFast(Buffer.from(key));
    return record === undefined ? undefined : decodeRevisions(record);
  }

  /** One read transaction over several turns: as of one revision, without holding the event loop for a large list. */
  async list(
    prefix: string,
    turn: () => Promise<void>,
  ): Promise<{ readonly entries: readonly Entry[]; readonly revision: Revision }> {
    // A cached read transaction may be older than the newest commit that was acknowledged.
    this.#root.resetReadTxn();
    const transaction = this.#entries.useReadTransaction();
    try {
      const revision = this.#readNumber(REVISION_KEY, transaction) ?? 0;
      const entries: Entry[] = [];
      const end = Buffer.concat([Buffer.from(prefix), AFTER_PREFIX]);
      let start: Buffer = prefix === '' ? FIRST_KEY : Buffer.from(prefix);
      for (let more = true, first = true; more; first = false) {
        let count = 0;
        for (const { key, value } of this.#entries.getRange({
          start,
          end,
          exclusiveStart: !first,
          limit: LIST_CHUNK,
          transaction,
        })) {
          // Keys come as plain Uint8Arrays.
          start = Buffer.from(key.buffer, key.byteOffset, key.byteLength);
          entries.push(this.#decode(start, value));
          count++;
        }
        more = count === LIST_CHUNK;
        if (more) await turn();
      }
      return { entries, revision };
    } finally {
      transaction.done();
    }
  }

  /** Resolves when all of it is durable; rejects with the database's error when none of it is. */
  async write(
    finalEntries: ReadonlyMap<string, Entry | undefined>,
    revision: Revision,
  ): Promise<void> {
    this.#requireSpace(finalEntries);
    await this.#transact(() => {
      for (const [key, entry] of finalEntries) {
        const bytes = Buffer.from(key);
        if (entry === undefined) void this.#entries.remove(bytes);
        else {
          const { value, createRevision, modifyRevision } = entry;
          void this.#entries.put(bytes, encodeRecord(bytes, value, createRevision, modifyRevision));
        }
      }
      this.#putNumber(REVISION_KEY, revision);
    });
    this.#root.resetReadTxn();
  }

  /**
   * Whether the last failed write was for want of space and left the database usable. LMDB reports a page written in part
   * as an I/O error; after a failed meta page it refuses every transaction, and its writer thread would wait for ever.
   */
  failedForSpace(error: unknown): boolean {
    if (isDiskFull(error)) return true;
    if (!isIoError(error)) return false;
    const { bavail, bsize } = statfsSync(this.#path);
    if (bavail * bsize > FULL_BELOW_BYTES) return false;
    try {
      this.#root.transactionSync(() => undefined);
      return true;
    } catch {
      return false;
    }
  }

  /**
   * After a write that failed inside LMDB its environment is left to the end of the process: closing it then aborts
   * the process (lmdb 3.5.6, seen on a full disk).
   */
  async close(): Promise<void> {
    if (!this.#writeFailed) await this.#root.close();
  }

  /**
   * Refuses a write for which the disk may be too small before LMDB tries it: when the disk is full in the middle of
   * a transaction, lmdb 3.5.6 damages this process's heap and it dies later with SIGABRT.
   */
  #requireSpace(finalEntries: ReadonlyMap<string, Entry | undefined>): void {
    let needed = SPARE_BYTES;
    for (const [key, entry] of finalEntries) {
      // The leaf, its branches and the free list are written anew (copy on write).
      needed += 3 * PAGE_BYTES + 2 * (key.length + (entry?.value.length ?? 0));
    }
    const { bavail, bsize } = statfsSync(this.#path);
    if (bavail * bsize >= needed) return;
    throw Object.assign(new Error(`${bavail * bsize} bytes are free, ${needed} may be needed`), {
      code: 'ENOSPC',
    });
  }

  /** A block is one transaction, whatever else happens in this turn. */
  async #transact(writes: () => void): Promise<void> {
    try {
      await this.#root.batch(writes);
      await this.#root.flushed;
    } catch (error) {
      this.#writeFailed = true;
      throw await causeOf(error);
    }
  }

  #putNumber(key: Buffer, value: number): void {
    void this.#meta.put(key, encodeRecord(key, String(value), 0, 0));
  }

  #readNumber(key: Buffer, transaction?: ReturnType<Bytes['useReadTransaction']>) {
    const options = transaction === undefined ? undefined : { transaction };
    const record = this.#meta.get(key, options);
    if (record === undefined) return undefined;
    const value = Number(this.#decode(key, record).value);
    if (!Number.isSafeInteger(value) || value < 0) throw damaged(this.#path, `${key} is no number`);
    return value;
  }

  #decode(key: Buffer, record: Buffer): Entry {
    const entry = decodeRecord(key, record);
    if (entry !== undefined) return entry;
    throw damaged(this.#path, `the checksum of the entry ${JSON.stringify(`${key}`)} does not fit`);
  }
}

/** The library rejects with a wrapper whose `commitError` is a promise that rejects with the real error. */
async function causeOf(error: unknown): Promise<unknown> {
  if (typeof error !== 'object' || error === null || !('commitError' in error)) return error;
  try {
    await error.commitError;
    return error;
  } catch (cause) {
    return cause;
  }
}
