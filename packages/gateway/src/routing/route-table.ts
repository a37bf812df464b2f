import type { RouteMatch, StoredRoute } from '@portolan/core';
import {
  type CompiledMatch,
  compareMatches,
  meetsConditions,
  pathKeyOf,
  type RouteQuery,
} from './route-match.ts';

/** The routes of one host pattern, by path. */
interface HostRoutes<R> {
  readonly exact: Map<string, CompiledMatch<R>[]>;
  /** By prefix without trailing slash. */
  readonly prefixes: Map<string, CompiledMatch<R>[]>;
  longestPrefix: number;
}

/** An immutable routing table; a change makes a new one, which is put in place in one assignment. */
export interface RouteTable<R> {
  /**
   * The most specific route that matches wholly. Host before path before conditions: exact host, then the longest
   * wildcard, then any host; exact path, then the longest prefix that ends at a segment; then a method condition, more
   * header conditions, the older route, the smaller name. What fails a condition falls through to the next.
   */
  find(query: RouteQuery): CompiledMatch<R> | undefined;
  /** Every route in the table once. */
  readonly routes: readonly R[];
}

const EVERYTHING: RouteMatch = {};
/** Host names remembered with their candidates; forgotten all at once when full, so that strangers cannot fill memory. */
const HOST_MEMO_LIMIT = 1_024;

/** Compiles the table: `compile` turns a stored route into what the caller wants to get back. */
export function createRouteTable<R>(
  stored: readonly StoredRoute[],
  compile: (route: StoredRoute) => R,
): RouteTable<R> {
  const exactHosts = new Map<string, HostRoutes<R>>();
  const wildcardHosts = new Map<string, HostRoutes<R>>();
  const anyHost = emptyHostRoutes<R>();
  const routes: R[] = [];
  for (const route of stored) {
    const compiled = compile(route);
    routes.push(compiled);
    const matches = route.matches.length > 0 ? route.matches : [EVERYTHING];
    for (const target of targetsOf(route.hosts)) {
      for (const match of matches) addMatch(target, route, match, compiled);
    }
  }
  for (const host of [...exactHosts.values(), ...wildcardHosts.values(), anyHost])
    sortMatches(host);
  const memo = new Map<string, readonly HostRoutes<R>[]>();

  function targetsOf(hosts: readonly string[]): HostRoutes<R>[] {
    if (hosts.length === 0) return [anyHost];
    return hosts.map((pattern) => {
      const host = pattern.toLowerCase();
      if (host === '*') return anyHost;
      const isWildcard = host.startsWith('*.');
      const map = isWildcard ? wildcardHosts : exactHosts;
      const key = isWildcard ? host.slice(2) : host;
      let entry = map.get(key);
      if (!entry) {
        entry = emptyHostRoutes<R>();
        map.set(key, entry);
      }
      return entry;
    });
  }

  function candidates(host: string): readonly HostRoutes<R>[] {
    const known = memo.get(host);
    if (known) return known;
    const found: HostRoutes<R>[] = [];
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
    find(query) {
      const hosts = candidates(query.host);
      for (let at = 0; at < hosts.length; at++) {
        const match = findPath(hosts[at] as HostRoutes<R>, query);
        if (match) return match;
      }
      return undefined;
    },
  };
}

function findPath<R>(host: HostRoutes<R>, query: RouteQuery): CompiledMatch<R> | undefined {
  const { path } = query;
  if (host.exact.size > 0) {
    const match = firstMeeting(host.exact.get(path), query);
    if (match) return match;
  }
  if (host.prefixes.size === 0) return undefined;
  // No stored prefix is longer than `longestPrefix`, so a long path costs no more than a short one.
  const { longestPrefix } = host;
  let end = path.length;
  if (end > longestPrefix) {
    end =
      path.charCodeAt(longestPrefix) === 47 ? longestPrefix : path.lastIndexOf('/', longestPrefix);
  }
  while (end > 0) {
    const match = firstMeeting(host.prefixes.get(path.slice(0, end)), query);
    if (match) return match;
    end = path.lastIndexOf('/', end - 1);
  }
  return firstMeeting(host.prefixes.get(''), query);
}

function firstMeeting<R>(
  matches: readonly CompiledMatch<R>[] | undefined,
  query: RouteQuery,
): CompiledMatch<R> | undefined {
  if (!matches) return undefined;
  for (let at = 0; at < matches.length; at++) {
    const match = matches[at] as CompiledMatch<R>;
    if (meetsConditions(match, query)) return match;
  }
  return undefined;
}

function addMatch<R>(
  host: HostRoutes<R>,
  route: StoredRoute,
  match: RouteMatch,
  compiled: R,
): void {
  const { kind, key } = pathKeyOf(match);
  const map = kind === 'exact' ? host.exact : host.prefixes;
  if (kind === 'prefix') host.longestPrefix = Math.max(host.longestPrefix, key.length);
  const entry: CompiledMatch<R> = {
    route: compiled,
    matchedPath: key,
    methods: match.methods && match.methods.length > 0 ? new Set(match.methods) : undefined,
    headers: Object.entries(match.headers ?? {}).flatMap(([name, value]) => [
      name.toLowerCase(),
      'exact' in value ? value.exact : '',
    ]),
    age: route.createRevision,
    name: `${route.namespace}/${route.name}`,
  };
  const list = map.get(key);
  if (list) list.push(entry);
  else map.set(key, [entry]);
}

function sortMatches<R>(host: HostRoutes<R>): void {
  for (const list of host.exact.values()) list.sort(compareMatches);
  for (const list of host.prefixes.values()) list.sort(compareMatches);
}

function emptyHostRoutes<R>(): HostRoutes<R> {
  return { exact: new Map(), prefixes: new Map(), longestPrefix: 0 };
}
