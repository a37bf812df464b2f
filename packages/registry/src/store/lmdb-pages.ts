import { readSync } from 'node:fs';

/** LMDB's file layout, data version 2, little-endian: what `mdb.c` calls MDB_meta, MDB_page_header, MDB_node and MDB_db. */

const PAGE_HEAD_BYTES = 24;
const NODE_HEAD_BYTES = 8;
const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const NO_PAGE = -1;

export const BRANCH = 0x01;
export const LEAF = 0x02;
export const OVERFLOW = 0x04;
const META = 0x08;
export const BIG_DATA = 0x01;
export const SUB_DATA = 0x02;

export interface Tree {
  readonly depth: number;
  readonly entries: number;
  /** -1 when the tree is empty. */
  readonly root: number;
}

export interface Meta {
  readonly pageBytes: number;
  readonly free: Tree;
  readonly main: Tree;
  readonly lastPage: number;
  readonly transaction: number;
}

/** The file is not what it should be; the message says where. */
export class PageFault extends Error {
  override readonly name = 'PageFault';
}

/** Written by another version of the page format. */
export class PageVersionFault extends Error {
  override readonly name = 'PageVersionFault';
}

/** All eight bytes; page numbers and counts beyond 2^53 are damage. */
export function readWord(bytes: Buffer, at: number): number {
  const word = bytes.readBigUInt64LE(at);
  if (word === 0xffff_ffff_ffff_ffffn) return NO_PAGE;
  return word > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(word);
}

export function readTree(bytes: Buffer, at: number): Tree {
  return {
    depth: bytes.readUInt16LE(at + 6),
    entries: readWord(bytes, at + 32),
    root: readWord(bytes, at + 40),
  };
}

/** Reads both meta pages and gives the newer, which is the one LMDB will use. */
export function readNewestMeta(file: number): Meta {
  const first = readMeta(file, 0, 0);
  const second = readMeta(file, 1, first.pageBytes);
  if (second.pageBytes !== first.pageBytes) throw new PageFault('its two meta pages disagree');
  const [older, newer] = first.transaction > second.transaction ? [second, first] : [first, second];
  // Transactions alternate between the two pages; anything else means that one of them was not written by LMDB.
  const apart = newer.transaction - older.transaction;
  if (apart > 1 || (apart === 1 && newer.transaction % 2 !== (newer === second ? 1 : 0))) {
    throw new PageFault(
      `its meta pages are of transactions ${first.transaction} and ${second.transaction}`,
    );
  }
  return newer;
}

function readMeta(file: number, number: number, at: number): Meta {
  const bytes = Buffer.alloc(168);
  if (readSync(file, bytes, 0, bytes.length, at) < bytes.length) {
    throw new PageFault(`it is cut off in meta page ${number}`);
  }
  if (
    bytes.readUInt32LE(24) !== MAGIC ||
    readWord(bytes, 0) !== number ||
    bytes.readUInt16LE(18) !== META
  ) {
    throw new PageFault(`meta page ${number} is not one of a database`);
  }
  const version = bytes.readUInt32LE(28) & 0xffff;
  if (version > DATA_VERSION) {
    throw new PageVersionFault(`page format ${version}, this version reads ${DATA_VERSION}`);
  }
  const pageBytes = bytes.readUInt32LE(48);
  if (version !== DATA_VERSION || pageBytes < 512 || pageBytes > 65_536 || pageBytes % 512 !== 0) {
    throw new PageFault(`meta page ${number} has pages of ${pageBytes} bytes in format ${version}`);
  }
  return {
    pageBytes,
    free: readTree(bytes, 48),
    main: readTree(bytes, 96),
    lastPage: readWord(bytes, 144),
    transaction: readWord(bytes, 152),
  };
}

/** A branch or leaf page whose header and pointers are sane. */
export interface TreePage {
  readonly bytes: Buffer;
  readonly isLeaf: boolean;
  readonly count: number;
}

export function toTreePage(bytes: Buffer, number: number, meta: Meta): TreePage {
  checkHead(bytes, number, meta);
  const flags = bytes.readUInt16LE(18);
  const lower = bytes.readUInt16LE(20);
  const upper = bytes.readUInt16LE(22);
  if ((flags !== BRANCH && flags !== LEAF) || lower % 2 !== 0 || lower > upper) {
    throw new PageFault(`page ${number} is not a tree page`);
  }
  if (upper > meta.pageBytes - PAGE_HEAD_BYTES) throw new PageFault(`page ${number} overflows`);
  return { bytes, isLeaf: flags === LEAF, count: lower >> 1 };
}

export function checkHead(bytes: Buffer, number: number, meta: Meta): void {
  const stored = readWord(bytes, 0);
  if (stored !== number) throw new PageFault(`page ${number} says it is page ${stored}`);
  if (readWord(bytes, 8) > meta.transaction) {
    throw new PageFault(`page ${number} is of a transaction that never was`);
  }
}

export interface Node {
  readonly flags: number;
  readonly key: Buffer;
  /** Of a branch. */
  readonly child: number;
  /** Of a leaf: bytes of the value, wherever they are. */
  readonly size: number;
  /** Of a leaf: where in the page the value, or the place of its overflow pages, is. */
  readonly dataAt: number;
}

export function readNode(page: TreePage, index: number, number: number): Node {
  const { bytes } = page;
  const at = bytes.readUInt16LE(PAGE_HEAD_BYTES + index * 2) + PAGE_HEAD_BYTES;
  if (
    at % 2 !== 0 ||
    at < PAGE_HEAD_BYTES + page.count * 2 ||
    at + NODE_HEAD_BYTES > bytes.length
  ) {
    throw new PageFault(`node ${index} of page ${number} is outside of it`);
  }
  const low = bytes.readUInt32LE(at);
  const flags = bytes.readUInt16LE(at + 4);
  const dataAt = at + NODE_HEAD_BYTES + bytes.readUInt16LE(at + 6);
  const inPage = !page.isLeaf ? 0 : (flags & BIG_DATA) !== 0 ? 24 : low;
  if (dataAt + inPage > bytes.length) {
    throw new PageFault(`node ${index} of page ${number} is longer than the page`);
  }
  return {
    flags,
    key: bytes.subarray(at + NODE_HEAD_BYTES, dataAt),
    child: flags * 2 ** 32 + low,
    size: low,
    dataAt,
  };
}

/** Pages that a value of this size takes outside its leaf. */
export function overflowPages(size: number, pageBytes: number): number {
  return Math.floor((PAGE_HEAD_BYTES - 1 + size) / pageBytes) + 1;
}

export function overflowData(bytes: Buffer, size: number): Buffer {
  return bytes.subarray(PAGE_HEAD_BYTES, PAGE_HEAD_BYTES + size);
}
