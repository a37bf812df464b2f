import { readdir, readFile } from 'node:fs/promises';
import { playGoldenFile } from '@portolan/testing';
import { expect, it } from 'vitest';
import { createNativeApi } from './test-rest/native-api.ts';

const FOLDER = new URL('../../../adapters/src/protocols/rest/golden/', import.meta.url);
const files = (await readdir(FOLDER)).filter((name) => name.endsWith('.http')).sort();

const succeeded = new Set<string>();

it.each(files)('the native API answers as %s says', async (file) => {
  const api = await createNativeApi();
  await playGoldenFile(await readFile(new URL(file, FOLDER), 'utf8'), api.golden);
  expect(api.faults).toEqual([]);
  for (const route of api.succeeded) succeeded.add(route);
  await api.close();
  expect(api.clock.pending).toBe(0);
});

it('every call of the native API succeeds in some golden file', async () => {
  const api = await createNativeApi();
  const routes = api.adapter.routes.map((route) => `${route.method} ${route.path}`);
  await api.close();
  // Neither a stream nor another protocol has a whole body to write down; they have tests of their own.
  expect(routes.filter((route) => !succeeded.has(route))).toEqual([
    'GET /api/v1/agent',
    'GET /api/v1/watch',
  ]);
});
