import { type Revision, type ServiceView, serviceId } from '@portolan/core';
import { toViewJson } from '../codecs/instance-json.ts';

/** Serialised views, each made once however many readers it goes to. */
export interface ViewFrames {
  /** The view as JSON in UTF-8. */
  json(view: ServiceView): Uint8Array;
  /** The view as a server-sent event, in chunks; `id` is where a reader may resume, default the view's revision. */
  event(view: ServiceView, id?: Revision): readonly (string | Uint8Array)[];
}

interface Kept {
  readonly view: ServiceView;
  /** `id: R\nevent: view\ndata: {…}\n\n`. */
  readonly bytes: Uint8Array;
  readonly idLength: number;
}

const EVENT_HEAD = 'event: view\ndata: ';
const EVENT_END = '\n\n';
const utf8 = new TextEncoder();

/**
 * Keeps the newest serialised view of the services asked for last, up to `capacityBytes`: a catalogue of a million
 * instances read once must not stay in memory twice.
 */
export function createViewFrames(capacityBytes: number): ViewFrames {
  const kept = new Map<string, Kept>();
  let heldBytes = 0;

  function frameOf(view: ServiceView): Kept {
    const key = serviceId(view.service);
    const present = kept.get(key);
    if (present) {
      kept.delete(key);
      heldBytes -= present.bytes.length;
    }
    const frame = present?.view === view ? present : serialise(view);
    if (frame.bytes.length > capacityBytes) return frame;
    kept.set(key, frame);
    heldBytes += frame.bytes.length;
    for (const [oldest, entry] of kept) {
      if (heldBytes <= capacityBytes) break;
      kept.delete(oldest);
      heldBytes -= entry.bytes.length;
    }
    return frame;
  }

  return {
    json(view) {
      const { bytes, idLength } = frameOf(view);
      return bytes.subarray(idLength + EVENT_HEAD.length, bytes.length - EVENT_END.length);
    },
    event(view, id = view.revision) {
      const { bytes, idLength } = frameOf(view);
      if (id === view.revision) return [bytes];
      return [`id: ${id}\n`, bytes.subarray(idLength)];
    },
  };
}

function serialise(view: ServiceView): Kept {
  const id = `id: ${view.revision}\n`;
  const json = JSON.stringify(toViewJson(view));
  return {
    view,
    bytes: utf8.encode(`${id}${EVENT_HEAD}${json}${EVENT_END}`),
    idLength: id.length,
  };
}
