import { afterEach, beforeEach, expect, it } from 'vitest';
import { type ConsulApi, createConsulApi } from './test-consul/consul-api.ts';

let api: ConsulApi;

beforeEach(async () => {
  api = await createConsulApi();
});
afterEach(async () => {
  expect(api.faults).toEqual([]);
  await api.close();
  expect(api.native.clock.pending).toBe(0);
});

const REGISTER = '/v1/agent/service/register';

async function shown(target: string): Promise<[string, string, string][]> {
  const { json } = await api.get(target);
  return json.map(
    (entry: { Node: { Node: string }; Service: { ID: string }; Checks: { Status: string }[] }) => [
      entry.Node.Node,
      entry.Service.ID,
      entry.Checks[0]?.Status ?? '',
    ],
  );
}

it('two hosts that register the same id have an instance each, as with an agent on each', async () => {
  const body = {
    ID: 'web-8080',
    Name: 'web',
    Port: 8080,
    Check: { TTL: '30s', Status: 'passing' },
  };
  await api.put(REGISTER, body, '10.0.0.5');
  await api.put(REGISTER, body, '10.0.0.6');
  await api.put(REGISTER, { ...body, Address: '10.0.0.7' }, '10.0.0.7');
  expect(await shown('/v1/health/service/web')).toEqual([
    ['10.0.0.5', 'web-8080', 'passing'],
    ['10.0.0.6', 'web-8080', 'passing'],
    ['10.0.0.7', 'web-8080', 'passing'],
  ]);
  // Each speaks of its own.
  await api.put('/v1/agent/check/fail/service:web-8080', undefined, '10.0.0.6');
  expect(await shown('/v1/health/service/web')).toContainEqual([
    '10.0.0.6',
    'web-8080',
    'critical',
  ]);
  await api.put('/v1/agent/service/deregister/web-8080', undefined, '10.0.0.7');
  expect((await shown('/v1/health/service/web')).map(([node]) => node)).toEqual([
    '10.0.0.5',
    '10.0.0.6',
  ]);
  // Whoever looks at the agent from elsewhere can address each of them.
  const services = Object.keys((await api.get('/v1/agent/services', '10.9.9.9')).json);
  expect(services).toEqual(['web-8080', 'web-8080@10.0.0.6']);
  expect((await api.get('/v1/agent/service/web-8080@10.0.0.6', '10.9.9.9')).status).toBe(200);
});

it('a check id of its own may stand on several hosts', async () => {
  const body = { ID: 'web', Name: 'web', Port: 80, Check: { CheckID: 'alive', TTL: '30s' } };
  await api.put(REGISTER, { ...body, Check: { ...body.Check, Status: 'passing' } }, '10.0.0.5');
  await api.put(REGISTER, body, '10.0.0.6');
  await api.put('/v1/agent/check/pass/alive', undefined, '10.0.0.6');
  await api.put('/v1/agent/check/fail/alive', undefined, '10.0.0.5');
  expect(await shown('/v1/health/service/web')).toEqual([
    ['10.0.0.5', 'web', 'critical'],
    ['10.0.0.6', 'web', 'passing'],
  ]);
});

it('an instance in maintenance keeps its id from other hosts', async () => {
  const body = { ID: 'web', Name: 'web', Port: 80 };
  await api.put(REGISTER, body, '10.0.0.5');
  await api.put('/v1/agent/service/maintenance/web?enable=true', undefined, '10.0.0.5');
  await api.put(REGISTER, body, '10.0.0.6');
  expect((await shown('/v1/health/service/web')).map(([node, id]) => [node, id])).toEqual([
    ['10.0.0.5', 'web'],
    ['10.0.0.6', 'web'],
  ]);
});

it('a service that comes back at another address takes its id over from its dead self', async () => {
  const body = { ID: 'db', Name: 'db', Port: 5432, Check: { TTL: '15s', Status: 'passing' } };
  await api.put(REGISTER, body, '10.0.0.5');
  await api.native.clock.advance(20_000);
  await api.put(REGISTER, body, '10.0.0.6');
  expect((await shown('/v1/health/service/db')).map(([node, id]) => [node, id])).toEqual([
    ['10.0.0.6', 'db'],
  ]);
});

it('a registrar that registers others’ addresses moves an id', async () => {
  const body = { ID: 'db', Name: 'db', Port: 5432 };
  await api.put(REGISTER, { ...body, Address: '10.0.0.5' }, '10.0.0.1');
  await api.put(REGISTER, { ...body, Address: '10.0.0.6' }, '10.0.0.1');
  expect((await shown('/v1/health/service/db')).map(([node]) => node)).toEqual(['10.0.0.6']);
});

it('an identical registration changes nothing', async () => {
  const body = { ID: 'web', Name: 'web', Port: 80, Meta: { a: 'b' }, Check: { TTL: '30s' } };
  await api.put(REGISTER, body);
  await api.put('/v1/agent/check/pass/service:web');
  const { revision } = api.native.registry;
  await api.put(REGISTER, body);
  await api.put('/v1/agent/check/pass/service:web');
  expect(api.native.registry.revision).toBe(revision);
});

it('registering again keeps what a check was found to be, whatever it claims now', async () => {
  const body = { ID: 'web', Name: 'web', Address: '10.0.0.1', Port: 80, Check: { TTL: '30s' } };
  await api.put(REGISTER, { ...body, Check: { TTL: '30s', Status: 'passing' } });
  const seen: string[] = [];
  const web = { namespace: 'default', group: 'default', name: 'web' };
  api.native.registry.subscribeService(web, ({ instances }) => {
    for (const { status } of instances) seen.push(status);
  });
  await api.put(REGISTER, { ...body, Tags: ['new'] });
  await api.native.clock.advance(100);
  expect(new Set(seen)).toEqual(new Set(['passing']));
  expect(await shown('/v1/health/service/web')).toEqual([['10.0.0.1', 'web', 'passing']]);
  await api.put('/v1/agent/check/fail/service:web');
  await api.put(REGISTER, { ...body, Check: { TTL: '30s', Status: 'passing' } });
  expect(await shown('/v1/health/service/web')).toEqual([['10.0.0.1', 'web', 'critical']]);
});

it('checks that are registered at the same time all stay', async () => {
  await api.put(REGISTER, { ID: 'web', Name: 'web', Address: '10.0.0.1', Port: 80 });
  const names = ['a', 'b', 'c', 'd', 'e'];
  await Promise.all(
    names.map((Name) => api.put('/v1/agent/check/register', { Name, ServiceID: 'web', TTL: '1m' })),
  );
  expect(Object.keys((await api.get('/v1/agent/checks')).json).sort()).toEqual(names);
});

it('services without a port live side by side, and the gateway sends them nothing', async () => {
  for (const ID of ['worker-1', 'worker-2', 'worker-3']) {
    await api.put(REGISTER, { ID, Name: 'worker', Check: { TTL: '30s', Status: 'passing' } });
  }
  const { json } = await api.get('/v1/health/service/worker?passing');
  expect(json.map((entry: { Service: object }) => entry.Service)).toMatchObject(
    ['worker-1', 'worker-2', 'worker-3'].map((ID) => ({ ID, Port: 0, Weights: { Passing: 1 } })),
  );
  const view = api.native.registry.view({ namespace: 'default', group: 'default', name: 'worker' });
  expect(view?.instances.map(({ effectiveWeight }) => effectiveWeight)).toEqual([0, 0, 0]);
  expect(new Set(view?.instances.map(({ port }) => port)).size).toBe(3);
  const { revision } = api.native.registry;
  await api.put(REGISTER, {
    ID: 'worker-2',
    Name: 'worker',
    Check: { TTL: '30s', Status: 'passing' },
  });
  expect(api.native.registry.revision).toBe(revision);
});

it.each([
  ['Consul’s own', [{ Weights: { Passing: 10 } }, {}], [], [10, 1]],
  ['with one at the default of here', [{ Weights: { Passing: 3 } }], [100], [3, 1]],
  ['in other proportions', [{}], [50, 150], [100, 50, 150]],
  ['drained', [{}], [0], [1, 0]],
])('weights %s keep their proportions', async (_what, registrations, natives, expected) => {
  let port = 1;
  for (const registration of registrations) {
    const ID = `w-${port}`;
    await api.put(REGISTER, { ID, Name: 'w', Address: '10.0.0.1', Port: port++, ...registration });
  }
  for (const weight of natives) {
    const body = JSON.stringify({
      service: 'w',
      id: `w-${port}`,
      address: '10.0.0.1',
      port: port++,
      weight,
      lease: 'none',
    });
    await api.native.call({ method: 'POST', target: '/register', body });
  }
  const { json } = await api.get('/v1/catalog/service/w');
  expect(
    json.map((entry: { ServiceWeights: { Passing: number } }) => entry.ServiceWeights.Passing),
  ).toEqual(expected);
});

it('instances that mass-loss protection keeps stay in the answers of those who ask for passing ones', async () => {
  for (let port = 1; port <= 6; port++) {
    const Check = { TTL: '10s', Status: 'passing' };
    await api.put(REGISTER, { ID: `p-${port}`, Name: 'p', Address: '10.0.0.1', Port: port, Check });
  }
  await api.native.clock.advance(12_000);
  const { json } = await api.get('/v1/health/service/p?passing');
  expect(json).toHaveLength(6);
  expect(json[0].Checks[0]).toMatchObject({
    Status: 'passing',
    Output: 'critical, but kept in rotation: too many instances of the service were lost at once',
  });
});

it('services of other groups carry the group in their name, and are found by it', async () => {
  const body = JSON.stringify({
    service: 'web',
    group: 'blue',
    id: 'b',
    address: '10.0.0.1',
    port: 1,
    lease: 'none',
  });
  await api.native.call({ method: 'POST', target: '/register', body });
  expect((await api.get('/v1/catalog/services')).json).toEqual({ 'blue@@web': [] });
  expect(await shown('/v1/health/service/blue@@web')).toEqual([['10.0.0.1', 'b', 'passing']]);
  await api.put(REGISTER, { ID: 'c', Name: 'blue@@web', Address: '10.0.0.2', Port: 1 });
  expect(
    api.native.registry.view({ namespace: 'default', group: 'blue', name: 'web' })?.instances,
  ).toHaveLength(2);
});

it('Consul Enterprise’s namespaces are namespaces, in the query and in the body', async () => {
  await api.put(`${REGISTER}?ns=team-a`, { ID: 'a', Name: 'web', Port: 1 });
  await api.put(REGISTER, { ID: 'b', Name: 'web', Port: 2, Namespace: 'team-b' });
  expect(await shown('/v1/health/service/web')).toEqual([]);
  expect((await shown('/v1/health/service/web?ns=team-a')).map(([, id]) => id)).toEqual(['a']);
  expect((await shown('/v1/health/service/web?ns=team-b')).map(([, id]) => id)).toEqual(['b']);
  expect((await api.put('/v1/agent/service/deregister/a?ns=team-a')).status).toBe(200);
});

it('writes that succeed have no body, and errors are never JSON', async () => {
  const done = await api.put(REGISTER, { Name: 'web', Port: 1, Check: { TTL: '30s' } });
  expect([done.status, done.text]).toEqual([200, '']);
  for (const path of [
    'check/pass/service:web',
    'service/maintenance/web?enable=true',
    'service/deregister/web',
  ]) {
    const answer = await api.put(`/v1/agent/${path}`);
    expect([path, answer.status, answer.text]).toEqual([path, 200, '']);
  }
  const lost = await api.put('/v1/agent/service/deregister/web');
  expect(lost.headers['content-type']).toBe('text/plain; charset=utf-8');
});

it('long lists are sent in pieces that together are one document', async () => {
  const inputs = Array.from({ length: 700 }, (_, at) => ({
    service: { namespace: 'default', group: 'default', name: `s${at % 3}` },
    id: `i-${at}`,
    address: '10.0.0.1',
    port: at + 1,
    lease: 'none' as const,
  }));
  await api.native.registry.registerBatch(inputs, { trusted: false });
  expect(Object.keys((await api.get('/v1/agent/services')).json)).toHaveLength(700);
  expect((await api.get('/v1/health/service/s0?tag=')).json).toHaveLength(234);
  expect((await api.get('/v1/health/service/s0?node-meta=a:b')).json).toEqual([]);
  // Also where nearly everything that is looked at is left out.
  const late = encodeURIComponent('ID == "i-699" or ID == "i-0"');
  expect(Object.keys((await api.get(`/v1/agent/services?filter=${late}`)).json)).toHaveLength(2);
  expect((await api.get('/v1/health/state/critical')).json).toEqual([]);
  expect((await api.get('/v1/health/state/critical?pretty')).json).toEqual([]);
  const pretty = await api.get('/v1/agent/services?pretty');
  expect(Object.keys(pretty.json)).toHaveLength(700);
  expect(pretty.text).toMatch(/^\{\n {4}"i-0": \{\n {8}"ID"/);
});
