import { toLatin1 } from '../protocol/latin1.ts';
import { HttpProtocolError } from '../protocol/protocol-error.ts';
import { FIELD } from './field-classes.ts';
import { MARK_STRIDE, MessageFields } from './message-fields.ts';
import { scanFields } from './scan-fields.ts';

export interface TrailerLimits {
  /** The trailer section. Default 8 KiB. */
  readonly trailerBytes: number;
  readonly maxTrailers: number;
}

// RFC 9110 §6.5.1: never in trailers: what frames, routes or authenticates.
const FORBIDDEN_TRAILER =
  FIELD.hopByHop | FIELD.host | FIELD.contentLength | FIELD.forwarded | FIELD.expect;

/** Reads a whole trailer section that begins at `start` and ends with an empty line; undefined when it holds no field. */
export function parseTrailers(
  section: Buffer,
  start: number,
  limits: TrailerLimits,
): { readonly end: number; readonly trailers: MessageFields | undefined } {
  const marks: number[] = [];
  const limit = start + limits.trailerBytes;
  // What lies beyond the limit is not looked at, so that its faults are no other than those of a section in pieces.
  const available = Math.min(section.length, limit + 1);
  const end = scanFields(section, start, available, start, marks, limits.maxTrailers);
  if (end < 0 || end > limit) throw new HttpProtocolError('TRAILERS_TOO_LARGE');
  for (let at = MARK_STRIDE - 1; at < marks.length; at += MARK_STRIDE) {
    if ((marks[at] as number) & FORBIDDEN_TRAILER) throw new HttpProtocolError('TRAILER_FORBIDDEN');
  }
  const trailers =
    marks.length > 0 ? new MessageFields(toLatin1(section, start, end), marks) : undefined;
  return { end, trailers };
}
