import type { Clock } from '@portolan/core';

/** Where a stream takes its next bytes from. */
export interface SseSource {
  /** The next chunk that is ready; undefined when there is none now; null when the stream is over. */
  take(): string | Uint8Array | undefined | null;
  /** Gives back whatever the source holds. Called exactly once. */
  close(): void;
}

export interface SseBody extends AsyncIterable<string | Uint8Array> {
  /** Says that `take` may have something now. */
  wake(): void;
}

export interface SseBodyOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** A comment is sent after this long without an event. */
  readonly heartbeatMs: number;
}

/** Headers of every stream, and all that a HEAD request for one is answered with. */
export const SSE_HEADERS: Readonly<Record<string, string>> = Object.freeze({
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  // Reverse proxies that buffer by default read this.
  'x-accel-buffering': 'no',
});

/** The first bytes of every stream: they carry the head to the reader and the delay before it reconnects. */
const OPENING = 'retry: 1000\n\n';
const KEEP_ALIVE = ': keep-alive\n\n';

/**
 * Turns a source into a reply body. It is pulled: nothing is taken from the source while the reader is slow. The source
 * is closed when the reader goes, when the source is over or when the signal aborts, even if nobody ever reads.
 */
export function createSseBody(source: SseSource, options: SseBodyOptions): SseBody {
  const { clock, signal, heartbeatMs } = options;
  let resume: (() => void) | undefined;
  let closed = false;

  function wake(): void {
    resume?.();
  }
  function close(): void {
    if (closed) return;
    closed = true;
    signal.removeEventListener('abort', close);
    source.close();
    wake();
  }
  signal.addEventListener('abort', close);
  if (signal.aborted) close();

  async function* run(): AsyncGenerator<string | Uint8Array> {
    try {
      yield OPENING;
      while (!closed) {
        const chunk = source.take();
        if (chunk === null) return;
        if (chunk !== undefined) {
          yield chunk;
          continue;
        }
        if (await isSilent()) yield KEEP_ALIVE;
      }
    } finally {
      close();
    }
  }

  /** Waits for `wake`; true when the heartbeat fell due before. */
  function isSilent(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = clock.setTimer(heartbeatMs, () => settle(true));
    function settle(silent: boolean): void {
      timer.cancel();
      resume = undefined;
      resolve(silent);
    }
    resume = () => settle(false);
    return promise;
  }

  return { wake, [Symbol.asyncIterator]: run };
}

/** One event. `data` is JSON text, which holds no line break. */
export function sseEvent(event: string, id: number, data: string): string {
  return `id: ${id}\nevent: ${event}\ndata: ${data}\n\n`;
}
