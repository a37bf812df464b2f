import type { RouteMatch, StoredRoute } from '@portolan/core';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRouteTable } from './route-table.ts';

function aRoute(over: Partial<StoredRoute> & { readonly name: string }): StoredRoute {
  return {
    namespace: 'default',
    hosts: [],
    matches: [],
    destinations: [],
    createRevision: 1,
    modifyRevision: 1,
    ...over,
  };
}

function find(
  routes: readonly StoredRoute[],
  host: string,
  path: string,
  over: { method?: string; headers?: Record<string, string> } = {},
): string | undefined {
  const table = createRouteTable(routes, (route) => route.name);
  const headers = over.headers ?? {};
  return table.find({ host, path, method: over.method ?? 'GET', header: (name) => headers[name] })
    ?.route;
}

const prefix = (value: string): readonly RouteMatch[] => [{ path: { prefix: value } }];
const exact = (value: string): readonly RouteMatch[] => [{ path: { exact: value } }];

describe('the routing table', () => {
  it('matches a prefix at segment boundaries only', () => {
    const routes = [aRoute({ name: 'api', matches: prefix('/api') })];
    expect(find(routes, 'a', '/api')).toBe('api');
    expect(find(routes, 'a', '/api/')).toBe('api');
    expect(find(routes, 'a', '/api/x')).toBe('api');
    expect(find(routes, 'a', '/apix')).toBeUndefined();
    expect(find(routes, 'a', '/ap')).toBeUndefined();
  });

  it('takes a prefix with a trailing slash for the same prefix', () => {
    const routes = [aRoute({ name: 'api', matches: prefix('/api/') })];
    expect(find(routes, 'a', '/api')).toBe('api');
    expect(find(routes, 'a', '/api/x')).toBe('api');
  });

  it('prefers exact hosts to the longest wildcard to any host', () => {
    const routes = [
      aRoute({ name: 'any' }),
      aRoute({ name: 'wide', hosts: ['*.com'] }),
      aRoute({ name: 'narrow', hosts: ['*.b.com'] }),
      aRoute({ name: 'exact', hosts: ['a.b.com'] }),
    ];
    expect(find(routes, 'a.b.com', '/')).toBe('exact');
    expect(find(routes, 'x.b.com', '/')).toBe('narrow');
    expect(find(routes, 'x.y.b.com', '/')).toBe('narrow');
    expect(find(routes, 'b.com', '/')).toBe('wide');
    expect(find(routes, 'com', '/')).toBe('any');
  });

  it('prefers an exact path to the longest prefix', () => {
    const routes = [
      aRoute({ name: 'root', matches: prefix('/') }),
      aRoute({ name: 'a', matches: prefix('/a') }),
      aRoute({ name: 'ab', matches: prefix('/a/b') }),
      aRoute({ name: 'exact', matches: exact('/a/b') }),
    ];
    expect(find(routes, 'h', '/a/b')).toBe('exact');
    expect(find(routes, 'h', '/a/b/c')).toBe('ab');
    expect(find(routes, 'h', '/a/c')).toBe('a');
    expect(find(routes, 'h', '/')).toBe('root');
  });

  it('falls through to a less specific route when a condition does not hold', () => {
    const routes = [
      aRoute({
        name: 'canary',
        hosts: ['h'],
        matches: [{ path: { prefix: '/a' }, headers: { 'X-User': { exact: 'me' } } }],
      }),
      aRoute({
        name: 'post',
        hosts: ['h'],
        matches: [{ path: { prefix: '/a' }, methods: ['POST'] }],
      }),
      aRoute({ name: 'rest' }),
    ];
    expect(find(routes, 'h', '/a', { headers: { 'x-user': 'me' } })).toBe('canary');
    expect(find(routes, 'h', '/a', { method: 'POST', headers: { 'x-user': 'me' } })).toBe('post');
    expect(find(routes, 'h', '/a')).toBe('rest');
    expect(find(routes, 'h', '/b')).toBe('rest');
  });

  it('gives ties to the older route, then to the smaller name', () => {
    expect(
      find(
        [aRoute({ name: 'young', createRevision: 9 }), aRoute({ name: 'old', createRevision: 2 })],
        'h',
        '/',
      ),
    ).toBe('old');
    expect(find([aRoute({ name: 'b' }), aRoute({ name: 'a' })], 'h', '/')).toBe('a');
  });

  it('agrees with trying every match in order of precedence', () => {
    const segment = fc.constantFrom('a', 'b', 'ab');
    const path = fc.array(segment, { maxLength: 3 }).map((parts) => `/${parts.join('/')}`);
    const host = fc
      .array(fc.constantFrom('x', 'y'), { minLength: 1, maxLength: 3 })
      .map((labels) => labels.join('.'));
    const route = fc.record({
      hosts: fc.array(
        fc.oneof(
          host,
          host.map((name) => `*.${name}`),
        ),
        { maxLength: 2 },
      ),
      matches: fc.array(
        fc.record({
          path: fc.oneof(
            path.map((p) => ({ exact: p })),
            path.map((p) => ({ prefix: p })),
          ),
        }),
        { maxLength: 2 },
      ),
    });
    void fc.assert(
      fc.property(fc.array(route, { maxLength: 8 }), host, path, (drafts, askedHost, askedPath) => {
        const routes = drafts.map((draft, at) =>
          aRoute({ name: `r${at}`, createRevision: at + 1, ...draft }),
        );
        expect(find(routes, askedHost, askedPath)).toBe(naiveFind(routes, askedHost, askedPath));
      }),
      { numRuns: 500 },
    );
  });

  it('answers as fast with a thousand routes as with one, and whatever the length of the path', () => {
    const many = Array.from({ length: 1_000 }, (_, at) =>
      aRoute({ name: `r${at}`, hosts: [`h${at}.example`], matches: prefix(`/p${at}`) }),
    );
    const table = createRouteTable(many, (route) => route.name);
    let asked = 0;
    const query = {
      host: 'h999.example',
      path: `/p999${'/x'.repeat(4_000)}`,
      method: 'GET',
      header: () => {
        asked++;
        return undefined;
      },
    };
    for (let turn = 0; turn < 100_000; turn++) table.find(query);
    expect(table.find(query)?.route).toBe('r999');
    expect(asked).toBe(0);
  });
});

function naiveFind(routes: readonly StoredRoute[], host: string, path: string): string | undefined {
  let best: { name: string; rank: readonly number[] } | undefined;
  for (const route of routes) {
    const hosts = route.hosts.length > 0 ? route.hosts : ['*'];
    const matches = route.matches.length > 0 ? route.matches : [{ path: { prefix: '/' } }];
    for (const pattern of hosts) {
      for (const match of matches) {
        const hostRank = rankHost(pattern, host);
        const pathRank = rankPath(match, path);
        if (hostRank < 0 || pathRank < 0) continue;
        const rank = [hostRank, pathRank, -route.createRevision];
        if (!best || isGreater(rank, best.rank)) best = { name: route.name, rank };
      }
    }
  }
  return best?.name;
}

function rankHost(pattern: string, host: string): number {
  if (pattern === '*') return 0;
  if (!pattern.startsWith('*.')) return pattern === host ? 1_000 : -1;
  return host.endsWith(pattern.slice(1)) ? pattern.length : -1;
}

function rankPath(match: RouteMatch, path: string): number {
  if (!match.path) return 0;
  if ('exact' in match.path) return match.path.exact === path ? 1_000 : -1;
  if (!('prefix' in match.path)) return -1;
  const bare = match.path.prefix === '/' ? '' : match.path.prefix;
  return path === bare || path.startsWith(`${bare}/`) ? bare.length : -1;
}

function isGreater(a: readonly number[], b: readonly number[]): boolean {
  for (const [at, value] of a.entries()) {
    if (value !== b[at]) return value > (b[at] ?? 0);
  }
  return false;
}
