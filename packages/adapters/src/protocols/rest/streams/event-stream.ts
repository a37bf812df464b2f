import {
  type ControlReply,
  RegistryError,
  type RegistryEvent,
  type Revision,
} from '@portolan/core';
import { toEventJson } from '../codecs/event-json.ts';
import type { RestContext } from '../operation.ts';
import { toProblemDocument } from '../problem-reply.ts';
import { createSseBody, SSE_HEADERS, sseEvent } from './sse-body.ts';

export interface EventStreamOptions {
  /** The reader knows the events up to here; absent: it wants those to come. */
  readonly from: Revision | undefined;
  readonly filter: (event: RegistryEvent) => boolean;
  readonly signal: AbortSignal;
  readonly requestId: string;
}

const utf8 = new TextEncoder();
const frames = new WeakMap<RegistryEvent, Uint8Array>();

/**
 * Serialised once however many readers it goes to; forgotten with the event. Of the events of one revision only the
 * last has an id: a reader cut off between them resumes before them all, not after the first.
 */
function frameOf(event: RegistryEvent, next: RegistryEvent | undefined): Uint8Array {
  const kept = frames.get(event);
  if (kept) return kept;
  const data = JSON.stringify(toEventJson(event));
  const frame = utf8.encode(
    next?.revision === event.revision
      ? `event: ${event.type}\ndata: ${data}\n\n`
      : sseEvent(event.type, event.revision, data),
  );
  frames.set(event, frame);
  return frame;
}

/**
 * Every single event, in order. A reader for whom more than the configured bytes wait is told `compacted`, and the
 * stream ends: it must read the present state.
 */
export function streamEvents(context: RestContext, options: EventStreamOptions): ControlReply {
  const { events } = context.registry;
  const { from, filter, signal, requestId } = options;
  const leave = context.watchers.enter();
  const past = from === undefined ? [] : events.since(from);
  /** Held by the event log anyway: these cost a reference each, and are serialised when they are pulled. */
  let backlog: readonly RegistryEvent[] = past ?? [];
  let backlogAt = 0;
  let live: Uint8Array[] = [];
  let liveBytes = 0;
  let state: 'open' | 'outrun' | 'over' = past === undefined ? 'outrun' : 'open';

  const unsubscribe = events.subscribe((batch) => {
    if (state !== 'open') return;
    for (const [at, event] of batch.entries()) {
      if (!filter(event)) continue;
      const frame = frameOf(event, batch[at + 1]);
      live.push(frame);
      liveBytes += frame.length;
    }
    if (liveBytes > context.streamBacklogBytes) {
      state = 'outrun';
      live = [];
      backlog = [];
    }
    body.wake();
  });

  const body = createSseBody(
    {
      take() {
        if (state === 'over') return null;
        if (state === 'outrun') {
          state = 'over';
          const problem = toProblemDocument(compacted(context, from), requestId);
          return sseEvent('compacted', context.registry.revision, JSON.stringify(problem));
        }
        while (backlogAt < backlog.length) {
          const event = backlog[backlogAt++];
          if (event && filter(event)) return frameOf(event, backlog[backlogAt]);
        }
        backlog = [];
        backlogAt = 0;
        if (live.length === 0) return undefined;
        const ready = live;
        live = [];
        liveBytes = 0;
        return ready.length === 1 ? ready[0] : Buffer.concat(ready);
      },
      close() {
        unsubscribe();
        leave();
      },
    },
    { clock: context.clock, signal, heartbeatMs: context.streamHeartbeatMs },
  );
  return { status: 200, headers: SSE_HEADERS, body };
}

/** The error for a reader that asks for, or has fallen behind, what is no longer held. */
export function compacted(context: RestContext, from: Revision | undefined): RegistryError {
  return new RegistryError('REVISION_COMPACTED', {
    detail: `Events after revision ${from ?? 'yours'} are not all held any more; the oldest that can be asked for is from=${context.registry.events.horizon}. Read the present state, then follow from its revision.`,
  });
}
