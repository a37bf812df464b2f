import { readByEngine } from './engine-reader.ts';
import { LlhttpReader, type Reading } from './llhttp-reader.ts';
import { type ReadRequest, toReadRequest } from './reading.ts';
import { aRequestStream } from './request-generator.ts';
import type { Comparison, FuzzedParser } from './run-cases.ts';

/** Faults for which the engine may refuse what the runtime accepts, each by its rule. */
export const STRICTER: ReadonlyMap<string, string> = new Map([
  ['BARE_CR', 'RFC 9112 §2.2'],
  ['BARE_LF', 'RFC 9112 §2.2'],
  ['REQUEST_LINE_MALFORMED', 'RFC 9112 §3'],
  ['TARGET_INVALID', 'RFC 9112 §3.2, RFC 3986 §3'],
  ['HOST_MISSING', 'RFC 9112 §3.2'],
  ['HOST_DUPLICATE', 'RFC 9112 §3.2'],
  ['HOST_INVALID', 'RFC 9112 §3.2'],
  ['TRANSFER_ENCODING_UNSUPPORTED', 'RFC 9112 §6.1'],
  ['TRANSFER_ENCODING_DUPLICATE', 'RFC 9112 §6.1'],
  ['TRANSFER_ENCODING_IN_HTTP_1_0', 'RFC 9112 §6.1'],
  ['CONTENT_LENGTH_INVALID', 'RFC 9110 §8.6'],
  ['CHUNK_EXTENSION_INVALID', 'RFC 9112 §7.1.1'],
  ['TRAILER_FORBIDDEN', 'RFC 9110 §6.5.1'],
  ['CONNECTION_NAMES_PROTECTED_FIELD', 'RFC 9110 §7.6.1'],
  ['VERSION_NOT_SUPPORTED', 'RFC 9110 §2.5'],
  ['METHOD_NOT_SUPPORTED', 'RFC 9110 §9.3.6'],
  ['EXPECTATION_UNKNOWN', 'RFC 9110 §10.1.1'],
  ['UPGRADE_WITH_BODY', 'RFC 9110 §7.8'],
]);

/** What the runtime refuses with that code and the engine may accept. */
interface Leniency {
  readonly runtimeFault: string;
  readonly rule: string;
  holds(request: ReadRequest): boolean;
}

const USUAL_METHODS = new Set('GET HEAD POST PUT DELETE OPTIONS TRACE PATCH'.split(' '));

export const LENIENCIES: readonly Leniency[] = [
  {
    // Any token is a method, and which ones are served is not the parser's business.
    rule: 'RFC 9110 §9.1',
    runtimeFault: 'HPE_INVALID_METHOD',
    holds: ({ method }) => !USUAL_METHODS.has(method),
  },
  {
    // The runtime knows these as methods of other protocols, and so of other versions.
    rule: 'RFC 9110 §9.1',
    runtimeFault: 'HPE_INVALID_VERSION',
    holds: ({ method }) => method === 'PRI',
  },
  {
    // White space behind a value is no part of it, a tab either.
    rule: 'RFC 9110 §5.5',
    runtimeFault: 'HPE_INVALID_TRANSFER_ENCODING',
    holds: ({ fields }) => {
      const at = fields.findIndex((text) => text.toLowerCase() === 'transfer-encoding');
      return fields[at + 1]?.toLowerCase() === 'chunked';
    },
  },
];

const runtime = new LlhttpReader('REQUEST', toReadRequest);

/** Reads the bytes by the engine and by the runtime, and compares request by request, heads before bodies. */
export function findDifference(bytes: Buffer): Comparison {
  return compareReadings(readByEngine(bytes), runtime.read(bytes));
}

/** Requests, by the engine and by the runtime. */
export const REQUESTS: FuzzedParser = { generate: aRequestStream, compare: findDifference };

export function compareReadings(
  ours: Reading<ReadRequest>,
  theirs: Reading<ReadRequest>,
): Comparison {
  for (let at = 0; ; at++) {
    const mine = ours.messages[at];
    const other = theirs.messages[at];
    if (mine === undefined && other === undefined) return alike(at);
    if (mine === undefined) return engineStops(ours, at, 'head');
    if (other === undefined) return runtimeStops(theirs, mine, at, 'head');
    const head = headDifference(mine, other);
    if (head !== undefined) return { difference: head, excuse: undefined, agreed: at };
    if (!mine.complete && !other.complete) return alike(at);
    if (!mine.complete) return engineStops(ours, at, 'body');
    if (!other.complete) return runtimeStops(theirs, mine, at, 'body');
    const body = bodyDifference(mine, other);
    if (body !== undefined) return { difference: body, excuse: undefined, agreed: at };
    if (other.upgrade || !mine.keepAlive) return alike(at + 1);
  }
}

function alike(agreed: number): Comparison {
  return { difference: undefined, excuse: undefined, agreed };
}

function engineStops({ fault }: Reading<ReadRequest>, agreed: number, part: string): Comparison {
  if (fault !== undefined && STRICTER.has(fault)) {
    return { difference: undefined, excuse: fault, agreed };
  }
  const why = fault === undefined ? 'waits for more of' : `refuses with ${fault}`;
  return {
    difference: `the engine ${why} a ${part} that the runtime accepts`,
    excuse: undefined,
    agreed,
  };
}

function runtimeStops(
  { fault }: Reading<ReadRequest>,
  request: ReadRequest,
  agreed: number,
  part: string,
): Comparison {
  const leniency = LENIENCIES.find(
    ({ runtimeFault, holds }) => runtimeFault === fault && holds(request),
  );
  if (leniency !== undefined) return { difference: undefined, excuse: leniency.rule, agreed };
  const why = fault === undefined ? 'waits for more of' : `refuses with ${fault}`;
  return {
    difference: `the engine accepts a ${part} that the runtime ${why}`,
    excuse: undefined,
    agreed,
  };
}

function headDifference(mine: ReadRequest, other: ReadRequest): string | undefined {
  for (const fact of ['method', 'target', 'authority', 'minorVersion'] as const) {
    if (mine[fact] !== other[fact]) return `${fact}: ${mine[fact]}, to the runtime ${other[fact]}`;
  }
  // RFC 9112 §9.3: `close` goes before `keep-alive`; to the runtime, in HTTP/1.0, it does not.
  if (mine.keepAlive && !other.keepAlive) return 'keepAlive: only the engine keeps the connection';
  // RFC 9110 §7.8: an Upgrade in HTTP/1.0 is to be ignored.
  if (mine.upgrade !== (other.upgrade && mine.minorVersion === 1))
    return `upgrade: ${mine.upgrade}`;
  return listDifference('fields', mine.fields, other.fields);
}

function bodyDifference(mine: ReadRequest, other: ReadRequest): string | undefined {
  if (mine.body !== other.body) return 'the bodies differ';
  return listDifference('trailers', mine.trailers, other.trailers);
}

function listDifference(
  what: string,
  mine: readonly string[],
  other: readonly string[],
): string | undefined {
  const same = mine.length === other.length && mine.every((text, at) => text === other[at]);
  return same
    ? undefined
    : `${what}: ${JSON.stringify(mine)}, to the runtime ${JSON.stringify(other)}`;
}
