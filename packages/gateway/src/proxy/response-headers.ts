import { FIELD, NOT_FORWARDED, type ResponseHead } from '@portolan/http';

/** The header lines of the forwarded response, without framing and connection fields, which the engine writes. */
export function toResponseLines(head: ResponseHead, requestId: string): string {
  const lines = head.linesWithout(NOT_FORWARDED);
  return head.has('x-request-id') ? lines : `${lines}X-Request-Id: ${requestId}\r\n`;
}

/** The header lines of a 101, whose Connection and Upgrade the engine writes. */
export function toSwitchLines(head: ResponseHead): string {
  return head.linesWithout(NOT_FORWARDED);
}

/** The protocol a 101 switches to, if it says so as it must (RFC 9110 §15.2.2). */
export function switchedProtocol(head: ResponseHead): string | undefined {
  if (!head.connectionUpgrade || (head.classes & FIELD.upgrade) === 0) return undefined;
  return head.get('upgrade');
}
