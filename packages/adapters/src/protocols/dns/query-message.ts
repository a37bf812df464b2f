import { decode, type OptAnswer, RECURSION_DESIRED } from 'dns-packet';
import type { DnsQuestion } from './answer-question.ts';
import type { Rcode } from './dns-answer.ts';

export const HEADER_BYTES = 12;
const RESPONSE_FLAG = 0x8000;
const MAX_NAME_BYTES = 255;
/** OPT, and a signature that we do not look at. */
const MAX_ADDITIONALS = 2;

export interface Edns {
  readonly udpPayloadBytes: number;
  readonly dnssecOk: boolean;
}

/** What an answer repeats of its question. */
export interface QueryHead {
  readonly id: number;
  readonly opcode: number;
  readonly recursionDesired: boolean;
  /** The question section as it came, so that the case of its name is answered as it was asked (0x20); may be empty. */
  readonly questionBytes: Buffer;
  readonly edns: Edns | undefined;
}

export type QueryMessage = { readonly head: QueryHead } & (
  | { readonly question: DnsQuestion }
  | { readonly fault: Rcode }
);

/**
 * Reads a message strictly. Undefined for what gets no answer: what is too short for a header, and answers, which would
 * make two servers talk to each other for ever.
 */
export function readQuery(message: Buffer): QueryMessage | undefined {
  if (message.length < HEADER_BYTES) return undefined;
  const flags = message.readUInt16BE(2);
  if ((flags & RESPONSE_FLAG) !== 0) return undefined;
  const head = {
    id: message.readUInt16BE(0),
    opcode: (flags >> 11) & 0xf,
    recursionDesired: (flags & RECURSION_DESIRED) !== 0,
    questionBytes: message.subarray(0, 0),
    edns: undefined,
  };
  if (head.opcode !== 0) return { head, fault: 'NOTIMP' };
  const [questions, answers, authorities, additionals] = [4, 6, 8, 10].map((at) =>
    message.readUInt16BE(at),
  ) as [number, number, number, number];
  // RFC 9619: exactly one question. Counted before anything is made of the rest.
  if (questions !== 1 || answers > 0 || authorities > 0 || additionals > MAX_ADDITIONALS) {
    return { head, fault: 'FORMERR' };
  }
  const labels = readLabels(message);
  if (!labels) return { head, fault: 'FORMERR' };
  return readRest(message, head, labels);
}

function readRest(message: Buffer, head: QueryHead, labels: Labels): QueryMessage {
  const questionBytes = message.subarray(HEADER_BYTES, labels.end + 4);
  const named = { ...head, questionBytes };
  const packet = tryDecode(message);
  const [question] = packet?.questions ?? [];
  if (!packet || !question) return { head: named, fault: 'FORMERR' };
  const opts = (packet.additionals ?? []).filter((one): one is OptAnswer => one.type === 'OPT');
  const [opt] = opts;
  // RFC 6891 §6.1.1.
  if (opts.length > 1 || (opt && opt.name !== '.')) return { head: named, fault: 'FORMERR' };
  const edns = opt && { udpPayloadBytes: opt.udpPayloadSize, dnssecOk: opt.flag_do };
  const whole = { ...named, edns };
  if (opt && opt.ednsVersion !== 0) return { head: whole, fault: 'BADVERS' };
  const { type, class: questionClass = 'IN' } = question;
  return { head: whole, question: { labels: labels.list, type, class: questionClass } };
}

interface Labels {
  /** In lower case. */
  readonly list: readonly string[];
  /** Where the name ends. */
  readonly end: number;
}

/** The name asked for. The library joins labels with dots, which a label may hold itself. */
function readLabels(message: Buffer): Labels | undefined {
  const list: string[] = [];
  let at = HEADER_BYTES;
  for (let length = message[at]; length !== 0; length = message[at]) {
    // There is nothing in front that a pointer could point to.
    if (length === undefined || length > 63) return undefined;
    const label = message.subarray(at + 1, at + 1 + length);
    // Nothing of ours has other than ASCII in its name, but a label made of it may look as if it had.
    list.push(label.toString('latin1').toLowerCase());
    at += 1 + length;
    if (at - HEADER_BYTES >= MAX_NAME_BYTES) return undefined;
  }
  const end = at + 1;
  return end + 4 <= message.length ? { list, end } : undefined;
}

function tryDecode(message: Buffer): ReturnType<typeof decode> | undefined {
  try {
    const packet = decode(message);
    return decode.bytes === message.length ? packet : undefined;
  } catch {
    return undefined;
  }
}
