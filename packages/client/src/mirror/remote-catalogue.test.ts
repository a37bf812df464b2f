import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CatalogueUpdate } from '@portolan/core';
import { afterEach, describe, expect, test } from 'vitest';
import { createRemoteCatalogue } from './remote-catalogue.ts';

const closers: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const WEB = { namespace: 'default', group: 'default', name: 'web' };

function aView(revision: number, ids: readonly string[], active?: string): string {
  const instances = ids.map((id, index) => ({
    id,
    service: 'web',
    namespace: 'default',
    group: 'default',
    address: '127.0.0.1',
    port: 3_000 + index,
    tags: [],
    metadata: {},
    labels: {},
    weight: 100,
    effectiveWeight: 100,
    status: 'passing',
    statusReason: '',
    routable: active === undefined || active === id,
    protected: false,
    ...(active === undefined
      ? {}
      : { exclusive: { role: active === id ? 'active' : 'standby', term: revision, active } }),
    intent: { enabled: true, weight: null, maintenance: null },
    lease: null,
    checks: [],
    registeredAt: '2026-11-23T21:00:00.000Z',
    createRevision: 1,
    modifyRevision: revision,
  }));
  const { name: service, namespace, group } = WEB;
  const since = '2026-11-23T21:00:00.000Z';
  const exclusive = active && { term: revision, active, since, reason: 'gone' };
  const head = { service, namespace, group, revision, protection: null };
  return JSON.stringify({ ...head, ...(exclusive && { exclusive }), instances });
}

const full = 'event: sync\ndata: {"revision":5,"full":true}\n\n';
const ready = 'event: ready\ndata: {"revision":5}\n\n';
const view = (revision: number, ids: readonly string[], active?: string) =>
  `event: view\ndata: ${aView(revision, ids, active)}\n\n`;

/** A registry whose every connection to `/watch` is handed to the test. */
async function aRegistry() {
  const waiting: ((response: ServerResponse) => void)[] = [];
  const arrived: ServerResponse[] = [];
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.flushHeaders();
    const taker = waiting.shift();
    if (taker) taker(response);
    else arrived.push(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  closers.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connection: () =>
      new Promise<ServerResponse>((resolve) => {
        const response = arrived.shift();
        if (response) resolve(response);
        else waiting.push(resolve);
      }),
  };
}

describe('a mirror of a registry elsewhere', () => {
  test('rule 10: registry down is not gateway down', async () => {
    const registry = await aRegistry();
    const mirror = createRemoteCatalogue({ url: registry.url, retry: { baseMs: 5, capMs: 10 } });
    closers.push(() => mirror.close());
    const updates: CatalogueUpdate[] = [];
    mirror.subscribe((update) => void updates.push(update));

    const first = await registry.connection();
    first.write(full + view(4, ['web-1', 'web-2']) + ready);
    await mirror.ready;
    expect(mirror.view(WEB)?.instances.map(({ id }) => id)).toEqual(['web-1', 'web-2']);

    first.destroy();
    const second = await registry.connection();
    expect(mirror.stale).toBe(true);
    expect(mirror.view(WEB)?.instances).toHaveLength(2);

    // A sync that breaks off before `ready` changes nothing.
    second.write(full);
    second.destroy();
    const third = await registry.connection();
    expect(mirror.view(WEB)?.instances).toHaveLength(2);
    expect(updates).toHaveLength(1);

    const changed = new Promise((resolve) => mirror.subscribe(resolve));
    third.write(full + view(5, ['web-2']) + ready);
    await changed;
    expect(mirror.stale).toBe(false);
    expect(mirror.view(WEB)?.instances.map(({ id }) => id)).toEqual(['web-2']);
    expect(updates).toHaveLength(2);
  });

  test('knows who is active in an exclusive service, and tells when that changes', async () => {
    const registry = await aRegistry();
    const mirror = createRemoteCatalogue({ url: registry.url, retry: { baseMs: 5, capMs: 10 } });
    closers.push(() => mirror.close());
    const first = await registry.connection();
    first.write(full + view(4, ['web-1', 'web-2'], 'web-1') + ready);
    await mirror.ready;
    const sinceMs = Date.parse('2026-11-23T21:00:00.000Z');
    const term = { term: 4, active: 'web-1', sinceMs, reason: 'gone' };
    expect(mirror.view(WEB)?.exclusive).toEqual(term);
    expect(mirror.services()[0]).toMatchObject({ routable: 1, exclusive: true });

    // Away while it was handed over: the difference of two whole states is told.
    const changed = new Promise<CatalogueUpdate>((resolve) => mirror.subscribe(resolve));
    first.destroy();
    const second = await registry.connection();
    second.write(full + view(5, ['web-1', 'web-2'], 'web-2') + ready);
    const [told] = (await changed).views;
    expect(told?.instances.map(({ routable, exclusive }) => [routable, exclusive])).toEqual([
      [false, { role: 'standby', term: 5, active: 'web-2' }],
      [true, { role: 'active', term: 5, active: 'web-2' }],
    ]);
  });
});
