import { type Clock, parseIp } from '@portolan/core';

/** What to do with an answer over UDP: send it, ask to come back over TCP, or say nothing. */
export type Verdict = 'send' | 'truncate' | 'drop';

const MAX_SOURCES = 10_000;

interface Bucket {
  tokens: number;
  atMs: number;
  refused: number;
}

/**
 * Limits answers over UDP for each source, since its address may be forged and we the amplifier. Of those over the limit
 * every second is answered with TC, so that a true asker gets through over TCP, where nobody can forge.
 */
export function createResponseLimiter(
  perSecond: number,
  clock: Clock,
): (address: string) => Verdict {
  /** In the order of last use: the oldest makes room. */
  const buckets = new Map<string, Bucket>();
  return (address) => {
    if (perSecond === 0) return 'send';
    const source = sourceOf(address);
    const nowMs = clock.now();
    const bucket = buckets.get(source) ?? { tokens: perSecond, atMs: nowMs, refused: 0 };
    buckets.delete(source);
    buckets.set(source, bucket);
    if (buckets.size > MAX_SOURCES) {
      for (const oldest of buckets.keys()) {
        buckets.delete(oldest);
        break;
      }
    }
    bucket.tokens = Math.min(
      perSecond,
      bucket.tokens + ((nowMs - bucket.atMs) * perSecond) / 1_000,
    );
    bucket.atMs = nowMs;
    if (bucket.tokens >= 1) {
      bucket.tokens -= 1;
      return 'send';
    }
    bucket.refused += 1;
    return bucket.refused % 2 === 1 ? 'truncate' : 'drop';
  };
}

/** An IPv6 host has a whole /64 to send from. */
function sourceOf(address: string): string {
  if (!address.includes(':')) return address;
  const ip = parseIp(address.replace(/%.*$/, ''));
  return ip?.family === 6 ? ip.bytes.slice(0, 8).join('.') : address;
}
