import {
  type Entry,
  type ExclusiveRole,
  type ExclusiveTerm,
  parseServiceId,
  type RegistryEvent,
  type Revision,
} from '@portolan/core';
import type { CatalogueState } from '../catalogue/catalogue-state.ts';
import { decodeTerm } from '../codec/exclusive-codec.ts';
import type { StoreKey } from '../codec/keys.ts';

/** What an instance is under a term. */
export function roleIn({ term, active }: ExclusiveTerm, id: string): ExclusiveRole {
  return {
    role: active === id ? 'active' : 'standby',
    term,
    ...(active === undefined ? undefined : { active }),
  };
}

/** Takes a change of a service's settings or term into the state; whoever calls looks at the instances again. */
export function applyExclusive(
  state: CatalogueState,
  { kind, key }: StoreKey,
  entry: Entry | undefined,
  stamp: { readonly revision: Revision; readonly atMs: number },
): readonly RegistryEvent[] {
  const service = parseServiceId(key);
  if (!service) return [];
  if (kind === 'settings') {
    if (!entry) {
      state.settings.delete(key);
      return [{ ...stamp, type: 'settings-deleted', service }];
    }
    return [{ ...stamp, type: 'settings-put', settings: state.settings.put(key, entry) }];
  }
  const previous = state.terms.get(key)?.active;
  if (!entry) {
    state.terms.delete(key);
    return [];
  }
  const next = decodeTerm(entry.value);
  state.terms.set(key, { ...next, revision: entry.modifyRevision });
  return [
    {
      ...stamp,
      type: 'active-changed',
      service,
      reason: next.reason ?? 'vacant',
      ...(next.active === undefined ? undefined : { active: next.active }),
      ...(previous === undefined ? undefined : { previous }),
    },
  ];
}
