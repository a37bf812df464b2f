import { afterEach, describe, expect, it } from 'vitest';
import WebSocket, { WebSocketServer } from 'ws';
import { aGateway, anUpstream, ask, cleanUp, onCleanup } from './test-rig/running-gateway.ts';
import { anInstance, aRoute } from './test-rig/settable-catalogue.ts';

afterEach(cleanUp);

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
    onCleanup(() => sockets.close());
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
