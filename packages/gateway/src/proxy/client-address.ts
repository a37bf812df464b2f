import { parseIp } from '@portolan/core';
import type { MessageFields } from '@portolan/http';
import type { Peer } from './trusted-peers.ts';

/** Hops that are looked at: a list longer than this was not written by our proxies. */
const MAX_HOPS = 32;

/**
 * The client's address: the peer's own, or when that is a trusted proxy, the last address in X-Forwarded-For that is none
 * (walked from the right, since whatever stands left of it was said by the client). What is no address ends the walk.
 */
export function clientAddress(
  peer: Peer,
  head: Pick<MessageFields, 'joined'>,
  peerOf: (address: string) => Peer,
): string {
  if (!peer.trusted) return peer.ip;
  const told = head.joined('x-forwarded-for');
  if (told === undefined) return peer.ip;
  let client = peer;
  const hops = told.split(',');
  for (let at = hops.length - 1; at >= Math.max(0, hops.length - MAX_HOPS); at--) {
    const hop = hops[at]?.trim() ?? '';
    if (parseIp(hop) === undefined) break;
    client = peerOf(hop);
    if (!client.trusted) break;
  }
  return client.ip;
}
