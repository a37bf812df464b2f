import type { RoutePassedOver } from '@portolan/core';
import {
  type CompiledMatch,
  type CompiledPath,
  compareMatches,
  type RouteQuery,
} from './route-match.ts';

/** A match in the table, with what orders it before its path does. */
export interface TableEntry<R> {
  /** Lower case; `*` for any host. */
  readonly host: string;
  readonly priority: number;
  readonly match: CompiledMatch<R>;
}

/**
 * The matches that do not hold for a request, with the first condition that fails: those whose path holds and that were tried
 * before `found`, in their order; then those of other paths; and when nothing was found, those of other hosts.
 */
export function passedOver<R>(
  entries: readonly TableEntry<R>[],
  query: RouteQuery,
  found: CompiledMatch<R> | undefined,
): RoutePassedOver[] {
  const tried: (readonly [TableEntry<R>, string])[] = [];
  const elsewhere: RoutePassedOver[] = [];
  const own = entries.filter(({ host }) => hostRank(host, query.host) >= 0);
  const winner = own
    .filter(({ match }) => match === found)
    .sort((a, b) => comparePlaces(a, b, query.host))[0];
  for (const entry of entries) {
    const { match } = entry;
    const failed = firstFailure(entry, query);
    if (failed === undefined) continue;
    if (failed === 'host') {
      if (!found) elsewhere.push(describe(match, failed));
    } else if (failed === 'path') elsewhere.push(describe(match, failed));
    else if (!winner || comparePlaces(entry, winner, query.host) < 0) tried.push([entry, failed]);
  }
  tried.sort(([a], [b]) => comparePlaces(a, b, query.host));
  return [...tried.map(([{ match }, failed]) => describe(match, failed)), ...elsewhere];
}

/** `prefix /api`, `regex /v[0-9]+/.*`. */
export function describePath({ kind, text, ignoreCase }: CompiledPath): string {
  return `${kind} ${text === '' ? '/' : text}${ignoreCase ? ' in any case' : ''}`;
}

function describe<R>(match: CompiledMatch<R>, failed: string): RoutePassedOver {
  return { route: match.name, path: describePath(match.path), failed };
}

function firstFailure<R>({ host, match }: TableEntry<R>, query: RouteQuery): string | undefined {
  if (hostRank(host, query.host) < 0) return 'host';
  if (!holdsFor(match.path, query.path)) return 'path';
  return match.conditions.find((condition) => !condition.holds(query))?.subject;
}

function holdsFor({ kind, text, ignoreCase, pattern }: CompiledPath, asked: string): boolean {
  if (pattern) return pattern(asked);
  const path = ignoreCase ? asked.toLowerCase() : asked;
  if (kind === 'exact') return path === text;
  if (!path.startsWith(text)) return false;
  return kind === 'startsWith' || path.length === text.length || path[text.length] === '/';
}

function hostRank(pattern: string, host: string): number {
  if (pattern === '*') return 0;
  if (!pattern.startsWith('*.')) return pattern === host ? Number.POSITIVE_INFINITY : -1;
  return host.endsWith(pattern.slice(1)) ? pattern.length : -1;
}

/** Below 0 when `a` is tried first. */
function comparePlaces<R>(a: TableEntry<R>, b: TableEntry<R>, host: string): number {
  const byHost = hostRank(b.host, host) - hostRank(a.host, host);
  // Of two infinities the difference is no number.
  if (byHost !== 0 && !Number.isNaN(byHost)) return byHost;
  if (a.priority !== b.priority) return b.priority - a.priority;
  const left = pathRank(a.match.path);
  const right = pathRank(b.match.path);
  for (const [at, rank] of left.entries()) {
    const other = right[at] ?? 0;
    if (rank !== other) return other - rank;
  }
  return compareMatches(a.match, b.match);
}

/** Exact, then patterns, then beginnings; the longer first, and of equal length the one that ends at a segment. */
function pathRank({ kind, text, ignoreCase }: CompiledPath): readonly number[] {
  const own = ignoreCase ? 0 : 1;
  if (kind === 'exact') return [2, 0, own];
  if (kind === 'regex') return [1, text.length, 0];
  return [0, text.length, kind === 'prefix' ? own : 0];
}
