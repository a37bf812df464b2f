import type { Intent, IntentPatch } from '@portolan/core';
import { isSameLabels } from './same-registration.ts';

/** Merges labels key by key; null removes. */
export function mergeLabels(
  present: Readonly<Record<string, string>>,
  changes: Readonly<Record<string, string | null>> | undefined,
): Readonly<Record<string, string>> {
  if (!changes) return present;
  const merged: Record<string, string> = { ...present };
  for (const key of Object.keys(changes)) {
    const value = changes[key];
    if (value === null || value === undefined) delete merged[key];
    else if (key !== '__proto__') merged[key] = value;
  }
  return isSameLabels(present, merged) ? present : merged;
}

/** Intent with a patch applied: absent keeps, null clears. */
export function mergeIntent(present: Intent, patch: IntentPatch): Intent {
  const weight = patch.weight === undefined ? present.weight : (patch.weight ?? undefined);
  const maintenance =
    patch.maintenance === undefined ? present.maintenance : (patch.maintenance ?? undefined);
  return {
    enabled: patch.enabled ?? present.enabled,
    ...(weight === undefined ? {} : { weight }),
    ...(maintenance === undefined ? {} : { maintenance }),
  };
}
