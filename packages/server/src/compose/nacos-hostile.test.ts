import { createNacosAdapter, createNacosParts } from '@portolan/adapters/nacos';
import { settle } from '@portolan/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { wholeBody } from './test-control/control-caller.ts';
import { createDialectApi } from './test-eureka/dialect-api.ts';
import { hostileCall } from './test-eureka/hostile-input.ts';

const FIELDS = [
  ...['serviceName', 'groupName', 'namespaceId', 'ip', 'port', 'weight', 'enabled', 'healthy'],
  ...['ephemeral', 'clusterName', 'cluster', 'clusters', 'metadata', 'beat', 'healthyOnly'],
  ...['udpPort', 'clientIP', 'pageNo', 'pageSize', 'protectThreshold', 'instances', 'heartBeat'],
  ...['accessToken', 'username', 'password', 'onlyStatus'],
];
const VALUES = ['web', 'g@@web', '10.0.0.1', 80, 1, true, 'DEFAULT', '{"a":"b"}', 'a=b', '0.5'];

/** Parameters that are whole but for one. */
const nearly = fc
  .record({
    field: fc.constantFrom(...FIELDS),
    value: fc.oneof(
      fc.constantFrom(...VALUES.map(String)),
      fc.json({ maxDepth: 2 }),
      fc.string({ unit: 'binary', maxLength: 20 }),
    ),
  })
  .map(({ field, value }) =>
    new URLSearchParams({
      ...{ serviceName: 'web', ip: '10.0.0.1', port: '80' },
      [field]: value.toWellFormed(),
    }).toString(),
  );

it('no request makes Nacos’ HTTP API throw, refusals are Nacos’ own, and what is refused changes nothing', async () => {
  const api = await createDialectApi((parts) => createNacosAdapter(createNacosParts({}, parts)));
  const target = '/nacos/v1/ns/instance?serviceName=web&ip=10.0.0.1&port=80';
  await api.call({ method: 'POST', target });
  let refused = 0;
  let taken = 0;
  const calls = hostileCall(api.adapter, {
    fields: FIELDS,
    values: VALUES,
    bodies: nearly,
    contentTypes: ['application/x-www-form-urlencoded', 'application/json', ''],
  });
  await fc.assert(
    fc.asyncProperty(calls, async (call) => {
      const before = api.registry.revision;
      const abort = new AbortController();
      const pending = api.call({ ...call, signal: abort.signal });
      await settle();
      // Whoever waits for a configuration goes away.
      abort.abort();
      const reply = await pending;
      const text = await wholeBody(reply);
      expect(api.faults).toEqual([]);
      // 501: what there is none of here, configuration, is said to be so.
      expect(reply.status < 500 || reply.status === 501).toBe(true);
      if (reply.status < 400) {
        taken++;
        return;
      }
      refused++;
      expect(text.length).toBeLessThan(4_096);
      const [path = ''] = call.target.split('?');
      if (/^\/nacos\/v[23]\//.test(path)) {
        expect(JSON.parse(text)).toMatchObject({
          code: expect.any(Number),
          message: expect.any(String),
        });
      } else expect(reply.headers['content-type']).toBe('text/plain;charset=UTF-8');
      expect(api.registry.revision).toBe(before);
    }),
    { numRuns: 2_000 },
  );
  // Both sides of the door were tried.
  expect(refused).toBeGreaterThan(300);
  expect(taken).toBeGreaterThan(100);
  await api.close();
  expect(api.clock.pending).toBe(0);
});

it('who listens for a configuration waits as long as it wants, and no longer when it goes', async () => {
  const api = await createDialectApi((parts) => createNacosAdapter(createNacosParts({}, parts)));
  const listen = (signal: AbortSignal) =>
    api.call({
      method: 'POST',
      target: '/nacos/v1/cs/configs/listener',
      headers: { 'long-pulling-timeout': '30000' },
      signal,
    });
  let answered = false;
  const patient = listen(new AbortController().signal).then((reply) => {
    answered = true;
    return reply;
  });
  const leaving = new AbortController();
  const impatient = listen(leaving.signal);
  await api.clock.advance(29_000);
  expect(answered).toBe(false);
  leaving.abort();
  expect((await impatient).status).toBe(200);
  await api.clock.advance(600);
  expect(await wholeBody(await patient)).toBe('');
  await api.close();
  expect(api.clock.pending).toBe(0);
});
