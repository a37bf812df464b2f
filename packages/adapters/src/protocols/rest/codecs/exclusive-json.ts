import type { ExclusiveRole, ExclusiveTerm } from '@portolan/core';

/** What an instance is in an exclusive service; undefined, so that no answer holds it, elsewhere. */
export function toRoleJson(role: ExclusiveRole | undefined) {
  return role && { role: role.role, term: role.term, active: role.active ?? null };
}

/** Who is active, and since when. */
export function toTermJson(term: ExclusiveTerm) {
  return {
    term: term.term,
    active: term.active ?? null,
    since: term.sinceMs === undefined ? null : new Date(term.sinceMs).toISOString(),
    reason: term.reason ?? null,
  };
}
