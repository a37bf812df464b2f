/** Below this, in microseconds, every value has a bucket of its own. */
const EXACT = 128;
/** Buckets between a power of two and the next: a value is told to 1.6 %. */
const PER_DOUBLING = 64;
const DOUBLINGS = 24;
const MAX_MICROS = 2 ** 31 - 1;

/** Latencies in buckets that grow with them: as much memory for a billion as for one. */
export class LatencyHistogram {
  readonly #counts = new Float64Array(EXACT + DOUBLINGS * PER_DOUBLING);
  count = 0;
  maxMs = 0;

  record(latencyMs: number): void {
    const micros = Math.min(MAX_MICROS, Math.max(0, Math.round(latencyMs * 1_000)));
    const at = bucketOf(micros);
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.count++;
    this.maxMs = Math.max(this.maxMs, latencyMs);
  }

  /** The latency that `share` (0 to 1) of all did not exceed, to 1.6 %; NaN when there are none. */
  percentileMs(share: number): number {
    if (this.count === 0) return Number.NaN;
    let left = Math.max(1, Math.ceil(this.count * share));
    for (const [at, count] of this.#counts.entries()) {
      left -= count;
      if (left <= 0) return Math.min(this.maxMs, highestOf(at) / 1_000);
    }
    return this.maxMs;
  }
}

function bucketOf(micros: number): number {
  if (micros < EXACT) return micros;
  const exponent = 31 - Math.clz32(micros);
  return EXACT + (exponent - 7) * PER_DOUBLING + ((micros >>> (exponent - 6)) - PER_DOUBLING);
}

function highestOf(bucket: number): number {
  if (bucket < EXACT) return bucket;
  const doubling = Math.floor((bucket - EXACT) / PER_DOUBLING);
  const step = (bucket - EXACT) % PER_DOUBLING;
  return (PER_DOUBLING + step + 1) * 2 ** (doubling + 1) - 1;
}
