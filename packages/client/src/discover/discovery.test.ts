import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { createClient } from '../client.ts';
import type { DiscoverOptions, Discovery } from './discovery.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Arrival {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  readonly streaming: boolean;
}

/** A registry whose every question is handed to the test. */
async function aRegistry() {
  const arrived: Arrival[] = [];
  const waiting: ((arrival: Arrival) => void)[] = [];
  const server = createServer((request, response) => {
    const query = new URL(request.url ?? '', 'http://x').searchParams;
    const streaming = request.headers.accept === 'text/event-stream';
    const arrival = { request, response, query, streaming };
    const taker = waiting.shift();
    if (taker) taker(arrival);
    else arrived.push(arrival);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  closers.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    next: () =>
      new Promise<Arrival>((resolve) => {
        const arrival = arrived.shift();
        if (arrival) resolve(arrival);
        else waiting.push(resolve);
      }),
  };
}

function stream({ response }: Arrival): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.flushHeaders();
}

interface Described {
  readonly zone?: string;
  readonly weight?: number;
  readonly routable?: boolean;
}

function aView(revision: number, instances: Readonly<Record<string, Described>>) {
  return {
    service: 'web',
    namespace: 'default',
    group: 'default',
    revision,
    protection: null,
    instances: Object.entries(instances).map(
      ([id, { zone, weight = 100, routable = true }], index) => ({
        id,
        service: 'web',
        namespace: 'default',
        group: 'default',
        address: '127.0.0.1',
        port: 3_000 + index,
        tags: [],
        metadata: {},
        labels: zone === undefined ? {} : { zone },
        weight,
        effectiveWeight: weight,
        status: 'passing',
        statusReason: '',
        routable,
        protected: false,
        intent: { enabled: true, weight: null, maintenance: null },
        lease: null,
        checks: [],
        registeredAt: '2026-11-23T21:00:00.000Z',
        createRevision: 1,
        modifyRevision: revision,
      }),
    ),
  };
}

const event = (view: { readonly revision: number }) =>
  `id: ${view.revision}\nevent: view\ndata: ${JSON.stringify(view)}\n\n`;

function discover(url: string, options: DiscoverOptions = {}): Discovery {
  const discovery = createClient({ url }).discover('web', {
    retry: { baseMs: 5, capMs: 10 },
    ...options,
  });
  closers.push(() => discovery.close());
  return discovery;
}

const ids = (discovery: Discovery) => discovery.instances().map(({ id }) => id);
const changed = (discovery: Discovery) =>
  new Promise<void>((resolve) => {
    const stop = discovery.on('change', () => {
      stop();
      resolve();
    });
  });

describe('a discovery', () => {
  test('follows the stream, resumes after the last revision, and keeps what it knows between', async () => {
    const registry = await aRegistry();
    const discovery = discover(registry.url);
    const first = await registry.next();
    expect([first.streaming, first.query.get('from')]).toEqual([true, null]);
    stream(first);
    first.response.write(event(aView(7, { a: {}, b: { routable: false } })));
    await discovery.ready;
    expect([ids(discovery), discovery.stale]).toEqual([['a'], false]);

    const away = new Promise((resolve) => discovery.on('away', resolve));
    first.response.destroy();
    await away;
    expect([ids(discovery), discovery.stale]).toEqual([['a'], true]);

    const second = await registry.next();
    expect(second.query.get('from')).toBe('7');
    stream(second);
    const change = changed(discovery);
    second.response.write(event(aView(9, { a: {}, c: {} })));
    await change;
    expect([ids(discovery), discovery.stale]).toEqual([['a', 'c'], false]);
  });

  test('reads the whole view again when it fell too far behind', async () => {
    const registry = await aRegistry();
    const discovery = discover(registry.url);
    const first = await registry.next();
    stream(first);
    first.response.write(event(aView(7, { a: {} })));
    await discovery.ready;
    first.response.end('event: compacted\ndata: {"code":"REVISION_COMPACTED"}\n\n');
    const second = await registry.next();
    expect(second.query.get('from')).toBeNull();
    stream(second);
    const change = changed(discovery);
    // A registry that began anew has smaller revisions.
    second.response.write(event(aView(3, { z: {} })));
    await change;
    expect(ids(discovery)).toEqual(['z']);
  });

  test('asks by long poll when streams break off before an event', async () => {
    const registry = await aRegistry();
    const discovery = discover(registry.url);
    let arrival = await registry.next();
    let streams = 0;
    while (arrival.streaming) {
      streams += 1;
      stream(arrival);
      arrival.response.end();
      arrival = await registry.next();
    }
    expect(streams).toBe(3);
    const answer = ({ response }: Arrival, view: object) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(view));
    };
    expect(arrival.query.get('index')).toBe('0');
    answer(arrival, aView(4, { a: {} }));
    await discovery.ready;
    const next = await registry.next();
    expect([next.query.get('index'), next.query.get('wait')]).toEqual(['4', '30000ms']);
    const change = changed(discovery);
    answer(next, aView(5, { b: {} }));
    await change;
    expect(ids(discovery)).toEqual(['b']);
  });

  test('prefers its own zone, shares by weight, and never picks what has none', async () => {
    const registry = await aRegistry();
    const discovery = discover(registry.url, { zone: 'a' });
    const arrival = await registry.next();
    stream(arrival);
    const near = {
      a1: { zone: 'a', weight: 300 },
      a2: { zone: 'a' },
      a3: { zone: 'a', weight: 0 },
    };
    arrival.response.write(event(aView(1, { ...near, b1: { zone: 'b' } })));
    await discovery.ready;
    const picks = Array.from({ length: 8 }, () => discovery.pick()?.id);
    expect(picks.filter((id) => id === 'a1')).toHaveLength(6);
    expect(new Set(picks)).toEqual(new Set(['a1', 'a2']));
    const change = changed(discovery);
    arrival.response.write(
      event(aView(2, { a1: { zone: 'a', routable: false }, b1: { zone: 'b' } })),
    );
    await change;
    expect(discovery.pick()?.id).toBe('b1');
  });

  test('starts from the copy on disk without a registry, and not from a damaged one', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'portolan-discovery-'));
    closers.push(() => rm(folder, { recursive: true }));
    const registry = await aRegistry();
    const warm = discover(registry.url, { snapshotDir: folder });
    const arrival = await registry.next();
    stream(arrival);
    arrival.response.write(event(aView(7, { a: {} })));
    await warm.ready;
    await warm.close();

    const cold = discover('http://127.0.0.1:9', { snapshotDir: folder });
    await cold.ready;
    expect([ids(cold), cold.stale, cold.pick()?.id]).toEqual([['a'], true, 'a']);

    const { writeFile } = await import('node:fs/promises');
    await writeFile(join(folder, 'default.default.web.json'), '{"v":1,"view":{"service":7}}');
    const damaged = discover('http://127.0.0.1:9', { snapshotDir: folder });
    await new Promise((resolve) => damaged.on('away', resolve));
    expect([damaged.view, damaged.pick()]).toEqual([undefined, undefined]);
  });
});
