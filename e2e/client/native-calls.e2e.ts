import { createClient, type PortolanClient } from '@portolan/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { documentedFetch } from '../support/documented-fetch.ts';
import { type PortolanProcess, startPortolan } from '../support/portolan-process.ts';

let portolan: PortolanProcess;
let client: PortolanClient;

beforeAll(async () => {
  portolan = await startPortolan();
  client = createClient({ url: portolan.control, namespace: 'shop' }, { fetch: documentedFetch });
});
afterAll(() => portolan?.dispose());

const web = { service: 'web', address: '127.0.0.1', port: 9001, lease: 'default' } as const;
const id = 'web-127.0.0.1-9001';

describe('every native call through the client', () => {
  test('instances: register, batch, list, patch, heartbeat, intent, deregister', async () => {
    const { created, instance } = await client.instances.register(web);
    expect([created, instance.namespace, instance.id]).toEqual([true, 'shop', id]);
    const batch = await client.instances.registerBatch([
      { ...web, port: 9002 },
      { ...web, port: 0 },
    ]);
    expect([batch.failed, batch.results.map(({ ok }) => ok)]).toEqual([1, [true, false]]);
    expect(await client.instances.list({ service: 'web' })).toHaveLength(2);
    const patched = await client.instances.patch(id, { metadata: { zone: 'a' }, weight: 7 });
    expect([patched.labels.zone, patched.weight]).toEqual(['a', 7]);
    expect((await client.instances.heartbeat(id)).id).toBe(id);
    const { service, address, port } = web;
    expect((await client.instances.heartbeatAt({ service, address, port })).id).toBe(id);
    expect(await client.instances.renew([id, 'nobody'])).toEqual({
      renewed: 1,
      unknown: ['nobody'],
    });
    expect((await client.instances.disable(id)).routable).toBe(false);
    expect((await client.instances.enable(id)).routable).toBe(true);
    const kept = await client.instances.maintenance(id, { enable: true, reason: 'disk' });
    expect(kept.intent.maintenance).toEqual({ reason: 'disk' });
    expect((await client.instances.setIntent(id, { weight: 3 })).effectiveWeight).toBe(3);
    expect((await client.instances.resetIntent(id)).effectiveWeight).toBe(7);
    expect((await client.instances.get(id)).lease?.remainingMs).toBeGreaterThan(0);
    const { deregistered } = await client.instances.deregister('web-127.0.0.1-9002');
    expect(deregistered.port).toBe(9002);
  });

  test('services of a group: list, view, wait, stream', async () => {
    const scope = { group: 'blue' };
    await client.instances.register({ ...web, port: 9003 }, scope);
    expect(await client.services.list(scope)).toMatchObject([{ service: 'web', group: 'blue' }]);
    const view = await client.services.view('web', {}, scope);
    expect(view.instances.map(({ port }) => port)).toEqual([9003]);
    const waited = client.services.wait('web', { index: view.revision, waitMs: 10_000 }, scope);
    await client.instances.disable('web-127.0.0.1-9003');
    expect((await waited).instances[0]?.routable).toBe(false);
    const aborting = new AbortController();
    for await (const event of client.services.stream('web', {
      ...scope,
      signal: aborting.signal,
    })) {
      expect([event.type, JSON.parse(event.data).group]).toEqual(['view', 'blue']);
      break;
    }
    aborting.abort();
  });

  test('routes: put under a condition, list, weights, delete', async () => {
    const to = [{ service: 'web', weight: 1 }];
    const route = await client.routes.put('r', { to }, { if: 'absent' });
    await expect(client.routes.put('r', { to }, { if: 'absent' })).rejects.toMatchObject({
      code: 'PRECONDITION_FAILED',
    });
    const at = { if: route.modifyRevision };
    expect((await client.routes.setWeights('r', [5], at)).to[0]?.weight).toBe(5);
    await expect(client.routes.delete('r', at)).rejects.toMatchObject({ status: 412 });
    expect((await client.routes.list()).map(({ name }) => name)).toEqual(['r']);
    expect((await client.routes.get('r')).name).toBe('r');
    const told = await client.routes.explain({
      url: 'http://a.test/b?c=d',
      headers: ['X-A: b', 'X-C: d'],
      source: '192.0.2.1',
    });
    expect(told).toMatchObject({ request: { path: '/b', clientIp: '192.0.2.1' } });
    expect(told.route).toMatchObject({ configured: true, path: 'prefix /' });
    expect((await client.routes.delete('r')).deleted.name).toBe('r');
  });

  test('webhooks: create, put, read without the secret, failures, delete', async () => {
    const body = { url: 'http://127.0.0.1:9/hook', secret: 'a-long-shared-secret' };
    const { id: hook } = await client.webhooks.create({ ...body, service: 'nobody' });
    expect(JSON.stringify(await client.webhooks.get(hook))).not.toContain(body.secret);
    const changed = await client.webhooks.put(hook, { ...body, service: 'other' });
    expect(changed.service).toBe('other');
    expect(await client.webhooks.list()).toHaveLength(1);
    expect(await client.webhooks.failures(hook)).toEqual([]);
    expect((await client.webhooks.delete(hook)).deleted.id).toBe(hook);
  });

  test('namespaces, status and events', async () => {
    await client.namespaces.put('extra');
    expect((await client.namespaces.list()).map(({ name }) => name)).toContain('extra');
    expect((await client.namespaces.delete('extra')).deleted).toBe('extra');
    expect((await client.status()).role).toBe('both');
    const { events, revision } = await client.events({ from: 0, service: 'web' });
    expect(events.length).toBeGreaterThan(3);
    expect(revision).toBeGreaterThan(3);
  });

  test('a snapshot moves everything to another registry', async () => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of await client.snapshot.save()) chunks.push(chunk);
    const other = await startPortolan();
    try {
      const there = createClient(
        { url: other.control, namespace: 'shop' },
        { fetch: documentedFetch },
      );
      await there.snapshot.restore(new Uint8Array(Buffer.concat(chunks)));
      expect((await there.instances.get(id)).weight).toBe(7);
      await expect(
        there.snapshot.restore(new Uint8Array(Buffer.concat(chunks))),
      ).rejects.toMatchObject({ status: 409 });
    } finally {
      await other.dispose();
    }
  });
});
