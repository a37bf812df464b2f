import { settle } from '@portolan/testing';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type ConsulAnswer, type ConsulApi, createConsulApi } from './test-consul/consul-api.ts';

let api: ConsulApi;

beforeEach(async () => {
  api = await createConsulApi({ maxWatchers: 3 });
});
afterEach(async () => {
  expect(api.faults).toEqual([]);
  await api.close();
  expect(api.native.clock.pending).toBe(0);
});

/** A request under way: undefined until it is answered. */
function begin(target: string) {
  const waiting: { answer: ConsulAnswer | undefined } = { answer: undefined };
  void api.get(target).then((answer) => {
    waiting.answer = answer;
  });
  return waiting;
}

function indexOf(answer: ConsulAnswer | undefined): number {
  return Number(answer?.headers['x-consul-index']);
}

function register(id: string, name: string, port: number, more: object = {}) {
  return api.put('/v1/agent/service/register', {
    ID: id,
    Name: name,
    Address: '10.0.0.1',
    Port: port,
    ...more,
  });
}

it('a change of its service ends a wait, and no other change does', async () => {
  await register('web-1', 'web', 80);
  const index = indexOf(await api.get('/v1/health/service/web'));
  const waiting = begin(`/v1/health/service/web?index=${index}&wait=5m`);
  for (let port = 1; port <= 50; port++) await register(`other-${port}`, 'other', port);
  await settle();
  expect(waiting.answer).toBeUndefined();
  expect(indexOf(await api.get('/v1/health/service/web'))).toBe(index);
  await register('web-2', 'web', 81);
  await settle();
  expect(waiting.answer?.json).toHaveLength(2);
  expect(indexOf(waiting.answer)).toBeGreaterThan(index);
});

it('a wait that is over is answered with the present state and the same index, within a sixteenth more', async () => {
  await register('web-1', 'web', 80);
  const index = indexOf(await api.get('/v1/health/service/web'));
  const waiting = begin(`/v1/health/service/web?index=${index}&wait=16s`);
  await api.native.clock.advance(15_999);
  expect(waiting.answer).toBeUndefined();
  await api.native.clock.advance(1_001);
  expect(indexOf(waiting.answer)).toBe(index);
  expect(waiting.answer?.json).toHaveLength(1);
});

it.each([
  ['no wait', '', 300_000],
  ['a wait longer than Consul’s longest', '&wait=24h', 600_000],
])('%s is %s', async (_what, wait, durationMs) => {
  await register('web-1', 'web', 80);
  const index = indexOf(await api.get('/v1/health/service/web'));
  const waiting = begin(`/v1/health/service/web?index=${index}${wait}`);
  await api.native.clock.advance(durationMs - 1);
  expect(waiting.answer).toBeUndefined();
  await api.native.clock.advance(durationMs / 16 + 1);
  expect(waiting.answer?.status).toBe(200);
});

it('a service that is not there can be waited for, and its end is told', async () => {
  await register('other-1', 'other', 1);
  const index = indexOf(await api.get('/v1/catalog/service/late'));
  const coming = begin(`/v1/catalog/service/late?index=${index}`);
  await register('other-2', 'other', 2);
  await settle();
  expect(coming.answer).toBeUndefined();
  await register('late-1', 'late', 80);
  await settle();
  expect(coming.answer?.json).toHaveLength(1);
  const going = begin(`/v1/catalog/service/late?index=${indexOf(coming.answer)}`);
  await api.put('/v1/agent/service/deregister/late-1');
  await settle();
  expect(going.answer?.json).toEqual([]);
  expect(indexOf(going.answer)).toBeGreaterThan(indexOf(coming.answer));
});

it('the list of services wakes its readers for names and tags, not for health', async () => {
  const check = { TTL: '10m' };
  await register('web-1', 'web', 80, { Tags: ['a'], Check: check });
  const index = indexOf(await api.get('/v1/catalog/services'));
  const waiting = begin(`/v1/catalog/services?index=${index}`);
  await api.put('/v1/agent/check/pass/service:web-1');
  await api.native.clock.advance(1_000);
  expect(waiting.answer).toBeUndefined();
  expect(indexOf(await api.get('/v1/catalog/services'))).toBe(index);
  await register('web-1', 'web', 80, { Tags: ['b'], Check: check });
  await api.native.clock.advance(100);
  expect(waiting.answer?.json).toEqual({ web: ['b'] });
  expect(indexOf(waiting.answer)).toBeGreaterThan(index);
});

it('the list of services of a registry or a namespace that has nothing can be waited for', async () => {
  for (const namespace of ['default', 'empty']) {
    const target = `/v1/catalog/services?ns=${namespace}`;
    const waiting = begin(`${target}&index=${indexOf(await api.get(target))}`);
    await settle();
    expect(waiting.answer).toBeUndefined();
    await api.put(`/v1/agent/service/register?ns=${namespace}`, { Name: 'web', Port: 1 });
    await api.native.clock.advance(100);
    expect(waiting.answer?.json).toEqual({ web: [] });
    const going = begin(`${target}&index=${indexOf(waiting.answer)}`);
    await api.put(`/v1/agent/service/deregister/web?ns=${namespace}`);
    await api.native.clock.advance(100);
    expect(going.answer?.json).toEqual({});
  }
});

it('nodes and states wake their readers for every change of an instance, a burst at once', async () => {
  await register('web-1', 'web', 80, { Check: { TTL: '10m' } });
  const index = indexOf(await api.get('/v1/health/state/critical'));
  const waiting = begin(`/v1/health/state/critical?index=${index}`);
  await api.put('/v1/agent/check/pass/service:web-1');
  await api.native.clock.advance(100);
  expect(waiting.answer?.json).toEqual([]);
});

it('the index of a service that nobody remembers any more is none that was told before its end', async () => {
  const forgetful = await createConsulApi({}, { tombstones: { max: 1 } });
  const told: number[] = [];
  for (const name of ['first', 'second', 'third']) {
    await forgetful.put('/v1/agent/service/register', { ID: name, Name: name, Port: 1 });
    told.push(indexOf(await forgetful.get('/v1/health/service/first')));
    await forgetful.put(`/v1/agent/service/deregister/${name}`);
    told.push(indexOf(await forgetful.get('/v1/health/service/first')));
  }
  expect(told).toEqual(told.toSorted((a, b) => a - b));
  expect(told.at(-1)).toBeGreaterThan(told[0] ?? 0);
  await forgetful.close();
});

it('an index from another life of the registry is answered at once', async () => {
  await register('web-1', 'web', 80);
  const answer = await api.get('/v1/health/service/web?index=4000000000');
  expect(answer.json).toHaveLength(1);
  expect(indexOf(answer)).toBeLessThan(4_000_000_000);
});

it('a service is waited for by the hash of what it is registered as', async () => {
  await register('web-1', 'web', 80, { Check: { TTL: '10m' } });
  const { json } = await api.get('/v1/agent/service/web-1');
  const waiting = begin(`/v1/agent/service/web-1?hash=${json.ContentHash}`);
  await api.put('/v1/agent/check/pass/service:web-1');
  await settle();
  expect(waiting.answer).toBeUndefined();
  await register('web-1', 'web', 80, { Tags: ['new'], Check: { TTL: '10m' } });
  await settle();
  expect(waiting.answer?.json).toMatchObject({ Tags: ['new'] });
  expect(waiting.answer?.json.ContentHash).not.toBe(json.ContentHash);
});

it('a key that nobody has is waited for to the end', async () => {
  const { headers } = await api.get('/v1/kv/config/application');
  const waiting = begin(`/v1/kv/config/application?wait=55s&index=${headers['x-consul-index']}`);
  await api.native.clock.advance(54_000);
  expect(waiting.answer).toBeUndefined();
  await api.native.clock.advance(6_000);
  expect(waiting.answer?.status).toBe(404);
});

it('more readers than there is room for are sent elsewhere, and who leaves makes room', async () => {
  await register('web-1', 'web', 80);
  const index = indexOf(await api.get('/v1/health/service/web'));
  const target = `/v1/health/service/web?index=${index}`;
  const leaving = new AbortController();
  const pending = api.call({ method: 'GET', target, signal: leaving.signal });
  begin(target);
  begin(target);
  const refused = await api.get(target);
  expect([refused.status, refused.headers['content-type'], refused.headers['retry-after']]).toEqual(
    [503, 'text/plain; charset=utf-8', '5'],
  );
  leaving.abort();
  await pending;
  const next = begin(target);
  await settle();
  expect(next.answer).toBeUndefined();
  await register('web-1', 'web', 81);
  await settle();
  expect(next.answer?.status).toBe(200);
});

const SERVICES = ['a', 'b', 'c'];
const READS = [
  ...SERVICES.flatMap((name) => [
    `health/service/${name}`,
    `catalog/service/${name}`,
    `health/checks/${name}`,
  ]),
  'catalog/services',
  'catalog/nodes',
  'health/state/any',
  'catalog/node/10.0.0.1',
];

it('whatever happens, no index goes backwards, and no answer changes without its index', async () => {
  const step = fc.record({
    service: fc.constantFrom(...SERVICES),
    id: fc.constantFrom('1', '2'),
    action: fc.constantFrom('register', 'tag', 'deregister', 'pass', 'fail', 'maintain', 'return'),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const own = await createConsulApi();
      const last = new Map<string, { index: number; text: string }>();
      for (const { service, id, action } of steps) {
        const full = `${service}-${id}`;
        const body = {
          ID: full,
          Name: service,
          Address: '10.0.0.1',
          Port: Number(id),
          Tags: action === 'tag' ? ['t'] : [],
          Check: { TTL: '10m' },
        };
        if (action === 'register' || action === 'tag') {
          await own.put('/v1/agent/service/register', body);
        } else if (action === 'deregister') await own.put(`/v1/agent/service/deregister/${full}`);
        else if (action === 'maintain' || action === 'return') {
          const enable = action === 'maintain';
          await own.put(`/v1/agent/service/maintenance/${full}?enable=${enable}`);
        } else await own.put(`/v1/agent/check/${action}/service:${full}`);
        for (const read of READS) {
          const { headers, text } = await own.get(`/v1/${read}`);
          const index = Number(headers['x-consul-index']);
          const before = last.get(read);
          expect(index).toBeGreaterThanOrEqual(before?.index ?? 1);
          if (before && before.text !== text)
            expect([read, index > before.index]).toEqual([read, true]);
          last.set(read, { index, text });
        }
      }
      await own.close();
    }),
    { numRuns: 40 },
  );
});
