import { statusLine } from '../message/head-text.ts';
import { toLatin1 } from '../protocol/latin1.ts';
import type { Reply } from './connection-owner.ts';

/** The text of a reply that is its connection's last. */
export function closingReply({ status, lines, body }: Reply): string {
  const framing = `Content-Length: ${body.length}\r\nConnection: close\r\n`;
  return `${statusLine(status)}${lines}${framing}\r\n${toLatin1(body, 0, body.length)}`;
}
