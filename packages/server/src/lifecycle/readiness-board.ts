import type { Readiness } from '../control/system-adapter.ts';

/** Why the process is not ready, if it is not. */
export interface ReadinessBoard extends Readiness {
  /** Not ready for `reason` until the returned function is called. */
  hold(reason: string): () => void;
}

export function createReadinessBoard(): ReadinessBoard {
  const held = new Set<{ readonly reason: string }>();
  return {
    reasons: () => [...held].map(({ reason }) => reason),
    hold(reason) {
      const hold = { reason };
      held.add(hold);
      return () => void held.delete(hold);
    },
  };
}
