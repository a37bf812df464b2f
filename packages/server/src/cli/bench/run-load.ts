import type { Clock, Random } from '@portolan/core';
import { LatencyHistogram } from './latency-histogram.ts';
import { type DueRequest, LoadLane } from './load-lane.ts';

export interface LoadPlan {
  readonly url: URL;
  readonly connections: number;
  /** The next request, whole, as HTTP/1.1; undefined: there is no more. */
  next(sequence: number): Uint8Array | undefined;
  /** Over all connections, evenly spaced, and latency counts from when a request was due; absent: as fast as answers come. */
  readonly perSecond?: number;
  /** Absent: until `next` has no more. */
  readonly durationMs?: number;
  /** Called with the body of every answer. */
  readonly onAnswer?: (body: Buffer) => void;
  /** Ends it at once. */
  readonly signal: AbortSignal;
}

/** What a load gave so far. */
export interface LoadResult {
  /** Answered, well or not. */
  readonly requests: number;
  readonly seconds: number;
  /** Of what was answered. */
  readonly latency: LatencyHistogram;
  /** How often each thing went wrong: a status from 400 on, or what happened to the connection. */
  readonly errors: ReadonlyMap<string, number>;
}

const TICK_MS = 500;

/** Puts a load on an HTTP server. `onTick` is called twice a second with what there is. */
export async function runLoad(
  plan: LoadPlan,
  deps: { readonly clock: Clock; readonly random: Random },
  onTick: (result: LoadResult) => void = () => undefined,
): Promise<LoadResult> {
  const { clock } = deps;
  const startMs = clock.now();
  const endMs =
    plan.durationMs === undefined ? Number.POSITIVE_INFINITY : startMs + plan.durationMs;
  const latency = new LatencyHistogram();
  const errors = new Map<string, number>();
  let sequence = 0;
  let running = plan.connections;
  const note = (why: string): void => void errors.set(why, (errors.get(why) ?? 0) + 1);
  const result = (): LoadResult => ({
    requests: latency.count,
    seconds: (clock.now() - startMs) / 1_000,
    latency,
    errors,
  });

  function take(): DueRequest | undefined {
    if (plan.signal.aborted) return undefined;
    const dueMs =
      plan.perSecond === undefined ? clock.now() : startMs + (sequence / plan.perSecond) * 1_000;
    if (dueMs >= endMs || clock.now() >= endMs) return undefined;
    const bytes = plan.next(sequence);
    if (bytes === undefined) return undefined;
    sequence++;
    return { bytes, dueMs };
  }

  await new Promise<void>((resolve) => {
    const tick = (): void => {
      onTick(result());
      timer = clock.setTimer(TICK_MS, tick);
    };
    let timer = clock.setTimer(TICK_MS, tick);
    const lanes = Array.from(
      { length: plan.connections },
      () =>
        new LoadLane({
          url: plan.url,
          ...deps,
          take,
          answered(latencyMs, status, body) {
            latency.record(latencyMs);
            plan.onAnswer?.(body);
            if (status >= 400) note(`status ${status}`);
          },
          failed: note,
          ended() {
            if (--running > 0) return;
            timer.cancel();
            plan.signal.removeEventListener('abort', stop);
            resolve();
          },
        }),
    );
    const stop = (): void => {
      for (const lane of lanes) lane.stop();
    };
    plan.signal.addEventListener('abort', stop);
    for (const lane of lanes) lane.start();
  });
  return result();
}
