import { FIELD, type MessageFields, NOT_FORWARDED } from '@portolan/http';

/** Framing, routing and connection. */
const DROPPED_CLASSES =
  NOT_FORWARDED | FIELD.host | FIELD.expect | FIELD.forwarded | FIELD.underscore | FIELD.trailer;

/**
 * RFC 9110 §6.5.1: a trailer must not carry what is needed ahead of the content: framing and routing (by class), request
 * modifiers, authentication, response control, and how the content is to be read.
 */
const DROPPED_NAMES = new Set(
  `age authorization cache-control content-encoding content-range content-type cookie date expires
  if-match if-modified-since if-none-match if-range if-unmodified-since location max-forwards pragma range retry-after
  set-cookie vary via warning www-authenticate x-portolan-attempt-count x-request-id`.split(/\s+/),
);

/** The trailer lines to pass on; empty when none is left. */
export function toTrailerLines(trailers: MessageFields | undefined): string {
  if (!trailers) return '';
  const lines = trailers.linesWithout(DROPPED_CLASSES, isDroppedByName);
  return lines === '\r\n' ? '' : lines;
}

function isDroppedByName(fields: MessageFields, index: number): boolean {
  return DROPPED_NAMES.has(fields.fieldName(index).toLowerCase());
}
