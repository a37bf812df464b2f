import { type Clock, type ServiceView, serviceId } from '@portolan/core';

/** Answers about one service, each serialised once for all who ask while the service is as it was. */
export interface ReplyCache {
  /** `variant` names everything else that the answer depends on. */
  json(view: ServiceView, variant: string, make: () => string): Uint8Array;
}

interface Kept {
  readonly view: ServiceView;
  readonly bytes: Uint8Array;
  readonly madeMs: number;
}

/** As long as Consul may keep the output of a check whose status stays. */
const MAX_AGE_MS = 300_000;
const utf8 = new TextEncoder();

/** Keeps what was asked for last, up to `capacityBytes`. */
export function createReplyCache(capacityBytes: number, clock: Clock): ReplyCache {
  const kept = new Map<string, Kept>();
  let heldBytes = 0;
  return {
    json(view, variant, make) {
      const key = `${variant} ${serviceId(view.service)}`;
      const nowMs = clock.now();
      const present = kept.get(key);
      if (present) {
        kept.delete(key);
        heldBytes -= present.bytes.length;
      }
      const isFresh = present?.view === view && nowMs - present.madeMs < MAX_AGE_MS;
      const entry = isFresh ? present : { view, bytes: utf8.encode(make()), madeMs: nowMs };
      if (entry.bytes.length > capacityBytes) return entry.bytes;
      kept.set(key, entry);
      heldBytes += entry.bytes.length;
      for (const [oldest, { bytes }] of kept) {
        if (heldBytes <= capacityBytes) break;
        kept.delete(oldest);
        heldBytes -= bytes.length;
      }
      return entry.bytes;
    },
  };
}
