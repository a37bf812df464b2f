import { readdir, readFile } from 'node:fs/promises';
import { playGoldenFile } from '@portolan/testing';
import { expect, it } from 'vitest';
import { createConsulApi } from './test-consul/consul-api.ts';

const FOLDER = new URL('../../../adapters/src/protocols/consul/golden/', import.meta.url);
const files = (await readdir(FOLDER)).filter((name) => name.endsWith('.http')).sort();

const succeeded = new Set<string>();

it.each(files)('the Consul dialect answers as %s says', async (file) => {
  const api = await createConsulApi();
  await playGoldenFile(await readFile(new URL(file, FOLDER), 'utf8'), api.golden);
  expect(api.faults).toEqual([]);
  for (const route of api.succeeded) succeeded.add(route);
  await api.close();
  expect(api.native.clock.pending).toBe(0);
});

it('every endpoint of the Consul dialect succeeds in some golden file, but for those that only refuse', async () => {
  const api = await createConsulApi();
  const routes = api.adapter.routes.map((route) => `${route.method} ${route.path}`);
  const refusing: string[] = [];
  for (const route of api.adapter.routes) {
    if (succeeded.has(`${route.method} ${route.path}`)) continue;
    const target = route.path.replace('/*', '/x');
    const { status } = await api.call({ method: route.method, target });
    if (status === 403 || target === '/v1/kv/x') refusing.push(`${route.method} ${route.path}`);
  }
  await api.close();
  expect(routes.filter((route) => !succeeded.has(route) && !refusing.includes(route))).toEqual([]);
});
