import type { Caller, CallScope } from './caller.ts';

const NDJSON = 'application/x-ndjson';
/** A restore is one long write. */
const RESTORE_TIMEOUT_MS = 300_000;

export type RestoreMode = 'empty' | 'replace';

/** Everything a registry holds, out and in again, as lines of JSON. */
export function createSnapshotCalls({ call, download }: Caller) {
  return {
    /** The bytes as they come; without a time limit, so end it with `scope.signal`. */
    save: (scope?: CallScope) => download('/snapshot', NDJSON, scope),
    /** `empty` refuses a registry that holds something; `replace` makes it equal to the snapshot. */
    restore: (bytes: Uint8Array<ArrayBuffer>, mode: RestoreMode = 'empty', scope?: CallScope) =>
      call<Readonly<Record<string, unknown>>>('POST', '/snapshot', {
        scope: { timeoutMs: RESTORE_TIMEOUT_MS, ...scope },
        reach: 'server',
        query: { mode },
        rawBody: { type: NDJSON, bytes },
      }),
  };
}
