import { crc32 } from 'node:zlib';
import type { Entry } from '@portolan/core';

/** Bytes before the value: one for the layout, four of checksum, two revisions of eight. */
export const RECORD_HEAD_BYTES = 21;
const LAYOUT = 1;

/** The entry's bytes on disk. The checksum covers the key too, so that a record under a wrong key is noticed. */
export function encodeRecord(
  key: Buffer,
  value: string,
  createRevision: number,
  modifyRevision: number,
): Buffer {
  const record = Buffer.allocUnsafe(RECORD_HEAD_BYTES + Buffer.byteLength(value));
  record[0] = LAYOUT;
  record.writeDoubleLE(createRevision, 5);
  record.writeDoubleLE(modifyRevision, 13);
  record.write(value, RECORD_HEAD_BYTES, 'utf8');
  record.writeUInt32LE(crc32(record.subarray(5), crc32(key)), 1);
  return record;
}

/** Whether the bytes are a record that was written under this key, unchanged. */
export function isRecordIntact(key: Buffer, record: Buffer): boolean {
  return (
    record.length >= RECORD_HEAD_BYTES &&
    record[0] === LAYOUT &&
    record.readUInt32LE(1) === crc32(record.subarray(5), crc32(key))
  );
}

/** The entry in a record; undefined when the checksum does not fit. */
export function decodeRecord(key: Buffer, record: Buffer): Entry | undefined {
  if (!isRecordIntact(key, record)) return undefined;
  return {
    key: key.toString('utf8'),
    value: record.toString('utf8', RECORD_HEAD_BYTES),
    createRevision: record.readDoubleLE(5),
    modifyRevision: record.readDoubleLE(13),
  };
}

/** Both revisions without touching the value: what guards and creation need. */
export function decodeRevisions(record: Buffer): {
  createRevision: number;
  modifyRevision: number;
} {
  return { createRevision: record.readDoubleLE(5), modifyRevision: record.readDoubleLE(13) };
}
