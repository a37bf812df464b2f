import { isRegistryError, RegistryError } from '@portolan/core';
import { settle } from '@portolan/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type ConsulApi, createConsulApi } from './test-consul/consul-api.ts';
import { type ControlCall, wholeBody } from './test-control/control-caller.ts';

const NASTY = [
  ...['__proto__', 'constructor', 'hasOwnProperty', 'toString', '', '.', '..', '*', '%', '%00'],
  ...['%2F', '%zz', '%ff', '\u0000', '\ud800', 'a'.repeat(5_000), '-1', '1e308', '{}', '💥', '"'],
  ...[
    '9007199254740993',
    'NaN',
    'null',
    '@',
    '@@',
    'a@@b',
    'service:',
    'service::',
    'web@127.0.0.1',
  ],
];
const word = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom('web', 'web-1', 'service:web-1', 'own', 'n1', 'passing'),
  },
  { weight: 3, arbitrary: fc.constantFrom(...NASTY) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
);
const json = fc.jsonValue({ maxDepth: 3, noUnicodeString: false });
const field = fc.constantFrom(
  ...[
    'ID',
    'Name',
    'Tags',
    'Address',
    'TaggedAddresses',
    'Meta',
    'Port',
    'Check',
    'Checks',
    'Weights',
  ],
  ...[
    'Passing',
    'Warning',
    'Kind',
    'Proxy',
    'Connect',
    'Locality',
    'Zone',
    'Namespace',
    'Partition',
  ],
  ...['CheckID', 'ServiceID', 'Status', 'Output', 'TTL', 'HTTP', 'TCP', 'GRPC', 'UDP', 'Interval'],
  ...[
    'Timeout',
    'Args',
    'Header',
    'Method',
    'DeregisterCriticalServiceAfter',
    'Notes',
    'Datacenter',
  ],
  ...['Node', 'NodeMeta', 'Service', 'SkipNodeUpdate', 'toString', 'enable_tag_override', 'lan'],
);
const value = fc.oneof(
  json,
  word,
  fc.constantFrom('127.0.0.1', '::1', '0.0.0.0', '169.254.169.254', '10s', '-1s', '1ns', '99999h'),
  fc.constantFrom('passing', 'critical', 'http://127.0.0.1/', '127.0.0.1:80', 'default', 'dc1'),
  fc.constantFrom(0, -1, 1, 80, 65_536, 1.5, 1e300, -0, 1_000_000_000),
);
const likely = fc.dictionary(
  field,
  fc.oneof(
    value,
    fc.array(fc.oneof(value, fc.dictionary(field, value, { maxKeys: 5 })), { maxLength: 3 }),
    fc.dictionary(fc.oneof(field, word), value, { maxKeys: 5 }),
  ),
  { maxKeys: 9 },
);
/** So near to right that many are taken. */
const nearly = fc.record(
  {
    Name: fc.constantFrom('web', 'api', 'a@@b'),
    ID: fc.constantFrom('web-1', 'web-2', 'own'),
    Port: fc.constantFrom(0, 80, 81),
    Address: fc.constantFrom('', '127.0.0.1', '10.0.0.1', 'web.internal'),
    Check: fc.record(
      { TTL: fc.constantFrom('10s', 1e10), CheckID: fc.constantFrom('own', '__proto__', '') },
      { requiredKeys: ['TTL'] },
    ),
    ServiceID: fc.constantFrom('web-1', 'nope'),
    Status: fc.constantFrom('passing', 'warning', 'critical'),
    Node: fc.constantFrom('n1', '127.0.0.1'),
    Service: fc.record({
      Service: fc.constant('web'),
      ID: fc.constantFrom('web-1', 'c1'),
      Port: fc.constant(9),
    }),
  },
  { requiredKeys: [] },
);
const text = fc.oneof(likely, nearly, json).map((body) => JSON.stringify(body));
const body = fc.oneof(
  { weight: 6, arbitrary: text },
  fc.constant(''),
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.uint8Array({ maxLength: 200 }),
  fc.nat(2_000).map((depth) => '['.repeat(depth)),
  fc.constant(`{"${'k'.repeat(70_000)}":1}`),
  fc.constant('{"Name":"a","Port":1,"Meta":{"__proto__":"x"}}'),
);
const filterWord = fc.constantFrom(
  ...[
    'Service',
    'Service.Tags',
    'Node.Meta["x"]',
    'Checks.Status',
    'ServiceTags',
    'Tags',
    'Meta.a',
  ],
  ...[
    '==',
    '!=',
    'in',
    'not',
    'and',
    'or',
    'is',
    'empty',
    'contains',
    'matches',
    '(',
    ')',
    '[',
    ']',
  ],
  ...[
    '"a"',
    '`b`',
    '"(a+)+$"',
    '"["',
    '"(?=x)"',
    '"((a{100}){100}){100}"',
    '1',
    '-1',
    'passing',
    '.',
    '"',
    '\\',
  ],
);
const filter = fc.oneof(
  fc.array(filterWord, { maxLength: 12 }).map((words) => words.join(' ')),
  fc.nat(5_000).map((depth) => '('.repeat(depth)),
  fc.nat(5_000).map((count) => 'not '.repeat(count)),
);
const parameter = fc.oneof(
  fc.tuple(fc.constant('filter'), filter),
  fc.tuple(
    fc.constantFrom(
      ...[
        'index',
        'wait',
        'tag',
        'near',
        'node-meta',
        'passing',
        'stale',
        'consistent',
        'dc',
        'ns',
      ],
      ...[
        'enable',
        'reason',
        'note',
        'format',
        'hash',
        'pretty',
        'cached',
        'max_stale',
        'partition',
      ],
      ...['peer', 'token', 'replace-existing-checks'],
    ),
    fc.oneof(word, fc.constantFrom('true', '1', '10s', '5', 'default', 'zone:b', 'text')),
  ),
  fc.tuple(word, word),
);
const query = fc
  .array(parameter, { maxLength: 4 })
  .map((pairs) =>
    new URLSearchParams(
      pairs.map(([name, given]): [string, string] => [name.toWellFormed(), given.toWellFormed()]),
    ).toString(),
  );

function hostileCall(api: ConsulApi): fc.Arbitrary<ControlCall> {
  const methods = [
    'GET',
    'HEAD',
    'POST',
    'PUT',
    'PATCH',
    'DELETE',
    'OPTIONS',
    'TRACE',
    'BREW',
    'get',
  ];
  // Most of the routes only refuse: they get a small share.
  const { routes } = api.adapter;
  const living = routes.filter(
    ({ method, path }) => !path.endsWith('*') && (method === 'GET' || method === 'PUT'),
  );
  const route = fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(...living) },
    { weight: 1, arbitrary: fc.constantFrom(...routes) },
  );
  return fc
    .record({
      route,
      word,
      query,
      body,
      sloppy: fc.nat(9),
      method: fc.constantFrom(...methods),
      from: fc.constantFrom('127.0.0.1', '10.0.0.1', '::ffff:10.0.0.2', 'fd00::1'),
    })
    .map(({ route, word, query, body, sloppy, method, from }) => {
      const fill = (): string =>
        sloppy === 0
          ? encodeURI(word.toWellFormed()).replace(/[?#]/g, '')
          : encodeURIComponent(word.toWellFormed());
      const path = route.path.replace(/:\w+|\*/g, fill);
      return {
        method: sloppy < 2 ? method : route.method,
        target: `${path}${sloppy === 1 ? '/' : ''}${query === '' ? '' : `?${query}`}`,
        body,
        from,
      };
    });
}

async function seed(api: ConsulApi): Promise<void> {
  const Check = { CheckID: 'own', TTL: '10m', Status: 'passing' };
  const web = { ID: 'web-1', Name: 'web', Address: '10.0.0.1', Port: 80, Tags: ['a'] };
  await api.put('/v1/agent/service/register', { ...web, Check });
  await api.put('/v1/agent/service/register', { Name: 'web', ID: 'web-2', Port: 81 });
}

it('no request makes the dialect throw, refusals are plain text, and what is refused changes nothing', async () => {
  const api = await createConsulApi();
  await seed(api);
  const { registry, store } = api.native;
  let refused = 0;
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(hostileCall(api), async (call) => {
      const before = [registry.revision, store.revision];
      const abort = new AbortController();
      const pending = api.call({ ...call, signal: abort.signal });
      await settle();
      // Whoever waits goes away.
      abort.abort();
      const reply = await pending;
      const answer = await wholeBody(reply);
      expect(api.faults).toEqual([]);
      if (reply.status < 400) {
        taken++;
        return;
      }
      refused++;
      // Consul answers 500 to what it cannot do, with the reason; a fault of ours has its request's id instead.
      expect(answer).not.toContain('a fault of the server');
      const isHealth =
        [404, 429, 503].includes(reply.status) && call.target.includes('/agent/health/');
      if (!isHealth) {
        expect(reply.headers['content-type']).toBe('text/plain; charset=utf-8');
        expect([registry.revision, store.revision]).toEqual(before);
      }
      expect(answer.length).toBeLessThan(64 * 1_024);
    }),
    { numRuns: 4_000 },
  );
  // Both sides of the door were tried.
  expect(refused).toBeGreaterThan(500);
  expect(taken).toBeGreaterThan(500);
  await api.close();
  expect(api.native.clock.pending).toBe(0);
});

it('a store that fails is told in Consul’s way, and nothing of the write is seen', async () => {
  const api = await createConsulApi();
  await seed(api);
  const readAll = async () =>
    Promise.all(
      [
        'agent/services',
        'agent/checks',
        'catalog/services',
        'catalog/nodes',
        'health/state/any',
      ].map(async (path) => (await api.get(`/v1/${path}`)).text),
    );
  const before = await readAll();
  api.native.store.failCommitsWith(
    new RegistryError('STORE_FULL', { detail: 'The disk is full.' }),
  );
  const writes: readonly (readonly [string, object?])[] = [
    ['agent/service/register', { Name: 'new', Port: 1 }],
    ['agent/service/maintenance/web-1?enable=true'],
    ['agent/check/register', { Name: 'more', ServiceID: 'web-1', TTL: '10s' }],
    ['agent/check/deregister/own'],
    ['catalog/register', { Node: 'n', Address: '10.0.0.9', Service: { Service: 'db', Port: 1 } }],
    ['catalog/deregister', { Node: '127.0.0.1', ServiceID: 'web-2' }],
    ['agent/service/deregister/web-1'],
  ];
  for (const [path, sent] of writes) {
    const answer = await api.put(`/v1/${path}`, sent);
    expect([path, answer.status, answer.text]).toEqual([path, 500, 'The disk is full.']);
  }
  expect(await readAll()).toEqual(before);
  api.native.store.failCommitsWith(undefined);
  for (const [path, sent] of writes) {
    const { status } = await api.put(`/v1/${path}`, sent);
    expect([path, status]).toEqual([path, 200]);
  }
  expect(api.faults.filter((fault) => !isRegistryError(Reflect.get(fault, 'err')))).toEqual([]);
  await api.close();
});
