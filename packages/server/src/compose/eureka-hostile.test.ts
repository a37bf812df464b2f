import { createEurekaAdapter } from '@portolan/adapters/eureka';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { wholeBody } from './test-control/control-caller.ts';
import { createDialectApi, inTurns } from './test-eureka/dialect-api.ts';
import { hostileCall } from './test-eureka/hostile-input.ts';

const FIELDS = [
  ...['instance', 'instanceId', 'hostName', 'app', 'ipAddr', 'status', 'port', 'securePort', '$'],
  ...['@enabled', '@class', 'dataCenterInfo', 'name', 'leaseInfo', 'durationInSecs', 'metadata'],
  ...['renewalIntervalInSecs', 'lastDirtyTimestamp', 'vipAddress', 'homePageUrl', 'countryId'],
  ...['replicationList', 'appName', 'id', 'action', 'instanceInfo', 'value', 'overriddenStatus'],
];
const VALUES = [
  'web',
  'web-1',
  '10.0.0.1',
  'UP',
  'OUT_OF_SERVICE',
  80,
  1,
  true,
  'MyOwn',
  'Register',
];

/** Registrations that are whole but for one place. */
const nearly = fc
  .record({
    field: fc.constantFrom(...FIELDS),
    value: fc.oneof(fc.constantFrom(...VALUES), fc.jsonValue({ maxDepth: 2 })),
    xml: fc.boolean(),
  })
  .map(({ field, value, xml }) => {
    const instance = {
      ...{ instanceId: 'web-1', hostName: 'h', app: 'web', ipAddr: '10.0.0.1', status: 'UP' },
      ...{ port: { $: 80, '@enabled': 'true' }, dataCenterInfo: { name: 'MyOwn' } },
      [field]: value,
    };
    if (!xml) return JSON.stringify({ instance });
    const inner = Object.entries(instance).map(([name, each]) =>
      typeof each === 'object'
        ? `<${name}><name>MyOwn</name>${JSON.stringify(each)}</${name}>`
        : `<${name}>${each}</${name}>`,
    );
    return `<instance>${inner.join('')}</instance>`;
  });

it('no request makes Eureka’s REST throw, refusals are Eureka’s own, and what is refused changes nothing', async () => {
  const api = await createDialectApi((parts) => createEurekaAdapter({}, parts));
  const seed = {
    instance: {
      ...{ instanceId: 'web-1', hostName: 'h', app: 'web', ipAddr: '10.0.0.1', status: 'UP' },
      ...{ port: { $: 80, '@enabled': 'true' }, dataCenterInfo: { name: 'MyOwn' } },
    },
  };
  await api.call({ method: 'POST', target: '/eureka/apps/WEB', body: JSON.stringify(seed) });
  let refused = 0;
  let taken = 0;
  const calls = hostileCall(api.adapter, {
    fields: FIELDS,
    values: VALUES,
    bodies: nearly,
    contentTypes: ['application/json', 'application/xml', 'text/xml; charset=utf-16'],
  });
  await fc.assert(
    fc.asyncProperty(calls, async (call) => {
      const before = api.registry.revision;
      const reply = await inTurns(api, api.call(call));
      const text = await inTurns(api, wholeBody(reply));
      expect(api.faults).toEqual([]);
      expect(reply.status).toBeLessThan(500);
      if (reply.status < 400) {
        taken++;
        return;
      }
      refused++;
      if (reply.status !== 409) {
        expect(reply.headers['content-type']).toBe('text/plain; charset=utf-8');
        expect(text.length).toBeLessThan(4_096);
      }
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
