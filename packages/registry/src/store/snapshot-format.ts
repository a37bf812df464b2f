import { createHash } from 'node:crypto';
import { type Entry, RegistryError, type Revision } from '@portolan/core';

/** There while a restore is under way: whoever opens the store then holds only a part. */
export const RESTORE_MARKER_KEY = 'snapshot/restoring';

const FORMAT = 'portolan-snapshot';
const VERSION = 1;
const MAX_LINE_CHARACTERS = 64 * 1024 * 1024;

export interface SnapshotHeader {
  readonly revision: Revision;
  readonly count: number;
  /** RFC 3339. */
  readonly createdAt: string;
}

/** The file's lines: a header, an entry each, and a trailer with count and SHA-256 of everything before it. */
export function* toSnapshotLines(
  header: SnapshotHeader,
  entries: Iterable<Entry>,
): Generator<string> {
  const hash = createHash('sha256');
  const hashed = (value: object): string => {
    const line = `${JSON.stringify(value)}\n`;
    hash.update(line);
    return line;
  };
  yield hashed({ format: FORMAT, version: VERSION, ...header });
  let count = 0;
  for (const { key, value, createRevision, modifyRevision } of entries) {
    yield hashed({ key, value, createRevision, modifyRevision });
    count++;
  }
  yield `${JSON.stringify({ count, sha256: hash.digest('hex') })}\n`;
}

/** Reads a snapshot line by line; the header first. Throws SNAPSHOT_INVALID naming the line; complete only when it ends. */
export async function* fromSnapshotChunks(
  chunks: AsyncIterable<Uint8Array | string>,
): AsyncGenerator<
  | { readonly kind: 'header'; readonly header: SnapshotHeader }
  | { readonly kind: 'entry'; readonly entry: Entry }
> {
  const hash = createHash('sha256');
  let header: SnapshotHeader | undefined;
  let count = 0;
  let line = 0;
  let ended = false;
  for await (const text of toLines(chunks)) {
    line++;
    if (ended) throw invalid(line, 'there is more after the trailer');
    const value = parseLine(text, line);
    if (header === undefined) {
      header = toHeader(value, line);
      hash.update(`${text}\n`);
      yield { kind: 'header', header };
    } else if ('sha256' in value) {
      if (value.sha256 !== hash.digest('hex')) {
        throw invalid(line, 'the checksum does not fit: the file was changed or damaged');
      }
      if (value.count !== count || header.count !== count) {
        throw invalid(line, `${header.count} entries were announced, ${count} are there`);
      }
      ended = true;
    } else {
      hash.update(`${text}\n`);
      count++;
      yield { kind: 'entry', entry: toEntry(value, line, header.revision) };
    }
  }
  if (header === undefined) throw invalid(1, 'the file is empty');
  if (!ended) throw invalid(line + 1, 'the trailer is missing: the file is cut off');
}

async function* toLines(chunks: AsyncIterable<Uint8Array | string>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let rest = '';
  let line = 1;
  for await (const chunk of chunks) {
    rest += typeof chunk === 'string' ? chunk : decode(decoder, chunk, line);
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    line += lines.length;
    if (rest.length > MAX_LINE_CHARACTERS) throw invalid(line, 'the line is too long');
    yield* lines;
  }
  rest += decode(decoder, undefined, line);
  if (rest !== '') throw invalid(line, 'the last line has no end: the file is cut off');
}

function decode(
  decoder: InstanceType<typeof TextDecoder>,
  chunk: Uint8Array | undefined,
  line: number,
): string {
  try {
    return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
  } catch (cause) {
    throw invalid(line, 'it is not UTF-8 (at this line or a little after it)', cause);
  }
}

function parseLine(text: string, line: number): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch (cause) {
    throw invalid(line, 'it is not JSON', cause);
  }
  throw invalid(line, 'it is not a JSON object');
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function toHeader(value: Record<string, unknown>, line: number): SnapshotHeader {
  const { format, version, revision, count, createdAt } = value;
  if (format !== FORMAT) throw invalid(line, 'it is not the header of a Portolan snapshot');
  if (!isCount(version)) throw invalid(line, 'the version is missing');
  if (version > VERSION) {
    throw invalid(
      line,
      `version ${version} is newer than this Portolan reads (${VERSION}): restore with a newer one`,
    );
  }
  if (!isCount(revision) || !isCount(count) || typeof createdAt !== 'string') {
    throw invalid(line, 'revision, count or createdAt is missing');
  }
  return { revision, count, createdAt };
}

function toEntry(value: Record<string, unknown>, line: number, newest: Revision): Entry {
  const { key, value: text, createRevision, modifyRevision } = value;
  if (typeof key !== 'string' || key === '' || typeof text !== 'string') {
    throw invalid(line, 'an entry needs a key and a value, both text');
  }
  if (!key.isWellFormed() || !text.isWellFormed()) throw invalid(line, 'half a character');
  if (
    !isCount(createRevision) ||
    !isCount(modifyRevision) ||
    createRevision > modifyRevision ||
    modifyRevision > newest
  ) {
    throw invalid(line, `the revisions of ${JSON.stringify(key)} do not fit the header's`);
  }
  return { key, value: text, createRevision, modifyRevision };
}

export function invalid(line: number, what: string, cause?: unknown): RegistryError {
  return new RegistryError('SNAPSHOT_INVALID', {
    detail: `Line ${line} of the snapshot: ${what}. Nothing was restored; use another snapshot.`,
    problems: [{ path: `line ${line}`, expected: 'a line of a Portolan snapshot', found: what }],
    cause,
  });
}
