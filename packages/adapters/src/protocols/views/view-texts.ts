import { type ServiceView, serviceId } from '@portolan/core';

/** Texts made of views, each made once however many readers it goes to. */
export interface ViewTexts {
  /** `make(view)`, or what it gave for this very view under this `variant` before. */
  of(view: ServiceView, variant: string, make: (view: ServiceView) => string): string;
}

interface Kept {
  readonly view: ServiceView;
  readonly text: string;
}

/** Keeps the texts asked for last, up to `capacityChars` of them: a catalogue read once must not stay in memory twice. */
export function createViewTexts(capacityChars: number): ViewTexts {
  const kept = new Map<string, Kept>();
  let held = 0;
  return {
    of(view, variant, make) {
      const key = `${variant} ${serviceId(view.service)}`;
      const present = kept.get(key);
      if (present) {
        kept.delete(key);
        held -= present.text.length;
      }
      const entry = present?.view === view ? present : { view, text: make(view) };
      if (entry.text.length > capacityChars) return entry.text;
      kept.set(key, entry);
      held += entry.text.length;
      for (const [oldest, { text }] of kept) {
        if (held <= capacityChars) break;
        kept.delete(oldest);
        held -= text.length;
      }
      return entry.text;
    },
  };
}
