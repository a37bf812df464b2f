import type { CommitResult, Guard, Op, Store } from '@portolan/core';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { AnnouncedRemoval } from '../catalogue/catalogue-state.ts';

/** Commits; what it removes is announced for as long as the store may take it. */
export function commitWrite(
  { catalogue, store }: { readonly catalogue: Catalogue; readonly store: Pick<Store, 'commit'> },
  { ops, guards }: { readonly ops: readonly Op[]; readonly guards: readonly Guard[] },
  removals: readonly AnnouncedRemoval[],
): Promise<CommitResult> {
  if (removals.length === 0) return store.commit(ops, guards);
  return announced(catalogue, removals, () => store.commit(ops, guards));
}

async function announced(
  catalogue: Catalogue,
  removals: readonly AnnouncedRemoval[],
  commit: () => Promise<CommitResult>,
): Promise<CommitResult> {
  for (const removal of removals) catalogue.announceRemoval(removal);
  let written = false;
  try {
    const result = await commit();
    written = result.ok;
    return result;
  } finally {
    if (!written) for (const removal of removals) catalogue.forgetRemoval(removal);
  }
}
