import type { Instance, StoredTrafficPolicy } from '@portolan/core';
import { TurnableClock } from '@portolan/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { aRawUpstream } from './test-rig/raw-peer.ts';
import { aGateway, anUpstream, ask, cleanUp } from './test-rig/running-gateway.ts';
import { anInstance, aRoute } from './test-rig/settable-catalogue.ts';

afterEach(cleanUp);

let revision = 100;
function aPolicy(over: Partial<StoredTrafficPolicy>): StoredTrafficPolicy {
  revision++;
  return {
    service: 'web',
    namespace: 'default',
    group: 'default',
    subsets: {},
    createRevision: revision,
    modifyRevision: revision,
    ...over,
  };
}

const WEB = { service: 'web', namespace: 'default', group: 'default', subset: {}, weight: 1 };

/** A gateway before instances that answer their names. */
async function serving(
  instances: Readonly<Record<string, Partial<Instance>>>,
  options: Parameters<typeof aGateway>[0] = {},
) {
  const all: Record<string, Instance> = {};
  for (const [name, over] of Object.entries(instances)) {
    const { port } = await anUpstream((_req, res) => res.end(name));
    all[name] = anInstance(port, { id: name, ...over });
  }
  const rig = await aGateway(options);
  rig.catalogue.set('web', Object.values(all));
  const count = async (requests: number, headers: Record<string, string> = {}) => {
    const answers: Record<string, number> = {};
    for (let at = 0; at < requests; at++) {
      const { body } = await ask(rig.port, '/', { headers });
      answers[body] = (answers[body] ?? 0) + 1;
    }
    return answers;
  };
  return { ...rig, all, count };
}

describe('a traffic policy', () => {
  it('names subsets that routes lead to; one that it does not know has nobody', async () => {
    const { catalogue, count, port } = await serving({
      a: { labels: { version: 'v1' } },
      b: { labels: { version: 'v2' } },
    });
    catalogue.setPolicies([aPolicy({ subsets: { two: { labels: { version: 'v2' } } } })]);
    catalogue.setRoutes([aRoute({ name: 'r', destinations: [{ ...WEB, subsetName: 'two' }] })]);
    expect(await count(4)).toEqual({ b: 4 });
    catalogue.setPolicies([aPolicy({ subsets: { two: { labels: { version: 'v1' } } } })]);
    expect(await count(4)).toEqual({ a: 4 });
    catalogue.setPolicies([]);
    expect((await ask(port, '/')).status).toBe(503);
  });

  it('keeps a caller with an instance by hashing, and gives a cookie to who has none', async () => {
    const { catalogue, count, port } = await serving({ a: {}, b: {}, c: {} });
    catalogue.setRoutes([aRoute({ name: 'r' })]);
    catalogue.setPolicies([
      aPolicy({ balancer: 'maglev', hash: { kind: 'header', name: 'x-user' } }),
    ]);
    for (const user of ['u1', 'u2', 'u3', 'u4']) {
      expect(Object.keys(await count(5, { 'x-user': user }))).toHaveLength(1);
    }
    catalogue.setPolicies([
      aPolicy({ balancer: 'ring-hash', hash: { kind: 'cookie', name: 'who', ttlMs: 60_000 } }),
    ]);
    const first = await ask(port, '/');
    const [cookie = ''] = first.headers['set-cookie'] ?? [];
    expect(cookie).toMatch(/^who=[0-9a-f]{32}; Path=\/; Max-Age=60; HttpOnly; SameSite=Lax$/);
    const pair = cookie.split(';', 1)[0] ?? '';
    expect(await count(5, { cookie: pair })).toEqual({ [first.body]: 5 });
    const again = await ask(port, '/', { headers: { cookie: pair } });
    expect(again.headers['set-cookie']).toBeUndefined();
  });

  it('keeps a session with its instance by a cookie that cannot be made up', async () => {
    const { catalogue, count, port, all } = await serving({ a: {}, b: {} });
    catalogue.setRoutes([aRoute({ name: 'r' })]);
    catalogue.setPolicies([aPolicy({ affinity: { cookie: 'session', ttlMs: 0 } })]);
    const first = await ask(port, '/');
    const [cookie = ''] = first.headers['set-cookie'] ?? [];
    expect(cookie).toMatch(/^session=[\w-]{32}; Path=\/; HttpOnly; SameSite=Lax$/);
    const pair = cookie.split(';', 1)[0] ?? '';
    expect(await count(6, { cookie: pair })).toEqual({ [first.body]: 6 });
    const forged = pair.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
    expect(Object.keys(await count(6, { cookie: forged }))).toHaveLength(2);
    const other = first.body === 'a' ? all.b : all.a;
    if (!other) throw new Error('no other');
    catalogue.set('web', [other]);
    const moved = await ask(port, '/', { headers: { cookie: pair } });
    expect(moved.body).toBe(other.id);
    expect(moved.headers['set-cookie']).toHaveLength(1);
  });

  it('prefers the own zone, and spills over as that one loses instances', async () => {
    const near = { labels: { zone: 'z1', region: 'r1' } };
    const { catalogue, count, all } = await serving(
      { a: near, b: near, far: { labels: { zone: 'z2', region: 'r1' } } },
      { place: { zone: 'z1', region: 'r1' } },
    );
    catalogue.setRoutes([aRoute({ name: 'r' })]);
    expect(Object.keys(await count(12))).toHaveLength(3);
    catalogue.setPolicies([aPolicy({ locality: { preferLocal: true } })]);
    expect((await count(20)).far).toBeUndefined();
    const { far } = all;
    if (!far) throw new Error('no far');
    catalogue.set('web', [far]);
    expect(await count(3)).toEqual({ far: 3 });
  });

  it('limits requests at one endpoint, and at the service', async () => {
    const silent = await aRawUpstream(() => undefined);
    const { catalogue, port } = await aGateway();
    catalogue.set('web', [anInstance(silent.port)]);
    catalogue.setRoutes([aRoute({ name: 'r', timeoutMs: 300 })]);
    catalogue.setPolicies([aPolicy({ limits: { maxRequestsPerEndpoint: 1 } })]);
    const first = ask(port, '/');
    while (silent.peers.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const refused = await ask(port, '/');
    expect(JSON.parse(refused.body).error.code).toBe('UPSTREAM_OVERFLOW');
    catalogue.setPolicies([aPolicy({ limits: { maxRequests: 1 } })]);
    expect(JSON.parse((await ask(port, '/')).body).error.code).toBe('UPSTREAM_OVERFLOW');
    await first;
  });

  it('limits the connections to an instance, and how many requests wait for one', async () => {
    const held: (() => void)[] = [];
    const sockets = new Set<unknown>();
    const slow = await anUpstream((req, res) => {
      sockets.add(req.socket);
      held.push(() => res.end('slow'));
    });
    const until = async (condition: () => boolean) => {
      while (!condition()) await new Promise((resolve) => setImmediate(resolve));
    };
    const { catalogue, port } = await aGateway();
    const instance = anInstance(slow.port, { id: 'slow' });
    catalogue.set('web', [instance]);
    catalogue.setRoutes([aRoute({ name: 'r' })]);
    catalogue.setPolicies([
      aPolicy({ limits: { maxConnectionsPerEndpoint: 1, maxPendingPerEndpoint: 1 } }),
    ]);
    const first = ask(port, '/');
    await until(() => held.length === 1);
    const answers: string[] = [];
    const others = [1, 2].map(async () => {
      const { body } = await ask(port, '/');
      answers.push(body.includes('UPSTREAM_OVERFLOW') ? 'overflow' : body);
    });
    await until(() => answers.length === 1);
    expect(answers).toEqual(['overflow']);
    // Another instance takes what finds no place here.
    const spare = await anUpstream((_req, res) => res.end('spare'));
    catalogue.set('web', [instance, anInstance(spare.port, { id: 'spare' })]);
    expect((await ask(port, '/')).body).toBe('spare');
    expect((await ask(port, '/')).body).toBe('spare');
    held.shift()?.();
    await until(() => held.length === 1);
    held.shift()?.();
    await Promise.all([first, ...others]);
    expect(answers).toEqual(['overflow', 'slow']);
    expect(sockets.size).toBe(1);
  });

  it('lets all be tried again below its panic share', async () => {
    const { catalogue, count, gateway } = await serving({ a: {}, b: {}, c: {} });
    catalogue.set('web', [
      ...(['a', 'b'] as const).map((id, at) => anInstance(1 + at, { id })),
      ...[await anUpstream((_req, res) => res.end('c'))].map(({ port }) =>
        anInstance(port, { id: 'c' }),
      ),
    ]);
    catalogue.setRoutes([aRoute({ name: 'r' })]);
    expect(await count(6)).toEqual({ c: 6 });
    expect(gateway.stats().ejected).toBe(2);
  });
});

describe('slow start', () => {
  it('gives a new instance a share that grows with time', async () => {
    const clock = new TurnableClock();
    const names = ['old', 'new'] as const;
    const upstreams = [];
    for (const name of names) upstreams.push(await anUpstream((_req, res) => res.end(name)));
    const [old, fresh] = upstreams.map(({ port }, at) => anInstance(port, { id: names[at] ?? '' }));
    if (!old || !fresh) throw new Error('no instances');
    const { catalogue, gateway, port } = await aGateway({}, { clock });
    catalogue.setPolicies([aPolicy({ slowStartMs: 10_000 })]);
    catalogue.setRoutes([aRoute({ name: 'r' })]);
    catalogue.set('web', [old]);
    catalogue.set('web', [old, fresh]);
    const shareOfNew = async (): Promise<number> => {
      let count = 0;
      for (let at = 0; at < 60; at++) if ((await ask(port, '/')).body === 'new') count++;
      return count / 60;
    };
    expect(await shareOfNew()).toBeLessThan(0.2);
    await clock.advance(5_000);
    const half = await shareOfNew();
    expect(half).toBeGreaterThan(0.2);
    expect(half).toBeLessThan(0.45);
    await clock.advance(6_000);
    expect(await shareOfNew()).toBeGreaterThan(0.45);
    await gateway.close();
    expect(clock.pending).toBe(0);
  });
});

describe('ejection by success rate', () => {
  it('leaves an instance alone that answers worse than the others', async () => {
    const clock = new TurnableClock();
    let turn = 0;
    const bad = await anUpstream((_req, res) => {
      turn++;
      res.statusCode = turn % 2 === 0 ? 500 : 200;
      res.end('bad');
    });
    const good = await anUpstream((_req, res) => res.end('good'));
    const { port, catalogue } = await aGateway({}, { clock });
    const instances = Array.from({ length: 5 }, (_, at) => anInstance(good.port, { id: `g${at}` }));
    catalogue.set('web', [...instances, anInstance(bad.port, { id: 'bad' })]);
    catalogue.setPolicies([
      aPolicy({
        outlier: { successRateDeviations: 1.9, successRateRequests: 10, intervalMs: 1_000 },
      }),
    ]);
    const bodies = async (requests: number): Promise<number> => {
      let count = 0;
      for (let at = 0; at < requests; at++) if ((await ask(port, '/web/')).body === 'bad') count++;
      return count;
    };
    expect(await bodies(120)).toBe(20);
    await clock.advance(1_001);
    await ask(port, '/web/');
    expect(await bodies(60)).toBe(0);
  });
});
