import {
  BodyDecoder,
  DEFAULT_SERVER_LIMITS,
  HttpProtocolError,
  parseResponseHead,
} from '@portolan/http';
import { LlhttpReader, type ReadBody, type Reading } from './llhttp-reader.ts';
import { aResponseStream } from './response-generator.ts';
import type { Comparison, FuzzedParser } from './run-cases.ts';

/** One response as a parser understood it. */
interface ReadResponse extends ReadBody {
  readonly status: number;
  readonly minorVersion: number;
  readonly fields: readonly string[];
  readonly keepAlive: boolean;
}

/** Faults for which the engine may refuse what the runtime accepts, each by its rule. */
export const RESPONSE_STRICTER: ReadonlyMap<string, string> = new Map([
  ['REQUEST_LINE_MALFORMED', 'RFC 9112 §4'],
  ['STATUS_LINE_MALFORMED', 'RFC 9112 §4'],
  ['VERSION_NOT_SUPPORTED', 'RFC 9110 §2.5'],
  ['TRANSFER_ENCODING_UNSUPPORTED', 'RFC 9112 §6.1'],
  ['TRANSFER_ENCODING_DUPLICATE', 'RFC 9112 §6.1'],
  ['TRANSFER_ENCODING_IN_HTTP_1_0', 'RFC 9112 §6.1'],
  ['CONTENT_LENGTH_INVALID', 'RFC 9110 §8.6'],
  ['INTERIM_WITH_BODY', 'RFC 9112 §6.1'],
  ['CHUNK_EXTENSION_INVALID', 'RFC 9112 §7.1.1'],
  ['TRAILER_FORBIDDEN', 'RFC 9110 §6.5.1'],
]);

/** To the runtime a tab behind `chunked` makes another coding of it; it is no part of the value. */
const TAB_BEHIND_CODING = { holds: /chunked[ \t]*\t/i, rule: 'RFC 9110 §5.5' };
/** An interim response says nothing of the connection: the final one is yet to come. */
const CLOSED_BY_INTERIM = { fault: 'HPE_CLOSED_CONNECTION', rule: 'RFC 9110 §15.2' };

/** Up to the first response that is not interim, as an upstream's connection does. */
function readByEngine(bytes: Buffer): Reading<ReadResponse> {
  const messages: ReadResponse[] = [];
  try {
    const decoder = new BodyDecoder(DEFAULT_SERVER_LIMITS);
    for (let at = 0; ; ) {
      const head = parseResponseHead(bytes, at, bytes.length, DEFAULT_SERVER_LIMITS, false);
      if (head === undefined) break;
      at += head.text.length;
      const message: ReadResponse = {
        status: head.status,
        minorVersion: head.minorVersion,
        fields: head.raw,
        keepAlive: head.keepAlive,
        complete: false,
        body: '',
        trailers: [],
      };
      messages.push(message);
      if (head.status < 200 && head.status !== 101) {
        message.complete = true;
        continue;
      }
      if (head.status === 101) break;
      decoder.start(head.framing);
      let body = '';
      decoder.push(bytes, at, {
        onBodyData(piece) {
          body += piece.toString('latin1');
        },
      });
      message.complete = decoder.done || head.framing.kind === 'until-close';
      message.body = body;
      message.trailers = decoder.trailers?.raw ?? [];
      break;
    }
  } catch (error) {
    if (error instanceof HttpProtocolError) return { messages, fault: error.code };
    throw error;
  }
  return { messages, fault: undefined };
}

const llhttp = new LlhttpReader<ReadResponse>('RESPONSE', (head) => ({
  status: head.status,
  minorVersion: head.minorVersion,
  fields: head.fields,
  keepAlive: head.keepAlive,
  complete: false,
  body: '',
  trailers: [],
}));

function compare(bytes: Buffer): Comparison {
  const comparison = compareReadings(bytes);
  if (comparison.difference === undefined) return comparison;
  const { holds, rule } = TAB_BEHIND_CODING;
  return holds.test(bytes.toString('latin1'))
    ? { ...comparison, difference: undefined, excuse: rule }
    : comparison;
}

function compareReadings(bytes: Buffer): Comparison {
  const ours = readByEngine(bytes);
  const theirs = llhttp.read(bytes);
  for (let at = 0; ; at++) {
    const mine = ours.messages[at];
    const other = theirs.messages[at];
    const ends = (difference: string | undefined, excuse?: string): Comparison => ({
      difference,
      excuse,
      agreed: at,
    });
    if (mine === undefined && other === undefined) return ends(undefined);
    if (mine === undefined || (other?.complete && !mine.complete)) {
      if (mine?.status === 101) return ends(undefined);
      if (ours.fault !== undefined && RESPONSE_STRICTER.has(ours.fault)) {
        return ends(undefined, ours.fault);
      }
      return ends(`the engine ${ours.fault ?? 'waits'} where the runtime accepts`);
    }
    if (other === undefined || (mine.complete && !other.complete)) {
      if (theirs.fault === CLOSED_BY_INTERIM.fault && at > 0) {
        return ends(undefined, CLOSED_BY_INTERIM.rule);
      }
      return ends(`the engine accepts where the runtime ${theirs.fault ?? 'waits'}`);
    }
    for (const fact of ['status', 'minorVersion'] as const) {
      if (mine[fact] !== other[fact]) return ends(`${fact}: ${mine[fact]}, ${other[fact]}`);
    }
    if (JSON.stringify(mine.fields) !== JSON.stringify(other.fields)) return ends('fields differ');
    if (!mine.complete) return ends(undefined);
    if (mine.body !== other.body) return ends('bodies differ');
    if (JSON.stringify(mine.trailers) !== JSON.stringify(other.trailers)) {
      return ends('trailers differ');
    }
    if (mine.status >= 200) {
      // RFC 9112 §9.3: `close` goes before `keep-alive`; to the runtime, in HTTP/1.0, it does not.
      if (mine.keepAlive && !other.keepAlive) return ends('only the engine keeps the connection');
      return { difference: undefined, excuse: undefined, agreed: at + 1 };
    }
  }
}

/** Responses to a GET, by the engine and by the runtime. */
export const RESPONSES: FuzzedParser = { generate: aResponseStream, compare };
