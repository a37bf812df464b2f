import { readdir, readFile } from 'node:fs/promises';
import { createNacosAdapter, createNacosParts } from '@portolan/adapters/nacos';
import { playGoldenFile } from '@portolan/testing';
import { expect, it } from 'vitest';
import { createDialectApi } from './test-eureka/dialect-api.ts';

const FOLDER = new URL('../../../adapters/src/protocols/nacos/golden/', import.meta.url);
const files = (await readdir(FOLDER)).filter((name) => name.endsWith('.http')).sort();
const USERS = new Map([['nacos', 'correct horse']]);
// Only the file about users needs any.
const create = (file = '') =>
  createDialectApi((parts) =>
    createNacosAdapter(createNacosParts(file.startsWith('users') ? { users: USERS } : {}, parts)),
  );

const succeeded = new Set<string>();

it.each(files)('Nacos’ HTTP API answers as %s says', async (file) => {
  const api = await create(file);
  await playGoldenFile(await readFile(new URL(file, FOLDER), 'utf8'), api.golden);
  expect(api.faults).toEqual([]);
  for (const route of api.succeeded) succeeded.add(route);
  await api.close();
  expect(api.clock.pending).toBe(0);
});

it('every call of Nacos’ HTTP API succeeds in some golden file, but for those about configuration', async () => {
  const api = await create();
  const routes = api.adapter.routes.map(({ method, path }) => `${method} ${path}`);
  await api.close();
  const missed = routes.filter((route) => !succeeded.has(route) && !route.includes('/cs/'));
  expect(missed).toEqual([]);
});
