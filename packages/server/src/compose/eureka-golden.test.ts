import { readdir, readFile } from 'node:fs/promises';
import { createEurekaAdapter } from '@portolan/adapters/eureka';
import { playGoldenFile } from '@portolan/testing';
import { expect, it } from 'vitest';
import { createDialectApi } from './test-eureka/dialect-api.ts';

const FOLDER = new URL('../../../adapters/src/protocols/eureka/golden/', import.meta.url);
const files = (await readdir(FOLDER)).filter((name) => name.endsWith('.http')).sort();
const create = () => createDialectApi((parts) => createEurekaAdapter({}, parts));

const succeeded = new Set<string>();

it.each(files)('Eureka’s REST answers as %s says', async (file) => {
  const api = await create();
  await playGoldenFile(await readFile(new URL(file, FOLDER), 'utf8'), api.golden);
  expect(api.faults).toEqual([]);
  for (const route of api.succeeded) succeeded.add(route);
  await api.close();
  expect(api.clock.pending).toBe(0);
});

it('every call of Eureka’s REST succeeds in some golden file', async () => {
  const api = await create();
  // The same operations stand below three bases, with and without a slash at the end.
  const plain = (route: string) =>
    route.replace(/ (?:\/eureka\/v2|\/v2|\/eureka)\//, ' /').replace(/\/$/, '');
  const routes = new Set(api.adapter.routes.map(({ method, path }) => plain(`${method} ${path}`)));
  await api.close();
  const seen = new Set([...succeeded].map(plain));
  expect([...routes].filter((route) => !seen.has(route))).toEqual([]);
});
