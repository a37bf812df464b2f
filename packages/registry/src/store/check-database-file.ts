import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  BIG_DATA,
  checkHead,
  type Meta,
  type Node,
  OVERFLOW,
  overflowData,
  overflowPages,
  PageFault,
  PageVersionFault,
  readNewestMeta,
  readNode,
  readTree,
  readWord,
  SUB_DATA,
  type Tree,
  type TreePage,
  toTreePage,
} from './lmdb-pages.ts';
import { isRecordIntact } from './record-codec.ts';
import { damaged, newerFormat, toStoreError } from './store-fault.ts';

const PAGES_A_TURN = 256;

/**
 * Reads every page that LMDB would follow, with plain reads, and fails with STORE_CORRUPT at the first that is not as it
 * was written. LMDB maps the file and trusts it: on a damaged one it may crash the process, lose a branch in silence,
 * or hand out a page twice.
 */
export async function checkDatabaseFile(path: string): Promise<void> {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    throw toStoreError(error, path, 'reading the database');
  }
  try {
    await new DatabaseCheck(file).run();
  } catch (error) {
    if (error instanceof PageVersionFault) throw newerFormat(path, error.message, error);
    // A length or pointer that leads out of a buffer is damage like any other.
    if (error instanceof PageFault || error instanceof RangeError) {
      throw damaged(path, error.message, error);
    }
    throw toStoreError(error, path, 'reading the database');
  } finally {
    closeSync(file);
  }
}

type LeafVisitor = (node: Node, data: Buffer) => Promise<void> | void;

interface Bounds {
  readonly from: Buffer | undefined;
  readonly below: Buffer | undefined;
}

class DatabaseCheck {
  readonly #file: number;
  readonly #meta: Meta;
  readonly #filePages: number;
  /** A bit a page: each may be used once. */
  readonly #used: Uint8Array;
  #sinceTurn = 0;

  constructor(file: number) {
    this.#file = file;
    this.#meta = readNewestMeta(file);
    const { lastPage, pageBytes } = this.#meta;
    this.#filePages = Math.floor(fstatSync(file).size / pageBytes);
    // Free pages at the end may never have been written; far more than that is a damaged number.
    if (lastPage < 1 || lastPage > this.#filePages + 2 ** 24) {
      throw new PageFault(`it says to have ${lastPage + 1} pages and has ${this.#filePages}`);
    }
    this.#used = new Uint8Array((lastPage >> 3) + 1);
  }

  async run(): Promise<void> {
    const { main, free } = this.#meta;
    await this.#walk(main, compareBytes, async (node, data) => {
      if ((node.flags & SUB_DATA) === 0 || data.length !== 48) {
        throw new PageFault(`${JSON.stringify(node.key.toString())} is not a table`);
      }
      await this.#walk(readTree(data, 0), compareBytes, (record, value) => {
        if (!isRecordIntact(record.key, value)) {
          const key = JSON.stringify(record.key.toString('utf8', 0, 200));
          throw new PageFault(`the checksum of the entry ${key} does not fit`);
        }
      });
    });
    const freeLists: Buffer[] = [];
    await this.#walk(free, compareWords, (_, data) => {
      freeLists.push(Buffer.from(data));
    });
    // After all trees: a page that is free and in use would be overwritten by a later commit.
    for (const list of freeLists) this.#checkFreeList(list);
  }

  async #walk(tree: Tree, compare: CompareKeys, visit: LeafVisitor): Promise<void> {
    if (tree.root === -1) {
      if (tree.entries !== 0) throw new PageFault(`a table lost its ${tree.entries} entries`);
      return;
    }
    const found = await this.#walkPage(tree.root, tree.depth, compare, visit, {
      from: undefined,
      below: undefined,
    });
    if (found !== tree.entries) {
      throw new PageFault(`a table has ${found} entries instead of ${tree.entries}`);
    }
  }

  async #walkPage(
    number: number,
    depth: number,
    compare: CompareKeys,
    visit: LeafVisitor,
    bounds: Bounds,
  ): Promise<number> {
    this.#use(number, 1);
    const page = toTreePage(this.#read(number, 1), number, this.#meta);
    if (++this.#sinceTurn % PAGES_A_TURN === 0) await nextTurn();
    if (page.isLeaf !== (depth === 1)) throw new PageFault(`page ${number} is at a wrong depth`);
    if (!page.isLeaf && page.count < 2) throw new PageFault(`branch page ${number} has one child`);
    let found = 0;
    let last: Buffer | undefined;
    for (let index = 0; index < page.count; index++) {
      const node = readNode(page, index, number);
      // A branch's first key stands for "everything before the second".
      const key = page.isLeaf || index > 0 ? node.key : bounds.from;
      checkOrder(number, compare, last, key, bounds);
      last = key;
      if (page.isLeaf) {
        const visited = visit(node, this.#dataOf(node, page));
        if (visited !== undefined) await visited;
        found++;
        continue;
      }
      const below = index + 1 < page.count ? readNode(page, index + 1, number).key : bounds.below;
      found += await this.#walkPage(node.child, depth - 1, compare, visit, { from: key, below });
    }
    return found;
  }

  #dataOf(node: Node, page: TreePage): Buffer {
    if ((node.flags & BIG_DATA) === 0) {
      return page.bytes.subarray(node.dataAt, node.dataAt + node.size);
    }
    const number = readWord(page.bytes, node.dataAt);
    const count = overflowPages(node.size, this.#meta.pageBytes);
    this.#use(number, count);
    const bytes = this.#read(number, count);
    checkHead(bytes, number, this.#meta);
    if (bytes.readUInt16LE(18) !== OVERFLOW || bytes.readUInt32LE(20) < count) {
      throw new PageFault(`page ${number} does not begin a large value`);
    }
    return overflowData(bytes, node.size);
  }

  /** Page numbers, zeros for slots not used, and before the first page of a block its length as a negative number. */
  #checkFreeList(list: Buffer): void {
    const length = list.length < 8 ? -1 : readWord(list, 0);
    if (length < 0 || length > list.length / 8 - 1) throw new PageFault('a free list is cut off');
    let block = 1;
    for (let index = 1; index <= length; index++) {
      const entry = Number(list.readBigInt64LE(index * 8));
      if (entry < 0) {
        block = -entry;
        continue;
      }
      if (entry > 0) this.#use(entry, block);
      block = 1;
    }
  }

  #use(number: number, count: number): void {
    if (!(number >= 2) || number + count - 1 > this.#meta.lastPage) {
      throw new PageFault(`it refers to page ${number}, which does not exist`);
    }
    for (let at = number; at < number + count; at++) {
      const bit = 1 << (at & 7);
      const byte = this.#used[at >> 3] ?? 0;
      if ((byte & bit) !== 0) throw new PageFault(`page ${at} is used twice`);
      this.#used[at >> 3] = byte | bit;
    }
  }

  #read(number: number, count: number): Buffer {
    const { pageBytes } = this.#meta;
    if (number + count > this.#filePages) {
      throw new PageFault(`it is cut off: page ${number} is beyond its end`);
    }
    const bytes = Buffer.allocUnsafe(count * pageBytes);
    if (readSync(this.#file, bytes, 0, bytes.length, number * pageBytes) < bytes.length) {
      throw new PageFault(`it is cut off in page ${number}`);
    }
    return bytes;
  }
}

type CompareKeys = (a: Buffer, b: Buffer) => number;

const compareBytes: CompareKeys = (a, b) => a.compare(b);

const compareWords: CompareKeys = (a, b) => readWord(a, 0) - readWord(b, 0);

function checkOrder(
  number: number,
  compare: CompareKeys,
  last: Buffer | undefined,
  key: Buffer | undefined,
  { from, below }: Bounds,
): void {
  if (key === undefined) return;
  if (
    (last !== undefined && compare(last, key) >= 0) ||
    (from !== undefined && compare(from, key) > 0) ||
    (below !== undefined && compare(key, below) >= 0)
  ) {
    throw new PageFault(`the keys of page ${number} are out of order`);
  }
}
