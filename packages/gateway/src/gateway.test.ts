import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type CatalogueReader,
  type CatalogueUpdate,
  type Clock,
  DEFAULT_INTENT,
  type Instance,
  NO_LOGGER,
  NO_METRICS,
  type ServiceView,
  type StoredRoute,
} from '@portolan/core';
import { seededRandom } from '@portolan/testing';
import { afterEach, describe, expect, it } from 'vitest';
import WebSocket, { WebSocketServer } from 'ws';
import { createGateway, type Gateway } from './gateway.ts';
import type { GatewayOptions } from './gateway-options.ts';

const realClock: Clock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  setTimer(delayMs, callback) {
    const timer = setTimeout(callback, delayMs).unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

/** A catalogue whose views and routes the test sets. */
class SettableCatalogue implements CatalogueReader {
  revision = 0;
  #routes: readonly StoredRoute[] = [];
  readonly #views = new Map<string, ServiceView>();
  readonly #listeners = new Set<(update: CatalogueUpdate) => void>();

  set(name: string, instances: readonly Instance[]): void {
    const service = { namespace: 'default', group: 'default', name };
    const view = { service, revision: ++this.revision, instances };
    this.#views.set(name, view);
    for (const listener of this.#listeners) listener({ revision: this.revision, views: [view] });
  }

  setRoutes(routes: readonly StoredRoute[]): void {
    this.#routes = routes;
    const update = { revision: ++this.revision, views: [], routes };
    for (const listener of this.#listeners) listener(update);
  }

  services() {
    return [...this.#views.values()].map((view) => ({
      service: view.service,
      revision: view.revision,
      instances: view.instances.length,
      routable: view.instances.length,
      protected: false,
    }));
  }
  view(service: { name: string }) {
    return this.#views.get(service.name);
  }
  instance() {
    return undefined;
  }
  routes() {
    return this.#routes;
  }
  subscribe(listener: (update: CatalogueUpdate) => void) {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
  subscribeService() {
    return () => undefined;
  }
}

function anInstance(port: number, over: Partial<Instance> = {}): Instance {
  return {
    id: `i-${port}`,
    service: { namespace: 'default', group: 'default', name: 'web' },
    address: '127.0.0.1',
    port,
    tags: [],
    metadata: {},
    labels: {},
    weight: 100,
    effectiveWeight: 100,
    checks: [],
    initialStatus: 'passing',
    registeredAtMs: 0,
    status: 'passing',
    statusReason: '',
    intent: DEFAULT_INTENT,
    routable: true,
    protected: false,
    createRevision: 1,
    modifyRevision: 1,
    ...over,
  };
}

function aRoute(over: Partial<StoredRoute> & { name: string }): StoredRoute {
  return {
    namespace: 'default',
    hosts: [],
    matches: [],
    destinations: [
      { service: 'web', namespace: 'default', group: 'default', subset: {}, weight: 1 },
    ],
    createRevision: 1,
    modifyRevision: 1,
    ...over,
  };
}

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function anUpstream(
  handler: Parameters<typeof createServer>[1],
): Promise<{ port: number; server: Server }> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, server };
}

async function aGateway(options: GatewayOptions = {}) {
  const catalogue = new SettableCatalogue();
  const gateway: Gateway = createGateway(options, {
    catalogue,
    clock: realClock,
    random: seededRandom(1),
    logger: NO_LOGGER,
    metrics: NO_METRICS,
    addressPolicy: { check: () => ({ allowed: true }) },
    resolve: async () => ['127.0.0.1'],
  });
  const { port } = await gateway.listen('127.0.0.1', 0);
  cleanups.push(() => gateway.close());
  return { catalogue, gateway, port };
}

interface Answer {
  status: number;
  headers: IncomingMessage['headers'];
  body: string;
}

function ask(
  port: number,
  path: string,
  over: { method?: string; headers?: Record<string, string>; body?: string | Buffer } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        path,
        method: over.method ?? 'GET',
        headers: over.headers ?? {},
        agent: false,
      },
      (answer) => {
        const pieces: Buffer[] = [];
        answer.on('data', (piece: Buffer) => pieces.push(piece));
        answer.on('error', reject);
        answer.on('end', () =>
          resolve({
            status: answer.statusCode ?? 0,
            headers: answer.headers,
            body: Buffer.concat(pieces).toString(),
          }),
        );
      },
    );
    sent.on('error', reject);
    sent.end(over.body);
  });
}

describe('the gateway', () => {
  it('routes by path and by host without any configuration', async () => {
    const { port: up } = await anUpstream((req, res) =>
      res.end(`${req.url} ${req.headers.host} ${req.headers['x-forwarded-prefix'] ?? '-'}`),
    );
    const { catalogue, port } = await aGateway();
    catalogue.set('web', [anInstance(up)]);
    expect((await ask(port, '/web/a?b=1')).body).toBe(`/a?b=1 127.0.0.1:${port} /web`);
    expect((await ask(port, '/web')).body).toBe(`/ 127.0.0.1:${port} /web`);
    expect((await ask(port, '/a', { headers: { host: 'web.localhost' } })).body).toBe(
      '/a web.localhost -',
    );
  });

  it('says in JSON that there is no route or no healthy endpoint', async () => {
    const { catalogue, port } = await aGateway();
    const none = await ask(port, '/nothing');
    expect(none.status).toBe(404);
    expect(JSON.parse(none.body)).toMatchObject({
      error: { code: 'NO_ROUTE', status: 404, requestId: none.headers['x-request-id'] },
    });
    catalogue.set('web', [anInstance(1, { routable: false })]);
    const unhealthy = await ask(port, '/web/');
    expect(unhealthy.status).toBe(503);
    expect(JSON.parse(unhealthy.body).error.code).toBe('NO_HEALTHY_ENDPOINT');
  });

  it('follows routes with weights, label subsets and a rewrite', async () => {
    const { port: v1 } = await anUpstream((req, res) => res.end(`v1 ${req.url}`));
    const { port: v2 } = await anUpstream((req, res) => res.end(`v2 ${req.url}`));
    const { catalogue, port } = await aGateway();
    catalogue.set('web', [
      anInstance(v1, { labels: { version: 'v1' } }),
      anInstance(v2, { labels: { version: 'v2' } }),
    ]);
    const to = (version: string, weight: number) => ({
      service: 'web',
      namespace: 'default',
      group: 'default',
      subset: { version },
      weight,
    });
    const canary = (a: number, b: number) =>
      catalogue.setRoutes([
        aRoute({
          name: 'r',
          matches: [{ path: { prefix: '/r' } }],
          rewritePrefix: '/new',
          destinations: [to('v1', a), to('v2', b)],
        }),
      ]);
    canary(1, 0);
    for (let turn = 0; turn < 5; turn++) expect((await ask(port, '/r/x')).body).toBe('v1 /new/x');
    canary(0, 1);
    for (let turn = 0; turn < 5; turn++) expect((await ask(port, '/r/x')).body).toBe('v2 /new/x');
  });

  it('streams a large body both ways unchanged', async () => {
    const { port: up } = await anUpstream((req, res) => req.pipe(res));
    const { catalogue, port } = await aGateway();
    catalogue.set('web', [anInstance(up)]);
    const body = Buffer.alloc(3_000_000, 'portolan ');
    const answer = await ask(port, '/web/', { method: 'POST', body });
    expect(answer.body === body.toString()).toBe(true);
  });

  it('cuts forwarded headers of strangers and believes those of trusted proxies', async () => {
    const { port: up } = await anUpstream((req, res) => res.end(JSON.stringify(req.headers)));
    const sent = {
      'X-Forwarded-For': '6.6.6.6',
      X_Forwarded_For: '6.6.6.6',
      'X-Real-IP': '6.6.6.6',
      'X-Request-Id': 'mine',
      Connection: 'close, x-hop',
      'X-Hop': 'secret',
    };
    const stranger = await aGateway();
    stranger.catalogue.set('web', [anInstance(up)]);
    const cut = await ask(stranger.port, '/web/', { headers: sent });
    expect(cut.body).not.toContain('6.6.6.6');
    expect(cut.body).not.toContain('secret');
    const seen = JSON.parse(cut.body);
    expect(seen['x-forwarded-for']).toBe('127.0.0.1');
    expect(seen['x-request-id']).not.toBe('mine');
    expect(seen.via).toBe('1.1 portolan');
    const trusting = await aGateway({ trustedProxies: ['127.0.0.0/8'] });
    trusting.catalogue.set('web', [anInstance(up)]);
    const kept = JSON.parse((await ask(trusting.port, '/web/', { headers: sent })).body);
    expect(kept['x-forwarded-for']).toBe('6.6.6.6, 127.0.0.1');
    expect(kept['x-request-id']).toBe('mine');
    expect(kept.x_forwarded_for).toBeUndefined();
  });

  it('passes a refusing endpoint over, even for POST, and ejects it at once', async () => {
    const dead = await anUpstream(() => undefined);
    await new Promise((resolve) => dead.server.close(resolve));
    const { port: up } = await anUpstream((_req, res) => res.end('ok'));
    const { catalogue, gateway, port } = await aGateway();
    catalogue.set('web', [anInstance(dead.port), anInstance(up)]);
    for (let turn = 0; turn < 6; turn++) {
      expect((await ask(port, '/web/', { method: 'POST', body: 'x' })).status).toBe(200);
    }
    expect(gateway.stats().ejected).toBe(1);
  });

  it('fails no idempotent request when an upstream dies under concurrent load', async () => {
    let served = 0;
    const first = await anUpstream((_req, res) => {
      served++;
      setImmediate(() => res.end('a'));
    });
    const { port: up } = await anUpstream((_req, res) => setImmediate(() => res.end('b')));
    const { catalogue, port } = await aGateway();
    catalogue.set('web', [anInstance(first.port), anInstance(up)]);
    const statuses: number[] = [];
    const worker = async () => {
      for (let turn = 0; turn < 40; turn++) {
        statuses.push((await ask(port, '/web/')).status);
        if (served === 100) {
          served++;
          first.server.close();
          first.server.closeAllConnections();
        }
      }
    };
    await Promise.all(Array.from({ length: 24 }, worker));
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
    expect(statuses).toHaveLength(960);
  });

  it('fails nothing through a thousand changes of views and routes under load', async () => {
    const ups = await Promise.all([1, 2, 3].map(() => anUpstream((_req, res) => res.end('ok'))));
    const { catalogue, port } = await aGateway();
    const all = ups.map((up) => anInstance(up.port));
    catalogue.set('web', all);
    let changes = 0;
    const failed: number[] = [];
    const worker = async () => {
      while (changes < 1_000) {
        const { status } = await ask(port, '/web/');
        if (status !== 200) failed.push(status);
        for (let turn = 0; turn < 4; turn++) {
          changes++;
          catalogue.set(
            'web',
            all.filter((_, at) => at !== changes % 3),
          );
          catalogue.setRoutes([aRoute({ name: `r${changes}`, hosts: [`h${changes}`] })]);
        }
      }
    };
    await Promise.all(Array.from({ length: 8 }, worker));
    expect(failed).toEqual([]);
    expect(changes).toBeGreaterThanOrEqual(1_000);
  });

  it('answers 504 when the upstream is silent for longer than the route allows', async () => {
    const { port: up } = await anUpstream(() => undefined);
    const { catalogue, port } = await aGateway();
    catalogue.set('web', [anInstance(up)]);
    catalogue.setRoutes([aRoute({ name: 'slow', timeoutMs: 150 })]);
    const answer = await ask(port, '/', { method: 'POST' });
    expect(answer.status).toBe(504);
    expect(JSON.parse(answer.body).error.code).toBe('REQUEST_TIMEOUT');
  });

  it('finishes what is under way at an endpoint that left, and on close', async () => {
    let finish: (() => void) | undefined;
    let arrived: (() => void) | undefined;
    const here = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const { port: up } = await anUpstream((_req, res) => {
      finish = () => res.end('late');
      arrived?.();
    });
    const { catalogue, gateway, port } = await aGateway();
    catalogue.set('web', [anInstance(up)]);
    const answer = ask(port, '/web/');
    await here;
    catalogue.set('web', []);
    const closed = gateway.close({ drainMs: 5_000 });
    finish?.();
    expect((await answer).body).toBe('late');
    await closed;
  });

  it('keeps a WebSocket through route changes', async () => {
    const { port: up, server } = await anUpstream(() => undefined);
    const sockets = new WebSocketServer({ server });
    sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(`<${data}>`)));
    cleanups.push(() => sockets.close());
    const { catalogue, port } = await aGateway();
    catalogue.set('web', [anInstance(up)]);
    const client = new WebSocket(`ws://127.0.0.1:${port}/web/chat`);
    const echo = (text: string) =>
      new Promise<string>((resolve, reject) => {
        client.once('message', (data) => resolve(String(data)));
        client.once('error', reject);
        client.send(text);
      });
    await new Promise((resolve, reject) => client.once('open', resolve).once('error', reject));
    expect(await echo('one')).toBe('<one>');
    catalogue.setRoutes([aRoute({ name: 'r', hosts: ['other'] })]);
    catalogue.set('web', []);
    expect(await echo('two')).toBe('<two>');
    client.terminate();
  });
});
