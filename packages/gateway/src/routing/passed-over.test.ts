import type { RouteMatch } from '@portolan/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aRoute } from '../test-rig/settable-catalogue.ts';
import { passedOver } from './passed-over.ts';
import type { RouteQuery } from './route-match.ts';
import { createRouteTable } from './route-table.ts';

const segment = fc.constantFrom('a', 'b', 'A');
const path = fc.array(segment, { maxLength: 2 }).map((parts) => `/${parts.join('/')}`);
const match: fc.Arbitrary<RouteMatch> = fc.record(
  {
    path: fc.oneof(
      path.map((exact) => ({ exact })),
      path.map((prefix) => ({ prefix })),
      path.map((startsWith) => ({ startsWith })),
      path.map((text) => ({ regex: `${text}.*` })),
    ),
    ignorePathCase: fc.boolean(),
    methods: fc.constantFrom(['GET'], ['POST']),
    scheme: fc.constantFrom('http' as const, 'https' as const),
  },
  { requiredKeys: [] },
);
const drafts = fc.array(
  fc.record({
    hosts: fc.subarray(['x.y', '*.y', '*', 'z']),
    matches: fc.array(match, { minLength: 1, maxLength: 2 }),
    priority: fc.constantFrom(0, 1),
  }),
  { maxLength: 8 },
);

const queryOf = (asked: string): RouteQuery => ({
  host: 'x.y',
  path: asked,
  method: 'GET',
  secure: false,
  clientIp: '192.0.2.1',
  header: () => undefined,
  queryParameter: () => undefined,
});

describe('the routes passed over', () => {
  it('are all those that do not hold when nothing was found, each for a reason, and never the one that was', () => {
    fc.assert(
      fc.property(drafts, path, (made, asked) => {
        const routes = made.map((draft, at) =>
          aRoute({ name: `r${at}`, createRevision: at + 1, ...draft }),
        );
        const table = createRouteTable(routes, (route) => route);
        const query = queryOf(asked);
        const found = table.find(query);
        const over = passedOver(table.entries, query, found);
        for (const { failed } of over)
          expect(['host', 'path', 'method', 'scheme']).toContain(failed);
        // All are told when nothing was found.
        const all = table.entries.length;
        if (!found) expect(over).toHaveLength(all);
        else expect(over.length).toBeLessThan(all);
        // Those of other paths are told as such whatever was found.
        const others = (told: typeof over) => told.filter(({ failed }) => failed === 'path').length;
        expect(others(over)).toBe(others(passedOver(table.entries, query, undefined)));
      }),
      { numRuns: 500 },
    );
  });

  it('come in the order in which they are tried', () => {
    const post = (name: string, hosts: string[], prefix: string, priority = 0) =>
      aRoute({ name, hosts, priority, matches: [{ path: { prefix }, methods: ['POST'] }] });
    const routes = [
      post('any', [], '/'),
      post('short', ['x.y'], '/a'),
      post('long', ['x.y'], '/a/b'),
      post('first', ['x.y'], '/', 5),
      post('wild', ['*.y'], '/a/b'),
    ];
    const table = createRouteTable(routes, (route) => route.name);
    const over = passedOver(table.entries, queryOf('/a/b'), undefined);
    expect(over.map(({ route }) => route.split('/')[1])).toEqual([
      'first',
      'long',
      'short',
      'wild',
      'any',
    ]);
  });
});
