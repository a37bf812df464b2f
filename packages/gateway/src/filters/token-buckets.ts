import type { Clock } from '@portolan/core';

/** How a bucket fills. */
export interface BucketRate {
  /** Tokens that come in each period. */
  readonly requests: number;
  readonly periodMs: number;
  /** Room for tokens. */
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

/** What taking a token came to. */
export interface Taken {
  readonly allowed: boolean;
  /** Whole tokens left. */
  readonly left: number;
  /** Until a token is there; 0 when one is. */
  readonly waitMs: number;
}

/** Keys of one generation: past this the older half is forgotten, and starts full again. */
const GENERATION_KEYS = 10_000;

/** Token buckets by key, in bounded memory. */
export class TokenBuckets {
  readonly rate: BucketRate;
  readonly #clock: Clock;
  #young = new Map<string, Bucket>();
  #old = new Map<string, Bucket>();

  constructor(rate: BucketRate, clock: Clock) {
    this.rate = rate;
    this.#clock = clock;
  }

  take(key: string): Taken {
    const { requests, periodMs, burst } = this.rate;
    const nowMs = this.#clock.now();
    const bucket = this.#bucketOf(key, nowMs);
    const perMs = requests / periodMs;
    bucket.tokens = Math.min(burst, bucket.tokens + (nowMs - bucket.atMs) * perMs);
    bucket.atMs = nowMs;
    // A share lost in dividing must not cost a whole token.
    const allowed = bucket.tokens >= 1 - 1e-9;
    if (allowed) bucket.tokens = Math.max(0, bucket.tokens - 1);
    const missing = 1 - bucket.tokens;
    return {
      allowed,
      left: Math.floor(bucket.tokens + 1e-9),
      waitMs: missing <= 1e-9 ? 0 : missing / perMs,
    };
  }

  #bucketOf(key: string, nowMs: number): Bucket {
    const known = this.#young.get(key);
    if (known) return known;
    const bucket = this.#old.get(key) ?? { tokens: this.rate.burst, atMs: nowMs };
    if (this.#young.size >= GENERATION_KEYS) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, bucket);
    return bucket;
  }
}
