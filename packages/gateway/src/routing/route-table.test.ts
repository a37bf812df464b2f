import type { FieldMatch, RouteMatch, StoredRoute } from '@portolan/core';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RouteQuery } from './route-match.ts';
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
  over: Asked = {},
): string | undefined {
  return createRouteTable(routes, (route) => route.name).find(aQuery(host, path, over))?.route;
}

interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly parameters?: Readonly<Record<string, string>>;
  readonly clientIp?: string;
  readonly secure?: boolean;
}

function aQuery(host: string, path: string, over: Asked = {}): RouteQuery {
  return {
    host,
    path,
    method: over.method ?? 'GET',
    secure: over.secure ?? false,
    clientIp: over.clientIp ?? '192.0.2.1',
    header: (name) => over.headers?.[name],
    queryParameter: (name) => over.parameters?.[name],
  };
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
            path.map((p) => ({ startsWith: p })),
            path.map((p) => ({ regex: `${p}.*` })),
          ),
          ignorePathCase: fc.boolean(),
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

  it('tries a higher priority first, however specific the others are, but never across hosts', () => {
    const routes = [
      aRoute({ name: 'exact', hosts: ['h'], matches: exact('/a') }),
      aRoute({ name: 'first', hosts: ['h'], priority: 2, matches: prefix('/a') }),
      aRoute({ name: 'second', hosts: ['h'], priority: 1 }),
      aRoute({ name: 'any', priority: 9 }),
    ];
    expect(find(routes, 'h', '/a')).toBe('first');
    expect(find(routes, 'h', '/b')).toBe('second');
    expect(find(routes, 'other', '/a')).toBe('any');
  });

  it('compares fields exactly, by beginning, by a pattern over the whole value, and by being there', () => {
    const on = (field: FieldMatch): string | undefined =>
      find([aRoute({ name: 'yes', matches: [{ headers: { 'X-User': field } }] })], 'h', '/', {
        headers: { 'x-user': 'jason' },
      });
    expect(on({ exact: 'jason' })).toBe('yes');
    expect(on({ exact: 'jas' })).toBeUndefined();
    expect(on({ prefix: 'jas' })).toBe('yes');
    expect(on({ regex: 'j.s[o]n' })).toBe('yes');
    expect(on({ regex: 'j' })).toBeUndefined();
    expect(on({ present: true })).toBe('yes');
    expect(on({ present: false })).toBeUndefined();
    const absent = aRoute({ name: 'none', matches: [{ headers: { a: { present: false } } }] });
    expect(find([absent], 'h', '/')).toBe('none');
  });

  it('passes over a route whose query, source, scheme or absent header is not there', () => {
    const routes = [
      aRoute({ name: 'query', matches: [{ query: { v: { exact: '2' } } }] }),
      aRoute({ name: 'source', matches: [{ sources: ['10.0.0.0/8', '2001:db8::/32'] }] }),
      aRoute({ name: 'secure', matches: [{ scheme: 'https' }] }),
      aRoute({ name: 'not-a-bot', matches: [{ withoutHeaders: { bot: { present: true } } }] }),
      aRoute({ name: 'rest' }),
    ];
    const bot = { headers: { bot: '1' } };
    expect(find(routes, 'h', '/', { ...bot, parameters: { v: '2' } })).toBe('query');
    expect(find(routes, 'h', '/', { ...bot, clientIp: '10.1.2.3' })).toBe('source');
    expect(find(routes, 'h', '/', { ...bot, clientIp: '2001:db8::9' })).toBe('source');
    expect(find(routes, 'h', '/', { ...bot, secure: true })).toBe('secure');
    expect(find(routes, 'h', '/')).toBe('not-a-bot');
    expect(find(routes, 'h', '/', bot)).toBe('rest');
  });

  it('runs a pattern in linear time', () => {
    const routes = [aRoute({ name: 'evil', matches: [{ path: { regex: '/(a+)+b' } }] })];
    // A backtracking engine would not come back from this one.
    expect(find(routes, 'h', `/${'a'.repeat(5_000)}`)).toBeUndefined();
  });

  it('leaves a route out that cannot be read, and keeps the others', () => {
    const broken: string[] = [];
    const table = createRouteTable(
      [
        aRoute({ name: 'bad', matches: [{ path: { prefix: '/' } }, { path: { regex: '(' } }] }),
        aRoute({ name: 'good' }),
      ],
      (route) => route.name,
      (route) => broken.push(route.name),
    );
    expect(broken).toEqual(['bad']);
    expect(table.routes).toEqual(['good']);
    expect(table.find(aQuery('h', '/'))?.route).toBe('good');
  });

  it('answers as fast with a thousand routes as with one, and whatever the length of the path', () => {
    const many = Array.from({ length: 1_000 }, (_, at) =>
      aRoute({ name: `r${at}`, hosts: [`h${at}.example`], matches: prefix(`/p${at}`) }),
    );
    const table = createRouteTable(many, (route) => route.name);
    let asked = 0;
    const query: RouteQuery = {
      ...aQuery('h999.example', `/p999${'/x'.repeat(4_000)}`),
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
    const matches: readonly RouteMatch[] =
      route.matches.length > 0 ? route.matches : [{ path: { prefix: '/' } }];
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

/** The documented order, said plainly: exact, then patterns, then the longest beginning, at equal length the prefix. */
function rankPath(match: RouteMatch, asked: string): number {
  if (!match.path) return 0;
  const fold = (text: string): string => (match.ignorePathCase ? text.toLowerCase() : text);
  const path = fold(asked);
  if ('exact' in match.path) {
    if (fold(match.path.exact) !== path) return -1;
    return match.ignorePathCase ? 10_000 : 10_001;
  }
  if ('regex' in match.path) {
    const pattern = new RegExp(`^(?:${match.path.regex})$`, match.ignorePathCase ? 'i' : '');
    return pattern.test(asked) ? 1_000 + match.path.regex.length : -1;
  }
  if ('startsWith' in match.path) {
    const text = fold(match.path.startsWith);
    return path.startsWith(text) ? 2 * text.length : -1;
  }
  const bare = match.path.prefix === '/' ? '' : fold(match.path.prefix);
  if (path !== bare && !path.startsWith(`${bare}/`)) return -1;
  return 2 * bare.length + (match.ignorePathCase && bare !== '' ? 0 : 1);
}

function isGreater(a: readonly number[], b: readonly number[]): boolean {
  for (const [at, value] of a.entries()) {
    if (value !== b[at]) return value > (b[at] ?? 0);
  }
  return false;
}
