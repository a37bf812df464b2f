import { once } from 'node:events';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { eventually } from '../support/eventually.ts';
import { type PortolanProcess, startPortolan } from '../support/portolan-process.ts';
import { call, register } from '../support/registry-api.ts';
import { startSteadyLoad } from '../support/steady-load.ts';
import { startUpstream, type UpstreamService } from '../support/upstream-service.ts';

let portolan: PortolanProcess;
const upstreams: UpstreamService[] = [];

async function upstream(name: string): Promise<UpstreamService> {
  const service = await startUpstream(name);
  upstreams.push(service);
  return service;
}

beforeAll(async () => {
  portolan = await startPortolan();
});

afterAll(async () => {
  await portolan?.dispose();
  await Promise.all(upstreams.map((service) => service.stop('SIGKILL')));
});

describe('without a route configured', () => {
  test('the first part of the path names the service, which sees the rest', async () => {
    const a = await upstream('by-path-a');
    await register(portolan.control, 'by-path', a.port);
    const answer = await call(portolan.gateway, 'GET', '/by-path/headers?x=1');
    expect(answer.status).toBe(200);
    expect(answer.body.url).toBe('/headers?x=1');
    expect(answer.body.raw.join('\n').toLowerCase()).toContain('x-forwarded-prefix\n/by-path');
  });

  test('the first label of the host names the service, which sees the path as it is', async () => {
    const a = await upstream('by-host-a');
    await register(portolan.control, 'by-host', a.port);
    const { port } = new URL(portolan.gateway);
    const text = await new Promise<string>((resolve, reject) => {
      request(
        { port, host: '127.0.0.1', path: '/deep/path', headers: { host: 'by-host.example.com' } },
        (answer) => {
          let body = '';
          answer.setEncoding('utf8').on('data', (part: string) => {
            body += part;
          });
          answer.on('end', () => resolve(body));
        },
      )
        .on('error', reject)
        .end();
    });
    expect(text).toBe('by-host-a /deep/path\n');
  });

  test('what nobody serves is 404, and what nobody healthy serves is 503, each with its code', async () => {
    const nothing = await call(portolan.gateway, 'GET', '/nobody-at-all/');
    expect([nothing.status, nothing.body.error.code]).toEqual([404, 'NO_ROUTE']);
    await register(portolan.control, 'down', 9, { status: 'DOWN' });
    const down = await call(portolan.gateway, 'GET', '/down/');
    expect(down.status).toBe(503);
    expect(down.body.error.requestId).toBeTruthy();
  });
});

describe('a registration', () => {
  test('is routed by the time it is acknowledged', async () => {
    const a = await upstream('quick-a');
    for (let at = 0; at < 20; at++) {
      await register(portolan.control, `quick-${at}`, a.port);
      expect((await call(portolan.gateway, 'GET', `/quick-${at}/`)).status).toBe(200);
    }
  });

  test('with a check takes no traffic before its first probe passes', async () => {
    const port = (await upstream('ready-late-holder')).port;
    await upstreams.pop()?.stop('SIGKILL');
    await register(portolan.control, 'ready-late', port, {
      check: { http: `http://127.0.0.1:${port}/health`, interval: '200ms', fall: 1 },
    });
    expect((await call(portolan.gateway, 'GET', '/ready-late/')).status).toBe(503);
    upstreams.push(await startUpstream('ready-late', port));
    const answer = await eventually(async () => {
      const reply = await call(portolan.gateway, 'GET', '/ready-late/');
      return reply.status === 200 ? reply : undefined;
    });
    expect(answer.body).toContain('ready-late');
  });

  test('with a lease leaves when its heartbeats stop, and is told to register again', async () => {
    const a = await upstream('mortal-a');
    const id = await register(portolan.control, 'mortal', a.port, { lease: undefined, ttl: 1 });
    expect((await call(portolan.control, 'PUT', '/heartbeat', { id })).status).toBe(200);
    await eventually(async () => {
      const reply = await call(portolan.control, 'GET', `/api/v1/instances/${id}`);
      return reply.status === 404 ? reply : undefined;
    }, 8_000);
    const late = await call(portolan.control, 'PUT', '/heartbeat', { id });
    expect([late.status, late.body.code]).toEqual([404, 'INSTANCE_NOT_FOUND']);
  });
});

describe('under load', () => {
  test('a killed instance costs no request and leaves rotation at once', async () => {
    const [a, b, c] = await Promise.all(['kill-a', 'kill-b', 'kill-c'].map(upstream));
    for (const service of [a, b, c]) {
      await register(portolan.control, 'kill', service?.port ?? 0, {
        check: { http: `http://127.0.0.1:${service?.port}/health`, interval: '1s' },
      });
    }
    await eventually(async () => {
      const reply = await call(portolan.control, 'GET', '/api/v1/services/kill/instances');
      return reply.body.instances.every((i: { routable: boolean }) => i.routable)
        ? reply
        : undefined;
    });
    const load = startSteadyLoad(`${portolan.gateway}/kill/`, { lanes: 32 });
    await eventually(() => (load.tally.servedBy.get('kill-b') ?? 0) > 100 || undefined);
    const killedMs = performance.now();
    b?.child.kill('SIGKILL');
    await sleep(2_000);
    const tally = await load.stop();
    expect(tally.failures).toEqual([]);
    expect(tally.sent).toBeGreaterThan(500);
    expect((tally.lastServedMs.get('kill-b') ?? 0) - killedMs).toBeLessThan(1_000);
    expect(tally.servedBy.get('kill-a')).toBeGreaterThan(100);
  });

  test('a deregistered instance finishes what it has and gets nothing new', async () => {
    const [a, b] = await Promise.all(['drain-a', 'drain-b'].map(upstream));
    const id = await register(portolan.control, 'drain', a?.port ?? 0);
    const slow = call(portolan.gateway, 'GET', '/drain/?delayMs=800');
    await register(portolan.control, 'drain', b?.port ?? 0);
    const load = startSteadyLoad(`${portolan.gateway}/drain/`, { lanes: 8 });
    await sleep(200);
    await call(portolan.control, 'DELETE', `/register/${id}`);
    const goneMs = performance.now();
    const tally = await sleep(400).then(() => load.stop());
    expect(tally.failures).toEqual([]);
    expect((tally.lastServedMs.get('drain-a') ?? 0) - goneMs).toBeLessThan(100);
    expect((await slow).body).toContain('drain-a');
  });

  test('a canary moves from 0 to 100 % without a failed request, in the shares asked for', async () => {
    const [v1, v2] = await Promise.all(['canary-v1', 'canary-v2'].map(upstream));
    await register(portolan.control, 'canary', v1?.port ?? 0, { tags: ['version:v1'] });
    await register(portolan.control, 'canary', v2?.port ?? 0, { metadata: { version: 'v2' } });
    const route = (one: number, two: number): unknown => ({
      match: { path: { prefix: '/shop' } },
      to: [
        { service: 'canary', labels: { version: 'v1' }, weight: one },
        { service: 'canary', labels: { version: 'v2' }, weight: two },
      ],
    });
    await call(portolan.control, 'PUT', '/api/v1/routes/shop', route(100, 0));
    for (const share of [0, 20, 50, 100]) {
      const weights = await call(portolan.control, 'PUT', '/api/v1/routes/shop/weights', {
        weights: [100 - share, share],
      });
      expect(weights.status).toBe(200);
      const load = startSteadyLoad(`${portolan.gateway}/shop`, { lanes: 8 });
      await eventually(() => load.tally.sent > 600 || undefined, 20_000);
      const tally = await load.stop();
      expect(tally.failures).toEqual([]);
      const got = ((tally.servedBy.get('canary-v2') ?? 0) / tally.sent) * 100;
      if (share === 0 || share === 100) expect(got).toBe(share);
      else expect(Math.abs(got - share)).toBeLessThan(10);
    }
  });

  test("an operator's intent outlives a reconnect", async () => {
    const [a, b] = await Promise.all(['intent-a', 'intent-b'].map(upstream));
    const id = await register(portolan.control, 'intent', a?.port ?? 0);
    await register(portolan.control, 'intent', b?.port ?? 0);
    expect((await call(portolan.control, 'POST', `/api/v1/instances/${id}/disable`)).status).toBe(
      200,
    );
    await call(portolan.control, 'DELETE', `/register/${id}`);
    await register(portolan.control, 'intent', a?.port ?? 0);
    const load = startSteadyLoad(`${portolan.gateway}/intent/`, { lanes: 4 });
    await eventually(() => load.tally.sent > 100 || undefined);
    const tally = await load.stop();
    expect([...tally.servedBy.keys()]).toEqual(['intent-b']);
  });
});

describe('bodies and streams', () => {
  test('pass both ways unchanged, small and large, with length and chunked', async () => {
    const a = await upstream('bodies');
    await register(portolan.control, 'bodies', a.port);
    for (const size of [0, 1, 65_535, 65_536, 5_000_000]) {
      const bytes = Buffer.alloc(size, 'portolan');
      const reply = await fetch(`${portolan.gateway}/bodies/echo`, { method: 'POST', body: bytes });
      expect(Buffer.from(await reply.arrayBuffer()).equals(bytes)).toBe(true);
    }
    const chunked = await fetch(`${portolan.gateway}/bodies/echo`, {
      method: 'POST',
      body: new ReadableStream({
        start(controller) {
          for (let at = 0; at < 50; at++) controller.enqueue(Buffer.from(`part ${at};`));
          controller.close();
        },
      }),
      duplex: 'half',
    } as RequestInit);
    expect(await chunked.text()).toContain('part 49;');
    const head = await fetch(`${portolan.gateway}/bodies/bytes?n=1000`, { method: 'HEAD' });
    expect(head.headers.get('content-length')).toBe('1000');
  });

  test('server-sent events arrive as they are sent', async () => {
    const a = await upstream('sse');
    await register(portolan.control, 'sse', a.port);
    const abort = new AbortController();
    const reply = await fetch(`${portolan.gateway}/sse/sse`, { signal: abort.signal });
    const reader = reply.body?.getReader();
    const startMs = performance.now();
    let text = '';
    while (!text.includes('data: 3')) {
      const part = await reader?.read();
      text += Buffer.from(part?.value ?? []).toString();
    }
    expect(performance.now() - startMs).toBeLessThan(2_000);
    abort.abort();
  });

  test('a WebSocket stays open through a hundred changes of routes and instances', async () => {
    const sockets = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    await once(sockets, 'listening');
    sockets.on('connection', (socket) =>
      socket.on('message', (data) => socket.send(`echo ${data}`)),
    );
    const { port } = sockets.address() as { port: number };
    await register(portolan.control, 'chat', port);
    const client = new WebSocket(`${portolan.gateway.replace('http', 'ws')}/chat/room`);
    await once(client, 'open');
    for (let at = 0; at < 100; at++) {
      await call(portolan.control, 'PUT', `/api/v1/routes/churn-${at % 7}`, {
        match: { path: `/churn/${at}` },
        to: [{ service: 'chat' }],
      });
      await register(portolan.control, 'chat-sibling', 20_000 + at);
    }
    client.send('still here');
    const [data] = await once(client, 'message');
    expect(String(data)).toBe('echo still here');
    client.terminate();
    for (const socket of sockets.clients) socket.terminate();
    sockets.close();
  });
});

test('on SIGTERM requests under way finish, new ones are refused, and the process ends with 0', async () => {
  const own = await startPortolan();
  const a = await upstream('last');
  await register(own.control, 'last', a.port);
  const slow = call(own.gateway, 'GET', '/last/?delayMs=700');
  await sleep(200);
  const ended = own.stop('SIGTERM');
  expect((await slow).status).toBe(200);
  expect(await ended).toEqual({ code: 0, signal: null });
  await expect(call(own.gateway, 'GET', '/last/')).rejects.toThrow();
  await own.dispose();
});
