import type { Clock } from '@portolan/core';
import { PortolanError } from '../http/portolan-error.ts';
import type { Query, Transport } from '../http/transport.ts';
import { type SseEvent, SseParser } from './sse-parser.ts';

export interface EventStreamOptions {
  readonly path: string;
  readonly query: Query;
  readonly signal: AbortSignal;
  /** The connection is given up when nothing, not even a comment, came for this long. */
  readonly idleTimeoutMs: number;
  /** Called when the head is there, before the first event. */
  readonly onOpen?: (url: string) => void;
}

const LIMITS = { lineLimit: 64 * 1024 * 1024, eventLimit: 64 * 1024 * 1024 };

/**
 * The events of one connection. Ends when the registry ends it, throws `PortolanError` when it breaks or falls silent;
 * reconnecting is the caller's. Events are pulled: a slow reader slows the connection.
 */
export async function* openEventStream(
  options: EventStreamOptions,
  deps: { readonly transport: Transport; readonly clock: Clock },
): AsyncGenerator<SseEvent, void, void> {
  const controller = new AbortController();
  const onAbort = () => controller.abort();
  if (options.signal.aborted) controller.abort();
  else options.signal.addEventListener('abort', onAbort, { once: true });
  let silent = false;
  const watchdog = () =>
    deps.clock.setTimer(options.idleTimeoutMs, () => {
      silent = true;
      controller.abort();
    });
  let timer: ReturnType<typeof watchdog> | undefined;
  try {
    const { url, body } = await deps.transport.open(options.path, {
      query: options.query,
      accept: 'text/event-stream',
      signal: controller.signal,
    });
    options.onOpen?.(url);
    const events: SseEvent[] = [];
    const parser = new SseParser(LIMITS, (event) => void events.push(event));
    timer = watchdog();
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      timer.cancel();
      parser.push(chunk);
      yield* events.splice(0);
      timer = watchdog();
    }
  } catch (cause) {
    if (options.signal.aborted) {
      throw new PortolanError('ABORTED', 'The stream was closed.', { status: 0, cause });
    }
    if (cause instanceof PortolanError && !silent) throw cause;
    const why = silent
      ? `nothing came for ${options.idleTimeoutMs} ms`
      : cause instanceof Error
        ? cause.message
        : String(cause);
    throw new PortolanError('REGISTRY_UNREACHABLE', `The stream broke: ${why}.`, {
      status: 0,
      retryable: true,
      cause,
    });
  } finally {
    timer?.cancel();
    options.signal.removeEventListener('abort', onAbort);
    controller.abort();
  }
}
