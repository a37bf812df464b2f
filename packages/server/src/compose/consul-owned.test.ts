import { expect, it } from 'vitest';
import { createConsulApi } from './test-consul/consul-api.ts';

it('a check of what a provider keeps registered leaves it the provider’s, and out of rotation', async () => {
  const api = await createConsulApi();
  const { registry } = api.native;
  const condition = { state: 'paused', reason: 'the container is paused' } as const;
  await registry.register(
    {
      service: { namespace: 'default', group: 'default', name: 'web' },
      id: 'web-1',
      address: '10.0.0.1',
      port: 80,
      lease: 'none',
      owner: 'docker',
      condition,
    },
    { trusted: true },
  );
  const ref = { namespace: 'default', id: 'web-1' };
  const kept = { owner: 'docker', condition, routable: false };

  const check = { ID: 'word', Name: 'word', ServiceID: 'web-1', TTL: '10s', Status: 'passing' };
  expect((await api.put('/v1/agent/check/register', check)).status).toBe(200);
  expect(registry.instance(ref)).toMatchObject({ ...kept, checks: [{ id: 'consul:word' }] });

  expect((await api.put('/v1/agent/check/deregister/word')).status).toBe(200);
  expect(registry.instance(ref)).toMatchObject({ ...kept, checks: [] });

  expect(api.faults).toEqual([]);
  await api.close();
});
