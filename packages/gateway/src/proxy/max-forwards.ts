import type { RequestHead } from '@portolan/http';

/** RFC 9110 §7.6.2: what to send on; negative when the request ends here; undefined when it does not count. */
export function maxForwardsLeft(head: RequestHead): number | undefined {
  if (head.method !== 'TRACE' && head.method !== 'OPTIONS') return undefined;
  const text = head.get('max-forwards');
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) - 1 : undefined;
}

/** What the last hop answers OPTIONS with. */
export const ALLOW_AT_LAST_HOP = 'Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\n';
