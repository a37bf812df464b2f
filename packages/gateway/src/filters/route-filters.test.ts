import { request } from 'node:http';
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { aRawClient } from '../test-rig/raw-peer.ts';
import { aGateway, anUpstream, ask, cleanUp } from '../test-rig/running-gateway.ts';
import { anInstance, aRoute } from '../test-rig/settable-catalogue.ts';
import { chooseCoding } from './compression-filter.ts';

afterEach(cleanUp);

type Over = Omit<Parameters<typeof aRoute>[0], 'name'>;

/** A gateway with one route before an upstream that echoes, or does as told. */
async function filtered(over: Over, handler?: Parameters<typeof anUpstream>[0]) {
  let asked = 0;
  const upstream = await anUpstream((req, res) => {
    asked++;
    if (handler) return handler(req, res);
    res.setHeader('Content-Type', 'application/json');
    res.end(JSON.stringify(req.headers));
  });
  const rig = await aGateway();
  rig.catalogue.set('web', [anInstance(upstream.port)]);
  const apply = (next: Over) => rig.catalogue.setRoutes([aRoute({ name: 'r', ...next })]);
  apply(over);
  return { ...rig, apply, asked: () => asked };
}

describe('a rate limit', () => {
  it('refuses what is too much, says when to come again, and outlives a change of the table', async () => {
    const rateLimits = [{ by: 'route' as const, requests: 2, periodMs: 60_000 }];
    const { port, apply, asked } = await filtered({ rateLimits });
    await ask(port, '/');
    await ask(port, '/');
    apply({ rateLimits, timeoutMs: 5_000 });
    const refused = await ask(port, '/');
    expect([refused.status, JSON.parse(refused.body).error.code, asked()]).toEqual([
      429,
      'RATE_LIMITED',
      2,
    ]);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(1);
    expect(refused.headers['ratelimit-policy']).toBe('"default";q=2;w=60');
    apply({ rateLimits: [{ by: 'route', requests: 3, periodMs: 60_000 }] });
    expect((await ask(port, '/')).status).toBe(200);
  });

  it('may be by the value of a header, and leaves requests without it alone', async () => {
    const { port } = await filtered({
      rateLimits: [{ by: { header: 'X-Key' }, requests: 1, periodMs: 60_000 }],
    });
    const statuses = [];
    for (const key of ['a', 'a', 'b', '', '']) {
      statuses.push((await ask(port, '/', { headers: key ? { 'x-key': key } : {} })).status);
    }
    expect(statuses).toEqual([200, 429, 200, 200, 200]);
  });
});

describe('CORS', () => {
  const cors = {
    origins: [{ exact: 'https://a.example' }, { regex: 'https://.*[.]b[.]example' }],
    methods: ['GET', 'PUT'],
    maxAgeMs: 600_000,
    credentials: true,
    exposeHeaders: ['X-Total'],
  };

  it('answers preflights by itself', async () => {
    const { port, asked } = await filtered({ cors });
    const preflight = (origin: string) =>
      ask(port, '/', {
        method: 'OPTIONS',
        headers: {
          origin,
          'access-control-request-method': 'PUT',
          'access-control-request-headers': 'x-a',
        },
      });
    const allowed = await preflight('https://x.b.example');
    expect(allowed.status).toBe(204);
    expect(allowed.headers).toMatchObject({
      'access-control-allow-origin': 'https://x.b.example',
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'GET, PUT',
      'access-control-allow-headers': 'x-a',
      'access-control-max-age': '600',
    });
    const refused = await preflight('https://evil.example');
    expect(refused.headers['access-control-allow-origin']).toBeUndefined();
    expect(asked()).toBe(0);
  });

  it('replaces what the upstream says, also on answers of the gateway itself', async () => {
    const { port, apply } = await filtered({ cors }, (_req, res) => {
      res.setHeader('Access-Control-Allow-Origin', '*');
      res.end('x');
    });
    const headers = { origin: 'https://a.example' };
    const answer = await ask(port, '/', { headers });
    expect(answer.headers['access-control-allow-origin']).toBe('https://a.example');
    expect(answer.headers['access-control-expose-headers']).toBe('X-Total');
    expect(answer.headers.vary).toContain('Origin');
    const stranger = await ask(port, '/', { headers: { origin: 'https://c.example' } });
    expect(stranger.headers['access-control-allow-origin']).toBeUndefined();
    apply({ cors, bodyLimitBytes: 1 });
    const refused = await ask(port, '/', { method: 'PUT', body: 'long', headers });
    expect([refused.status, refused.headers['access-control-allow-origin']]).toEqual([
      413,
      'https://a.example',
    ]);
  });
});

describe('a body limit', () => {
  it('refuses before anything is forwarded, and within a body of unknown length', async () => {
    const { port, asked } = await filtered({ bodyLimitBytes: 10 }, (req, res) => {
      req.resume();
      req.on('end', () => res.end('ok'));
    });
    expect((await ask(port, '/', { method: 'POST', body: '0123456789' })).status).toBe(200);
    const refused = await ask(port, '/', { method: 'POST', body: '0123456789a' });
    expect([refused.status, JSON.parse(refused.body).error.code, asked()]).toEqual([
      413,
      'BODY_TOO_LARGE_FOR_ROUTE',
      1,
    ]);
    const client = await aRawClient(port);
    client.send(
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n01234567\r\n',
    );
    client.send('8\r\n01234567\r\n');
    expect(await client.end()).toContain('413 ');
  });
});

describe('injected faults', () => {
  it('delay and break off the share that is told', async () => {
    const { port, apply, asked } = await filtered({ fault: { abort: { status: 418, share: 1 } } });
    const aborted = await ask(port, '/');
    expect([aborted.status, JSON.parse(aborted.body).error.code, asked()]).toEqual([
      418,
      'FAULT_INJECTED',
      0,
    ]);
    apply({ fault: { delay: { durationMs: 120, share: 1 } } });
    const before = performance.now();
    expect((await ask(port, '/')).status).toBe(200);
    expect(performance.now() - before).toBeGreaterThanOrEqual(115);
    apply({ fault: { abort: { status: 500, share: 0 } } });
    expect((await ask(port, '/')).status).toBe(200);
  });
});

describe('forward-auth', () => {
  const ref = { service: 'auth', namespace: 'default', group: 'default', subset: {} };
  const auth = { service: ref, path: '/check', copyHeaders: ['X-User'], timeoutMs: 300 };

  async function guarded(handler: Parameters<typeof anUpstream>[0], over: Over = {}) {
    const seen: { url: string | undefined; headers: Record<string, unknown> }[] = [];
    const service = await anUpstream((req, res) => {
      seen.push({ url: req.url, headers: req.headers });
      return handler?.(req, res);
    });
    const rig = await filtered({ auth, ...over });
    const key = { namespace: 'default', group: 'default', name: 'auth' };
    rig.catalogue.set('auth', [anInstance(service.port, { service: key })]);
    return { ...rig, seen };
  }

  it('lets pass what the service allows, with what it says of the user and never what the client said', async () => {
    const { port, seen } = await guarded((req, res) => {
      if (req.headers.cookie === 'ok') res.setHeader('X-User', 'alice');
      res.end();
    });
    const answer = await ask(port, '/shop?a=1', {
      method: 'POST',
      body: 'kept here',
      headers: { cookie: 'ok', 'x-user': 'mallory' },
    });
    expect(JSON.parse(answer.body)['x-user']).toBe('alice');
    expect(seen[0]).toMatchObject({
      url: '/check',
      headers: {
        cookie: 'ok',
        'x-forwarded-method': 'POST',
        'x-forwarded-uri': '/shop?a=1',
        'x-forwarded-for': '127.0.0.1',
      },
    });
    const silent = await ask(port, '/', { headers: { 'x-user': 'mallory' } });
    expect(JSON.parse(silent.body)['x-user']).toBeUndefined();
  });

  it('answers as the service does where that refuses', async () => {
    const { port, asked } = await guarded((_req, res) => {
      res.writeHead(302, { Location: 'https://login.example/', 'Set-Cookie': ['a=1', 'b=2'] });
      res.end('go there');
    });
    const answer = await ask(port, '/');
    expect([answer.status, answer.headers.location, answer.body, asked()]).toEqual([
      302,
      'https://login.example/',
      'go there',
      0,
    ]);
    expect(answer.headers['set-cookie']).toEqual(['a=1', 'b=2']);
  });

  it.each([
    [
      'answers 500',
      (_req: unknown, res: { writeHead(n: number): { end(): void } }) => res.writeHead(500).end(),
    ],
    ['does not answer in time', () => undefined],
  ] as const)('lets nobody pass when the service %s, unless told to', async (_what, handler) => {
    const closed = await guarded(handler as never);
    const refused = await ask(closed.port, '/');
    expect([refused.status, JSON.parse(refused.body).error.code, closed.asked()]).toEqual([
      503,
      'AUTH_UNAVAILABLE',
      0,
    ]);
    const open = await guarded(handler as never, { auth: { ...auth, failOpen: true } });
    expect((await ask(open.port, '/')).status).toBe(200);
    expect(open.gateway.stats().activeRequests).toBe(0);
  });

  it('lets nobody pass when there is no such service', async () => {
    const { port } = await filtered({ auth });
    expect((await ask(port, '/')).status).toBe(503);
  });
});

describe('compression', () => {
  const compression = {
    codings: ['zstd', 'br', 'gzip'] as const,
    minBytes: 100,
    types: ['text/*', 'application/json'],
  };
  const text = 'a line of text that compresses well\n'.repeat(3_000);

  function bytes(port: number, encoding: string | undefined, path = '/') {
    return new Promise<{ headers: Record<string, unknown>; body: Buffer }>((resolve, reject) => {
      const headers: Record<string, string> = encoding ? { 'accept-encoding': encoding } : {};
      const sent = request({ port, host: '127.0.0.1', path, headers, agent: false }, (answer) => {
        const pieces: Buffer[] = [];
        answer.on('data', (piece: Buffer) => pieces.push(piece));
        answer.on('end', () => resolve({ headers: answer.headers, body: Buffer.concat(pieces) }));
        answer.on('error', reject);
      });
      sent.on('error', reject);
      sent.end();
    });
  }

  const serving: Parameters<typeof anUpstream>[0] = (req, res) => {
    res.setHeader('Content-Type', req.url === '/image' ? 'image/png' : 'text/plain; charset=utf-8');
    res.setHeader('ETag', '"v1"');
    if (req.url === '/own') res.setHeader('Content-Encoding', 'gzip');
    if (req.url === '/fixed') res.setHeader('Cache-Control', 'public, no-transform');
    const body = req.url === '/small' ? 'small' : text;
    if (req.url !== '/stream') res.setHeader('Content-Length', body.length);
    res.end(body);
  };

  it.each([
    ['gzip', gunzipSync],
    ['br', brotliDecompressSync],
    ['zstd', zstdDecompressSync],
  ] as const)('gives %s to who takes it, with what goes with it', async (coding, undo) => {
    const { port } = await filtered({ compression }, serving);
    for (const path of ['/', '/stream']) {
      const { headers, body } = await bytes(port, coding, path);
      expect(headers).toMatchObject({
        'content-encoding': coding,
        etag: 'W/"v1"',
        vary: 'Accept-Encoding',
      });
      expect(headers['content-length']).toBeUndefined();
      expect(undo(body).toString()).toBe(text);
      expect(body.length).toBeLessThan(text.length / 10);
    }
  });

  it('leaves alone what it must not or need not touch', async () => {
    const { port } = await filtered({ compression }, serving);
    for (const path of ['/image', '/own', '/fixed', '/small']) {
      const { headers, body } = await bytes(port, 'gzip', path);
      expect(headers['content-encoding']).toBe(path === '/own' ? 'gzip' : undefined);
      expect(headers.etag).toBe('"v1"');
      expect(body.length).toBe(path === '/small' ? 5 : text.length);
    }
    expect((await bytes(port, undefined)).headers['content-encoding']).toBeUndefined();
  });

  it('hands each event on before the next one is there', async () => {
    let write: ((text: string) => void) | undefined;
    const { port } = await filtered({ compression }, (_req, res) => {
      res.setHeader('Content-Type', 'text/event-stream');
      res.flushHeaders();
      write = (event) => void res.write(event);
    });
    const pieces: Buffer[] = [];
    const arrived = await new Promise<() => Promise<void>>((resolve) => {
      const headers = { 'accept-encoding': 'gzip' };
      const sent = request({ port, host: '127.0.0.1', headers, agent: false }, (answer) => {
        answer.on('data', (piece: Buffer) => pieces.push(piece));
        answer.on('error', () => undefined);
        resolve(() => new Promise((next) => answer.once('data', () => next())));
      });
      sent.end();
    });
    for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
      const next = arrived();
      write?.(event);
      await next;
    }
    expect(pieces.length).toBeGreaterThanOrEqual(2);
  });

  it('chooses by quality, then in the order of the route', () => {
    const offered = ['zstd', 'br', 'gzip'] as const;
    expect(chooseCoding('gzip, br;q=0.9', offered)).toBe('gzip');
    expect(chooseCoding('gzip, br, zstd', offered)).toBe('zstd');
    expect(chooseCoding('*;q=0.5, br;q=0', offered)).toBe('zstd');
    expect(chooseCoding('identity', offered)).toBeUndefined();
    expect(chooseCoding(undefined, offered)).toBeUndefined();
  });
});
