import { crc32 } from 'node:zlib';
import type { Entry, Revision } from '@portolan/core';

/** What a frame is for. */
export type FrameKind = 'begin' | 'commits' | 'part' | 'end';

const KINDS: readonly FrameKind[] = ['begin', 'commits', 'part', 'end'];

/** `PLF1`. */
const MAGIC = 0x31_46_4c_50;
export const MAGIC_BYTES = Buffer.from('PLF1');

/**
 * magic u32 · kind u32 · bytes of the records u32 · number of records u32 · revision f64 · CRC-32 of these u32; little-endian.
 * `begin` and `end` have no records; the count of `end` is that of the whole file.
 */
export const FRAME_HEAD_BYTES = 28;

/** CRC-32 of what follows u32 · deleted u16 · key bytes u16 · value bytes u32 · create and modify revision f64. */
const RECORD_HEAD_BYTES = 28;

export interface FrameHead {
  readonly kind: FrameKind;
  readonly recordBytes: number;
  readonly count: number;
  /** Newest revision in it. */
  readonly revision: Revision;
}

export function writeFrameHead(target: Buffer, at: number, head: FrameHead): void {
  target.writeUInt32LE(MAGIC, at);
  target.writeUInt32LE(KINDS.indexOf(head.kind), at + 4);
  target.writeUInt32LE(head.recordBytes, at + 8);
  target.writeUInt32LE(head.count, at + 12);
  target.writeDoubleLE(head.revision, at + 16);
  target.writeUInt32LE(crc32(target.subarray(at, at + 24)), at + 24);
}

/** Undefined when these bytes are no head of a frame. */
export function readFrameHead(source: Buffer, at: number): FrameHead | undefined {
  if (source.length - at < FRAME_HEAD_BYTES || source.readUInt32LE(at) !== MAGIC) return undefined;
  if (source.readUInt32LE(at + 24) !== crc32(source.subarray(at, at + 24))) return undefined;
  const kind = KINDS[source.readUInt32LE(at + 4)];
  const revision = source.readDoubleLE(at + 16);
  if (kind === undefined || !Number.isSafeInteger(revision) || revision < 0) return undefined;
  return {
    kind,
    recordBytes: source.readUInt32LE(at + 8),
    count: source.readUInt32LE(at + 12),
    revision,
  };
}

/** Upper bound of what `writeRecord` needs. */
export function recordBound(key: string, value: string): number {
  return RECORD_HEAD_BYTES + 3 * (key.length + value.length);
}

/** Writes an entry, or the deletion of `key`, and returns its bytes. */
export function writeRecord(
  target: Buffer,
  at: number,
  key: string,
  entry: Entry | undefined,
): number {
  const keyAt = at + RECORD_HEAD_BYTES;
  const value = entry?.value ?? '';
  const textBytes = target.write(key + value, keyAt);
  // Where every character is a byte, as in most, the key ends where it has as many.
  const isPlain = textBytes === key.length + value.length;
  const keyBytes = isPlain ? key.length : Buffer.byteLength(key);
  const valueBytes = textBytes - keyBytes;
  target.writeUInt16LE(entry === undefined ? 1 : 0, at + 4);
  target.writeUInt16LE(keyBytes, at + 6);
  target.writeUInt32LE(valueBytes, at + 8);
  target.writeDoubleLE(entry?.createRevision ?? 0, at + 12);
  target.writeDoubleLE(entry?.modifyRevision ?? 0, at + 20);
  const bytes = RECORD_HEAD_BYTES + keyBytes + valueBytes;
  target.writeUInt32LE(crc32(target.subarray(at + 4, at + bytes)), at);
  return bytes;
}

/** One record of a frame, in place: good until the bytes around it are others. */
export interface RecordView {
  readonly bytes: number;
  readonly source: Buffer;
  /** Where its key is in `source`. */
  readonly keyFrom: number;
  readonly keyTo: number;
  readonly deleted: boolean;
  readonly createRevision: Revision;
  readonly modifyRevision: Revision;
}

/** Bytes of the record at `at`; undefined when it does not fit before `end` or its checksum is wrong. */
export function checkRecord(source: Buffer, at: number, end: number): number | undefined {
  if (end - at < RECORD_HEAD_BYTES) return undefined;
  const bytes = RECORD_HEAD_BYTES + source.readUInt16LE(at + 6) + source.readUInt32LE(at + 8);
  if (end - at < bytes) return undefined;
  return source.readUInt32LE(at) === crc32(source.subarray(at + 4, at + bytes)) ? bytes : undefined;
}

/** The record at `at`, which `checkRecord` found whole. */
export function viewRecord(source: Buffer, at: number): RecordView {
  const keyFrom = at + RECORD_HEAD_BYTES;
  const keyBytes = source.readUInt16LE(at + 6);
  return {
    bytes: RECORD_HEAD_BYTES + keyBytes + source.readUInt32LE(at + 8),
    source,
    keyFrom,
    keyTo: keyFrom + keyBytes,
    deleted: source.readUInt16LE(at + 4) === 1,
    createRevision: source.readDoubleLE(at + 12),
    modifyRevision: source.readDoubleLE(at + 20),
  };
}

export function keyOf({ source, keyFrom, keyTo }: RecordView): string {
  return source.toString('utf8', keyFrom, keyTo);
}

/** Value of a record that `checkRecord` found whole. */
export function readValue(source: Buffer, at: number): string {
  const valueAt = at + RECORD_HEAD_BYTES + source.readUInt16LE(at + 6);
  return source.toString('utf8', valueAt, valueAt + source.readUInt32LE(at + 8));
}
