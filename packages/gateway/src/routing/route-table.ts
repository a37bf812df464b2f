import type { RouteMatch, StoredRoute } from '@portolan/core';
import type { TableEntry } from './passed-over.ts';
import { PriorityIndex } from './path-index.ts';
import {
  type CompiledMatch,
  compileConditions,
  compilePath,
  type RouteQuery,
} from './route-match.ts';

/** An immutable routing table; a change makes a new one, which is put in place in one assignment. */
export interface RouteTable<R> {
  /**
   * The most specific route that matches wholly. Host before priority before path before conditions: exact host, then the
   * longest wildcard, then any host; a higher priority; exact path, then patterns, then the longest prefix; then conditions as
   * `compareMatches` orders them. What fails a condition falls through to the next.
   */
  find(query: RouteQuery): CompiledMatch<R> | undefined;
  /** Every route in the table once. */
  readonly routes: readonly R[];
  /** Every match at every host, in no order: for explanations. */
  readonly entries: readonly TableEntry<R>[];
}

const EVERYTHING: RouteMatch = {};
/** Host names remembered with their candidates; forgotten all at once when full, so that strangers cannot fill memory. */
const HOST_MEMO_LIMIT = 1_024;

/**
 * Compiles the table: `compile` turns a stored route into what the caller wants to get back. A route that cannot be compiled
 * (it was stored by another version) is told to `onBroken` and left out.
 */
export function createRouteTable<R>(
  stored: readonly StoredRoute[],
  compile: (route: StoredRoute) => R,
  onBroken?: (route: StoredRoute, error: RangeError) => void,
): RouteTable<R> {
  const exactHosts = new Map<string, PriorityIndex<R>>();
  const wildcardHosts = new Map<string, PriorityIndex<R>>();
  const anyHost = new PriorityIndex<R>();
  const routes: R[] = [];
  const entries: TableEntry<R>[] = [];
  for (const route of stored) {
    try {
      addRoute(route);
    } catch (error) {
      if (!(error instanceof RangeError) || !onBroken) throw error;
      onBroken(route, error);
    }
  }
  for (const host of [...exactHosts.values(), ...wildcardHosts.values(), anyHost]) host.sort();
  const memo = new Map<string, readonly PriorityIndex<R>[]>();

  function addRoute(route: StoredRoute): void {
    const matches = route.matches.length > 0 ? route.matches : [EVERYTHING];
    const parts = matches.map((match) => ({
      path: compilePath(match),
      ...compileConditions(match),
      age: route.createRevision,
      name: `${route.namespace}/${route.name}`,
    }));
    const compiled = compile(route);
    routes.push(compiled);
    const { priority = 0 } = route;
    const hosts = route.hosts.length === 0 ? ['*'] : route.hosts.map((host) => host.toLowerCase());
    for (const part of parts) {
      const match = { ...part, route: compiled };
      for (const host of hosts) {
        entries.push({ host, priority, match });
        targetOf(host).add(priority, match);
      }
    }
  }

  function targetOf(host: string): PriorityIndex<R> {
    if (host === '*') return anyHost;
    const isWildcard = host.startsWith('*.');
    const map = isWildcard ? wildcardHosts : exactHosts;
    const key = isWildcard ? host.slice(2) : host;
    let entry = map.get(key);
    if (!entry) {
      entry = new PriorityIndex<R>();
      map.set(key, entry);
    }
    return entry;
  }

  function candidates(host: string): readonly PriorityIndex<R>[] {
    const known = memo.get(host);
    if (known) return known;
    const found: PriorityIndex<R>[] = [];
    const exact = exactHosts.get(host);
    if (exact) found.push(exact);
    if (wildcardHosts.size > 0) {
      for (let dot = host.indexOf('.'); dot >= 0; dot = host.indexOf('.', dot + 1)) {
        const wildcard = wildcardHosts.get(host.slice(dot + 1));
        if (wildcard) found.push(wildcard);
      }
    }
    found.push(anyHost);
    if (memo.size >= HOST_MEMO_LIMIT) memo.clear();
    memo.set(host, found);
    return found;
  }

  return {
    routes,
    entries,
    find(query) {
      const hosts = candidates(query.host);
      for (let at = 0; at < hosts.length; at++) {
        const match = (hosts[at] as PriorityIndex<R>).find(query);
        if (match) return match;
      }
      return undefined;
    },
  };
}
