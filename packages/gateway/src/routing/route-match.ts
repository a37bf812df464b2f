import type { RouteMatch } from '@portolan/core';

/** What a route can look at; the header is read only when a condition asks for it. */
export interface RouteQuery {
  /** Lower case, without port; empty when there is none. */
  readonly host: string;
  /** Canonical path, without query. */
  readonly path: string;
  readonly method: string;
  /** First value of a field by its lower-case name. */
  header(name: string): string | undefined;
}

/** One match of one route, ready to be tried and ordered. */
export interface CompiledMatch<R> {
  readonly route: R;
  /** What `rewritePrefix` replaces: the exact path or the prefix without trailing slash ('' for `/`). */
  readonly matchedPath: string;
  readonly methods: ReadonlySet<string> | undefined;
  /** Flat pairs: name, value. */
  readonly headers: readonly string[];
  /** Older routes win ties. */
  readonly age: number;
  readonly name: string;
}

/** Whether method and header conditions hold; host and path were found by lookup. */
export function meetsConditions<R>(match: CompiledMatch<R>, query: RouteQuery): boolean {
  if (match.methods && !match.methods.has(query.method)) return false;
  const { headers } = match;
  for (let at = 0; at < headers.length; at += 2) {
    if (query.header(headers[at] as string) !== headers[at + 1]) return false;
  }
  return true;
}

/** Order among matches of equal host and path: as the Kubernetes Gateway API's. */
export function compareMatches<R>(a: CompiledMatch<R>, b: CompiledMatch<R>): number {
  if ((a.methods !== undefined) !== (b.methods !== undefined)) return a.methods ? -1 : 1;
  if (a.headers.length !== b.headers.length) return b.headers.length - a.headers.length;
  if (a.age !== b.age) return a.age - b.age;
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/** The lookup key of a match's path. */
export function pathKeyOf(match: RouteMatch): {
  readonly kind: 'exact' | 'prefix';
  readonly key: string;
} {
  const path = match.path;
  if (path === undefined) return { kind: 'prefix', key: '' };
  if ('exact' in path) return { kind: 'exact', key: path.exact };
  if ('prefix' in path) return { kind: 'prefix', key: path.prefix.replace(/\/+$/, '') };
  throw new RangeError('paths by text or pattern are not matched yet');
}
