import { holdProcess, systemClock } from '@portolan/client';
import { type LatencyHistogram, runLoad as putLoad } from 'portolan/bench';

export { requestBytes } from 'portolan/bench';

/** What a run gave. Latencies are milliseconds from when a request was due to having its whole answer. */
export interface LoadResult {
  readonly requests: number;
  readonly errors: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly firstError?: string;
}

export interface LoadOptions {
  readonly origin: string;
  readonly connections: number;
  /** The next request's bytes, or undefined when there is no more to send. */
  readonly next: (sequence: number) => Buffer | undefined;
  /** Stops asking for more after this long; absent: until `next` says so. */
  readonly durationMs?: number;
  readonly onAnswer?: (body: Buffer) => void;
  /** Requests a second over all connections, evenly spaced; absent: as fast as answers come. */
  readonly rate?: number;
}

/** The load of `portolan bench`, in figures. Runs in a process other than the server's. */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const { origin, rate, ...plan } = options;
  const release = holdProcess();
  const { signal } = new AbortController();
  const result = await putLoad(
    {
      ...plan,
      url: new URL(origin),
      signal,
      ...(rate === undefined ? {} : { perSecond: rate }),
    },
    { clock: systemClock, random: Math.random },
  );
  release();
  return toLoadResult(result);
}

export function toLoadResult({
  requests,
  seconds,
  latency,
  errors,
}: {
  readonly requests: number;
  readonly seconds: number;
  readonly latency: LatencyHistogram;
  readonly errors: ReadonlyMap<string, number>;
}): LoadResult {
  const [firstError] = errors.keys();
  return {
    requests,
    errors: [...errors.values()].reduce((sum, count) => sum + count, 0),
    seconds,
    perSecond: requests / seconds,
    p50Ms: latency.percentileMs(0.5),
    p90Ms: latency.percentileMs(0.9),
    p99Ms: latency.percentileMs(0.99),
    p999Ms: latency.percentileMs(0.999),
    ...(firstError === undefined ? {} : { firstError }),
  };
}
