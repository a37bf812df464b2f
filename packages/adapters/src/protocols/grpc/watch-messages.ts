import type { ServiceView } from '@portolan/core';
import { inParts, toViewMessage } from './instance-message.ts';
import type { Step } from './view-follower.ts';

type Encode = (message: object) => Buffer;

/** Makes the messages of a watch as bytes. A view is serialised once, however many readers it goes to. */
export interface WatchMessages {
  /** One message, or several for the parts of a large view; only the last one may be resumed after. */
  of(step: Step, before: number, after: number): readonly Buffer[];
}

export function createWatchMessages(encode: Encode): WatchMessages {
  const kept = new WeakMap<ServiceView, readonly Buffer[]>();

  function partsOf(view: ServiceView): readonly Buffer[] {
    const known = kept.get(view);
    if (known) return known;
    const parts = [...inParts(view.instances)];
    const bytes = parts.map((part, at) =>
      encode({ view: toViewMessage(view, part, at < parts.length - 1) }),
    );
    kept.set(view, bytes);
    return bytes;
  }

  return {
    of(step, before, after) {
      if (step.kind !== 'view') {
        const { kind, ...said } = step;
        return [encode({ [kind]: said, resumeRevision: after })];
      }
      const parts = partsOf(step.view);
      return parts.map((part, at) => {
        const resumeRevision = at < parts.length - 1 ? before : after;
        // Messages of protobuf that stand behind each other are one: only this field differs from reader to reader.
        return Buffer.concat([part, encode({ resumeRevision })]);
      });
    },
  };
}
