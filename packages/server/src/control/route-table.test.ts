import type { HttpProtocolAdapter, HttpRoute } from '@portolan/core';
import { expect, it } from 'vitest';
import { createRouteTable } from './route-table.ts';

function anAdapter(
  name: string,
  prefixes: readonly string[],
  routes: readonly `${HttpRoute['method']} ${string}`[],
): HttpProtocolAdapter {
  return {
    transport: 'http',
    name,
    prefixes,
    routes: routes.map((line) => {
      const [method, path = ''] = line.split(' ') as [HttpRoute['method'], string];
      return { method, path, handle: () => ({ status: 200, headers: {}, body: line }) };
    }),
    renderError: () => ({ status: 500, headers: {} }),
  };
}

const table = createRouteTable([
  anAdapter('system', ['/'], ['GET /', 'GET /readyz']),
  anAdapter(
    'rest',
    ['/api/v1', '/register'],
    ['GET /api/v1/instances/:id', 'DELETE /api/v1/instances/:id', 'POST /register'],
  ),
  anAdapter('nested', ['/api/v1/nested'], ['GET /api/v1/nested/*']),
]);

it('finds a route with its parameters, decoded', () => {
  const found = table.resolve('GET', '/api/v1/instances/a%2Fb');
  expect(found).toMatchObject({ kind: 'route', params: { id: 'a/b' }, adapter: { name: 'rest' } });
});

it('gives a path to the adapter with the longest prefix, and to no other', () => {
  expect(table.resolve('GET', '/api/v1/nested/x')).toMatchObject({ adapter: { name: 'nested' } });
  expect(table.resolve('GET', '/api/v1/nested')).toMatchObject({
    kind: 'no-path',
    adapter: { name: 'nested' },
  });
});

it('does not take a longer word for a prefix', () => {
  expect(table.resolve('GET', '/api/v10')).toMatchObject({
    kind: 'no-path',
    adapter: { name: 'system' },
  });
});

it('answers HEAD by the GET route', () => {
  expect(table.resolve('HEAD', '/readyz')).toMatchObject({
    kind: 'route',
    route: { method: 'GET' },
  });
});

it('says which methods a path takes', () => {
  expect(table.resolve('PATCH', '/api/v1/instances/a')).toMatchObject({
    kind: 'no-method',
    allow: 'GET, DELETE, HEAD',
  });
  expect(table.resolve('BREW', '/register')).toMatchObject({ kind: 'no-method', allow: 'POST' });
});

it('refuses two adapters for the same prefix', () => {
  expect(() => createRouteTable([anAdapter('a', ['/x'], []), anAdapter('b', ['/x'], [])])).toThrow(
    'a and b both answer for /x',
  );
});

it('finds nothing at a path that cannot be decoded', () => {
  expect(table.resolve('GET', '/api/v1/instances/%E0%A4%A')).toMatchObject({ kind: 'no-path' });
});
