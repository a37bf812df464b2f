import { isRegistryError } from '@portolan/core';
import { settle } from '@portolan/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type ControlCall, wholeBody } from './test-control/control-caller.ts';
import { createNativeApi, type NativeApi } from './test-rest/native-api.ts';

const NASTY = [
  '__proto__',
  'constructor',
  'hasOwnProperty',
  'toString',
  '',
  '.',
  '..',
  '*',
  '%',
  '%00',
  '%2F',
  '%zz',
  '%ff',
  '\u0000',
  '\ud800',
  'a'.repeat(5_000),
  '-1',
  '1e308',
  '9007199254740993',
  'NaN',
  'null',
  '"',
  '{}',
  '💥',
];

const word = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('a', 'web', 'web-1', 'r', 'default', 'webhook-1') },
  { weight: 3, arbitrary: fc.constantFrom(...NASTY) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
);
const json = fc.jsonValue({ maxDepth: 3, noUnicodeString: false });
const field = fc.constantFrom(
  ...['service', 'serviceName', 'address', 'ip', 'port', 'id', 'tags', 'metadata', 'weight', 'ttl'],
  ...['lease', 'check', 'checks', 'instances', 'ids', 'enabled', 'maintenance', 'reason', 'status'],
  ...[
    'hosts',
    'match',
    'to',
    'rewrite',
    'timeout',
    'retries',
    'weights',
    'url',
    'secret',
    'events',
  ],
  ...['namespace', 'group', 'checkId', 'output', 'preflight', 'name', 'toString', 'hasOwnProperty'],
);
/** Bodies that look like ours, so that they get past the first gate. */
const likely = fc.dictionary(
  field,
  fc.oneof(
    json,
    fc.constantFrom('127.0.0.1', '::1', 'web', 'UP', '10s', '1ms', 'none', 'fast', '*'),
    fc.constantFrom(0, -1, 1, 80, 65_536, 1.5, 1e300, -0),
    fc.array(fc.dictionary(field, json, { maxKeys: 4 }), { maxLength: 3 }),
    fc.dictionary(fc.oneof(field, word), json, { maxKeys: 4 }),
  ),
  { maxKeys: 8 },
);
const body = fc.oneof(
  fc.constant(''),
  likely.map((value) => JSON.stringify(value)),
  json.map((value) => JSON.stringify(value)),
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.uint8Array({ maxLength: 200 }),
  fc.nat(2_000).map((depth) => '['.repeat(depth)),
  fc.constant(`{"${'k'.repeat(70_000)}":1}`),
  fc.constant('{"service":"a","address":"127.0.0.1","port":1,"metadata":{"__proto__":"x"}}'),
);
const queryName = fc.oneof(
  word,
  fc.constantFrom('namespace', 'group', 'service', 'status', 'tag', 'zone', 'routable', 'index'),
  fc.constantFrom('wait', 'watch', 'from', 'type', 'mode', 'metadata.', 'metadata.version'),
);
const query = fc
  .array(fc.tuple(queryName, word), { maxLength: 3 })
  .map((pairs) =>
    new URLSearchParams(
      pairs.map(([name, value]): [string, string] => [toUsv(name), toUsv(value)]),
    ).toString(),
  );
const headers = fc.dictionary(
  fc.constantFrom('content-type', 'if-match', 'if-none-match', 'last-event-id', 'accept'),
  fc.oneof(
    word,
    fc.constantFrom('application/json', '*', '"1"', 'text/event-stream', 'x/y;charset=utf-16'),
  ),
  { maxKeys: 2 },
);

/** URLs carry scalar values only; what is not one arrives as the replacement character. */
function toUsv(text: string): string {
  return text.toWellFormed();
}

function hostileCall(api: NativeApi): fc.Arbitrary<ControlCall> {
  const path = fc.constantFrom(...api.adapter.routes.map((route) => route.path));
  return fc
    .record({
      path,
      word,
      query,
      body,
      headers,
      sloppy: fc.nat(9),
      method: fc.constantFrom(
        ...['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'BREW', 'get'],
      ),
    })
    .map(({ path, word, query, body, headers, sloppy, method }) => {
      const filled = path.replace(/:\w+/g, () =>
        sloppy === 0 ? word : encodeURIComponent(toUsv(word)),
      );
      const own = api.adapter.routes.filter((route) => route.path === path);
      return {
        // Mostly a method that the path takes: the others end at the door.
        method: sloppy < 2 ? method : (own[sloppy % own.length]?.method ?? method),
        target: `${filled}${sloppy === 1 ? '/' : ''}${query === '' ? '' : `?${query}`}`,
        headers,
        body,
      };
    });
}

it('no request makes the API throw, refusals are problem documents, and what is refused changes nothing', async () => {
  const api = await createNativeApi();
  await seed(api);
  let refused = 0;
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(hostileCall(api), async (call) => {
      const before = api.registry.revision;
      const stored = api.store.revision;
      const abort = new AbortController();
      const pending = api.call({ ...call, signal: abort.signal });
      await settle();
      // Whoever waits (long poll) or streams goes away.
      abort.abort();
      const reply = await pending;
      const text = await wholeBody(reply);
      expect(api.faults).toEqual([]);
      expect(reply.status).toBeLessThan(500);
      if (reply.status < 400) {
        taken++;
        return;
      }
      refused++;
      expect(reply.headers['content-type']).toBe('application/problem+json');
      const problem = JSON.parse(text);
      expect(problem).toMatchObject({
        type: `urn:portolan:error:${problem.code}`,
        status: reply.status,
        instance: expect.any(String),
        retryable: expect.any(Boolean),
        errors: expect.any(Array),
      });
      expect(text.length).toBeLessThan(64 * 1_024);
      expect([api.registry.revision, api.store.revision]).toEqual([before, stored]);
    }),
    { numRuns: 3_000 },
  );
  // Both sides of the door were tried.
  expect(refused).toBeGreaterThan(500);
  expect(taken).toBeGreaterThan(100);
  await api.close();
  expect(api.clock.pending).toBe(0);
});

it('a store that fails is an error of its own, and nothing of the write is seen', async () => {
  const api = await createNativeApi();
  await seed(api);
  const before = await readAll(api);
  const { RegistryError } = await import('@portolan/core');
  api.store.failCommitsWith(new RegistryError('STORE_FULL', { detail: 'The disk is full.' }));
  const writes: ControlCall[] = [
    { method: 'POST', target: '/register', body: registration('new', 8081) },
    {
      method: 'POST',
      target: '/api/v1/instances/batch',
      body: `{"instances":[${registration('new', 8081)}]}`,
    },
    { method: 'PATCH', target: '/api/v1/instances/web-1', body: '{"weight":3}' },
    { method: 'POST', target: '/api/v1/instances/web-1/disable' },
    { method: 'PUT', target: '/heartbeat', body: '{"id":"web-1","status":"DOWN"}' },
    { method: 'PUT', target: '/api/v1/routes/r', body: '{"to":[{"service":"other"}]}' },
    { method: 'PUT', target: '/api/v1/routes/r/weights', body: '{"weights":[3]}' },
    { method: 'PUT', target: '/api/v1/namespaces/new' },
    { method: 'POST', target: '/api/v1/webhooks', body: WEBHOOK },
    { method: 'DELETE', target: '/api/v1/routes/r' },
    { method: 'DELETE', target: '/register/web-1' },
  ];
  for (const write of writes) {
    const reply = await api.call(write);
    expect([write.target, reply.status, JSON.parse(await wholeBody(reply)).code]).toEqual([
      write.target,
      507,
      'STORE_FULL',
    ]);
  }
  expect(await readAll(api)).toEqual(before);
  api.store.failCommitsWith(undefined);
  for (const write of writes) expect((await api.call(write)).status).toBeLessThan(300);
  expect(api.faults.filter((fault) => !isRegistryError(Reflect.get(fault, 'err')))).toEqual([]);
  await api.close();
});

const WEBHOOK = '{"url":"http://127.0.0.1:9/","secret":"a-long-shared-secret"}';

function registration(id: string, port = 8080): string {
  return `{"service":"web","id":"${id}","address":"127.0.0.1","port":${port},"lease":"none"}`;
}

async function seed(api: NativeApi): Promise<void> {
  await api.call({ method: 'POST', target: '/register', body: registration('web-1') });
  const route = '{"to":[{"service":"web"}]}';
  await api.call({ method: 'PUT', target: '/api/v1/routes/r', body: route });
  await api.call({ method: 'POST', target: '/api/v1/webhooks', body: WEBHOOK });
}

async function readAll(api: NativeApi): Promise<string[]> {
  const targets = [
    'instances?namespace=*',
    'routes?namespace=*',
    'namespaces',
    'webhooks',
    'events',
  ];
  return Promise.all(
    targets.map(async (target) =>
      wholeBody(await api.call({ method: 'GET', target: `/api/v1/${target}` })),
    ),
  );
}
