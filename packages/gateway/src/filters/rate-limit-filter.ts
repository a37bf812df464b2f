import { parseIp, type RateLimit, unmapIp } from '@portolan/core';
import type { Filter, FilteredRequest } from './filter.ts';
import type { TokenBuckets } from './token-buckets.ts';

/** Refuses with 429 what comes faster than a limit allows. */
export function createRateLimitFilter(limit: RateLimit, buckets: TokenBuckets): Filter {
  const { requests, periodMs } = limit;
  // draft-ietf-httpapi-ratelimit-headers: the window is told in seconds, rounded up.
  const policy = `"default";q=${requests};w=${Math.ceil(periodMs / 1_000)}`;
  return {
    name: 'rate-limit',
    onRequest(request) {
      const key = keyOf(limit.by, request);
      if (key === undefined) return 'continue';
      const { allowed, left, waitMs } = buckets.take(key);
      if (allowed) return 'continue';
      const seconds = String(Math.max(1, Math.ceil(waitMs / 1_000)));
      request.refuse('RATE_LIMITED', [
        'Retry-After',
        seconds,
        'RateLimit-Policy',
        policy,
        'RateLimit',
        `"default";r=${left};t=${seconds}`,
      ]);
      return 'answered';
    },
  };
}

function keyOf(by: RateLimit['by'], request: FilteredRequest): string | undefined {
  if (by === 'route') return '';
  if (by === 'address') return networkOf(request.clientIp);
  return request.head.get(by.header.toLowerCase());
}

/** One household, one bucket: an IPv6 client has a whole /64 to choose addresses from. */
function networkOf(address: string): string {
  const parsed = parseIp(address);
  if (!parsed) return address;
  const ip = unmapIp(parsed);
  return ip.family === 4 ? address : ip.bytes.slice(0, 8).join('.');
}
