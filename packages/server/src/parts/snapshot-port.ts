import type { SnapshotPort } from '@portolan/adapters';
import type { Clock, Logger, Store } from '@portolan/core';
import { restoreSnapshot, saveSnapshot } from '@portolan/registry';

/** Snapshots of the running registry, for the API. */
export function createSnapshotPort(
  store: Store,
  deps: { readonly clock: Clock; readonly logger: Logger },
): SnapshotPort {
  return {
    save: () => saveSnapshot(store, { createdAt: new Date(deps.clock.wallNow()).toISOString() }),
    async restore(body, mode) {
      const outcome = await restoreSnapshot(
        store,
        async function* () {
          yield body;
        },
        { mode },
      );
      deps.logger.info({ ...outcome, mode }, 'a snapshot was restored');
      return outcome;
    },
  };
}
