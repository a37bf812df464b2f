import type { ControlReply, Instance, Revision, ServiceKey, ServiceView } from '@portolan/core';
import { toViewJson } from '../codecs/instance-json.ts';
import type { RestContext } from '../operation.ts';
import { presentView } from './present-view.ts';
import { createSseBody, SSE_HEADERS, sseEvent } from './sse-body.ts';

export interface ServiceStreamOptions {
  readonly service: ServiceKey;
  /** The reader knows the view up to here; absent: nothing. */
  readonly from: Revision | undefined;
  /** Absent: the whole view, which is serialised once for all readers. */
  readonly filter: ((instance: Instance) => boolean) | undefined;
  readonly signal: AbortSignal;
}

/** A stream of one service's views. While the reader is slow only the newest view waits for it. */
export function streamService(context: RestContext, options: ServiceStreamOptions): ControlReply {
  const { registry, frames } = context;
  const { service, from, filter, signal } = options;
  const leave = context.watchers.enter();
  const present = presentView(registry, service, from);
  let pending: ServiceView | undefined = present.isNews ? present.view : undefined;
  const unsubscribe = registry.subscribeService(service, (view) => {
    pending = view;
    body.wake();
  });

  const body = createSseBody(
    {
      take() {
        if (pending === undefined) return undefined;
        const view = pending;
        pending = undefined;
        if (filter === undefined) return frames.event(view)[0];
        const filtered = toViewJson(view, view.instances.filter(filter));
        return sseEvent('view', view.revision, JSON.stringify(filtered));
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
