import type { Change, CommitResult, Entry, Guard, Op, Revision } from '@portolan/core';

export interface CommitRequest {
  readonly ops: readonly Op[];
  readonly guards: readonly Guard[];
}

export interface EvaluatedCommits {
  /** In the order of the requests. */
  readonly results: readonly CommitResult[];
  /** In order; one for each key a commit really touched. */
  readonly changes: readonly Change[];
  /** What every touched key is in the end; undefined when it is gone. */
  readonly finalEntries: ReadonlyMap<string, Entry | undefined>;
  /** Of the last winning commit; the one before when none won. */
  readonly revision: Revision;
}

export interface KeyRevisions {
  readonly createRevision: Revision;
  readonly modifyRevision: Revision;
}

/**
 * Decides commits one after the other: each sees what the ones before it did, on top of what `lookup` says is durable.
 * Every winner takes the next revision.
 */
export function evaluateCommits(
  requests: readonly CommitRequest[],
  /** `durable` is answered to commits that only test; `assigned` may be ahead of it after a commit that failed. */
  at: { readonly durable: Revision; readonly assigned: Revision },
  lookup: (key: string) => KeyRevisions | undefined,
): EvaluatedCommits {
  const finalEntries = new Map<string, Entry | undefined>();
  const changes: Change[] = [];
  const current = (key: string): KeyRevisions | undefined =>
    finalEntries.get(key) ?? (finalEntries.has(key) ? undefined : lookup(key));
  let assigned = at.assigned;
  let newest = at.durable;
  const results = requests.map(({ ops, guards }): CommitResult => {
    // What a guard found is what its operation goes on from, and they mostly stand in one order.
    const found: (KeyRevisions | undefined)[] = [];
    for (const guard of guards) {
      const present = current(guard.key);
      found.push(present);
      const actual = present?.modifyRevision ?? 0;
      if (actual !== guard.modifyRevision) return { ok: false, conflict: guard, actual };
    }
    if (ops.length === 0) return { ok: true, revision: newest };
    assigned += 1;
    newest = assigned;
    // A key may stand in several ops: the last one counts and is the one change.
    let at = -1;
    for (const op of ops.length === 1 ? ops : lastOfEachKey(ops)) {
      at++;
      const present = guards[at]?.key === op.key ? found[at] : current(op.key);
      if (op.type === 'delete') {
        if (present === undefined) continue;
        finalEntries.set(op.key, undefined);
        changes.push({ key: op.key, revision: newest });
        continue;
      }
      const entry: Entry = {
        key: op.key,
        value: op.value,
        createRevision: present?.createRevision ?? newest,
        modifyRevision: newest,
        known: op.known,
      };
      finalEntries.set(op.key, entry);
      changes.push({ key: op.key, revision: newest, entry });
    }
    return { ok: true, revision: newest };
  });
  return { results, changes, finalEntries, revision: newest };
}

function lastOfEachKey(ops: readonly Op[]): Iterable<Op> {
  const last = new Map<string, Op>();
  for (const op of ops) last.set(op.key, op);
  return last.values();
}
