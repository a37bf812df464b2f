import {
  type Answer,
  AUTHORITATIVE_ANSWER,
  encode,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
} from 'dns-packet';
import { bareAnswer, type DnsAnswer, type DnsRecord, RCODES } from './dns-answer.ts';
import { HEADER_BYTES, type QueryHead } from './query-message.ts';

const RESPONSE_FLAG = 0x8000;
/** RFC 1035 §4.1.4: a pointer to the name behind the header, which is the one that was asked for. */
const QUESTION_NAME = Buffer.from([0xc0, HEADER_BYTES]);
const OPT_BYTES = 11;

export interface ReplyRoom {
  readonly limitBytes: number;
  /** Over a stream there is nowhere to come back to for the rest. */
  readonly isDatagram: boolean;
  /** Our own size over UDP, told to those who tell theirs. */
  readonly udpPayloadBytes: number;
}

/**
 * The answer as bytes, of whole records, as many as there is room for. Where some of the answer itself had to be left
 * out it says so (TC), so that the asker comes back over TCP.
 */
export function writeReply(head: QueryHead, answer: DnsAnswer, room: ReplyRoom): Buffer {
  const parts: Buffer[] = [Buffer.alloc(HEADER_BYTES), head.questionBytes];
  let left = room.limitBytes - HEADER_BYTES - head.questionBytes.length;
  if (head.edns) left -= OPT_BYTES;

  const fill = (records: readonly DnsRecord[]): number => {
    for (const [at, record] of records.entries()) {
      const bytes = bytesOf(record);
      if (bytes.length > left) return at;
      left -= bytes.length;
      parts.push(bytes);
    }
    return records.length;
  };
  const answers = fill(answer.answers);
  const isCut = answer.isCut || answers < answer.answers.length;
  const authorities = isCut ? 0 : fill(answer.authorities);
  let additionals = isCut ? 0 : fill(answer.additionals);
  const rcode = RCODES[answer.rcode];
  if (head.edns) {
    parts.push(encodeOpt(rcode >> 4, head.edns.dnssecOk, room.udpPayloadBytes));
    additionals += 1;
  }
  const header = parts[0] as Buffer;
  header.writeUInt16BE(head.id, 0);
  header.writeUInt16BE(
    RESPONSE_FLAG |
      (head.opcode << 11) |
      (answer.authoritative ? AUTHORITATIVE_ANSWER : 0) |
      (isCut && room.isDatagram ? TRUNCATED_RESPONSE : 0) |
      (head.recursionDesired ? RECURSION_DESIRED : 0) |
      (rcode & 0xf),
    2,
  );
  header.writeUInt16BE(head.questionBytes.length > 0 ? 1 : 0, 4);
  header.writeUInt16BE(answers, 6);
  header.writeUInt16BE(authorities, 8);
  header.writeUInt16BE(additionals, 10);
  return Buffer.concat(parts);
}

/** An answer with nothing in it but the wish that the asker come back over TCP. */
export function writeTruncated(head: QueryHead): Buffer {
  return writeReply(
    { ...head, edns: undefined },
    { ...bareAnswer('NOERROR'), authoritative: true, isCut: true },
    { limitBytes: 512, isDatagram: true, udpPayloadBytes: 512 },
  );
}

const encoded = new WeakMap<DnsRecord, Buffer>();

/** Most records go into many answers. */
function bytesOf(record: DnsRecord): Buffer {
  const kept = encoded.get(record);
  if (kept) return kept;
  const bytes = encodeRecord(record);
  encoded.set(record, bytes);
  return bytes;
}

/** The library writes names in full, so it is given the root's and the pointer takes its place. */
function encodeRecord(record: DnsRecord): Buffer {
  const named = { ...record, name: record.name ?? '.' } as Answer;
  const bytes = encode({ type: 'response', answers: [named] }).subarray(HEADER_BYTES);
  return record.name === undefined ? Buffer.concat([QUESTION_NAME, bytes.subarray(1)]) : bytes;
}

function encodeOpt(extendedRcode: number, dnssecOk: boolean, udpPayloadSize: number): Buffer {
  const flags = dnssecOk ? 0x8000 : 0;
  const opt = { type: 'OPT', name: '.', udpPayloadSize, extendedRcode, ednsVersion: 0, flags };
  const whole = { ...opt, options: [] } as unknown as Answer;
  return encode({ type: 'response', additionals: [whole] }).subarray(HEADER_BYTES);
}
