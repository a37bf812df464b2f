import { expect, it } from 'vitest';
import { createConsulApi } from './test-consul/consul-api.ts';

it('smoke', async () => {
  const api = await createConsulApi();
  const r = await api.put('/v1/agent/service/register', {
    ID: 'redis1',
    Name: 'redis',
    Tags: ['primary', 'v1'],
    Address: '10.0.0.5',
    Port: 8000,
    Meta: { redis_version: '4.0' },
    Weights: { Passing: 10, Warning: 1 },
    Check: { TTL: '15s' },
  });
  console.log(r.status, r.text);
  for (const t of [
    'health/service/redis',
    'catalog/services',
    'catalog/service/redis',
    'catalog/nodes',
    'catalog/node/10.0.0.5',
    'agent/services',
    'agent/checks',
    'agent/self',
    'health/state/any',
    'health/service/redis?passing&pretty',
    'agent/service/redis1',
    'agent/health/service/id/redis1',
    'status/leader',
    'kv/foo',
    'nope',
    'session/list',
    'health/service/redis?filter=Checks.Status%20==%20critical',
    'health/service/redis?filter=Checks.Foo%20==%20critical',
    'health/service/redis?filter=Checks.Status%20=%20critical',
  ]) {
    const a = await api.get(`/v1/${t}`);
    console.log(t, a.status, JSON.stringify(a.headers), a.text);
  }
  console.log((await api.put('/v1/agent/check/pass/service:redis1?note=hi')).text);
  console.log((await api.get('/v1/health/service/redis?passing')).text);
  expect(api.faults).toEqual([]);
  await api.close();
  expect(api.native.clock.pending).toBe(0);
});
