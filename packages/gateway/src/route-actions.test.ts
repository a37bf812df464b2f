import { afterEach, describe, expect, it } from 'vitest';
import { aRawClient, aRawUpstream } from './test-rig/raw-peer.ts';
import { aGateway, anUpstream, ask, cleanUp } from './test-rig/running-gateway.ts';
import { anInstance, aRoute } from './test-rig/settable-catalogue.ts';

afterEach(cleanUp);

/** A gateway before an upstream that answers what it was sent, with one route. */
async function routed(over: Omit<Parameters<typeof aRoute>[0], 'name'>) {
  const echo = await anUpstream((req, res) => {
    res.setHeader('X-Upstream', 'yes');
    res.setHeader('Server', 'echo');
    res.end(JSON.stringify({ url: req.url, method: req.method, headers: req.headers }));
  });
  const rig = await aGateway();
  rig.catalogue.set('web', [anInstance(echo.port)]);
  rig.catalogue.setRoutes([aRoute({ name: 'r', ...over })]);
  return rig;
}

const WEB = { service: 'web', namespace: 'default', group: 'default', subset: {}, weight: 1 };

describe('a route that redirects', () => {
  it('keeps what it does not change', async () => {
    const { port } = await routed({ redirect: { status: 308, scheme: 'https' }, destinations: [] });
    const answer = await ask(port, '/a/b?c=d', { headers: { host: 'shop.example:8080' } });
    expect([answer.status, answer.headers.location, answer.body]).toEqual([
      308,
      'https://shop.example/a/b?c=d',
      '',
    ]);
  });

  it('replaces host, port and what matched of the path', async () => {
    const { port } = await routed({
      matches: [{ path: { prefix: '/old' } }],
      redirect: { status: 301, host: 'new.example', port: 8443, prefix: '/new' },
      destinations: [],
    });
    const answer = await ask(port, '/old/x?y=1');
    expect(answer.headers.location).toBe('http://new.example:8443/new/x?y=1');
  });

  it('never makes a host of a path', async () => {
    const { port } = await routed({ redirect: { status: 302, prefix: '' }, destinations: [] });
    const answer = await ask(port, '//evil.example/x', { headers: { host: 'good.example' } });
    expect(answer.headers.location?.startsWith('http://good.example/')).toBe(true);
  });
});

describe('a route that answers', () => {
  it('needs no service', async () => {
    const { port } = await routed({
      answer: { status: 418, body: 'short and stout', contentType: 'text/x-pot' },
      responseHeaders: { set: { 'X-Pot': 'tea' } },
      destinations: [],
    });
    const answer = await ask(port, '/');
    expect([answer.status, answer.body, answer.headers['content-type']]).toEqual([
      418,
      'short and stout',
      'text/x-pot',
    ]);
    expect(answer.headers['x-pot']).toBe('tea');
  });
});

describe('a route that edits heads', () => {
  it('removes, sets and adds, the destination after the route on the way in and before it on the way back', async () => {
    const { port } = await routed({
      requestHeaders: { remove: ['X-Gone'], set: { 'X-Who': 'route' }, add: { 'X-More': '2' } },
      responseHeaders: { remove: ['server'], set: { 'X-Where': 'route' } },
      destinations: [
        {
          ...WEB,
          requestHeaders: { set: { 'X-Who': 'destination' } },
          responseHeaders: { set: { 'X-Where': 'destination', 'X-Also': 'destination' } },
        },
      ],
    });
    const answer = await ask(port, '/', {
      headers: { 'x-gone': 'a', 'x-who': 'client', 'x-more': '1' },
    });
    const { headers } = JSON.parse(answer.body);
    expect([headers['x-gone'], headers['x-who'], headers['x-more']]).toEqual([
      undefined,
      'destination',
      '1, 2',
    ]);
    expect(answer.headers.server).toBeUndefined();
    expect([answer.headers['x-where'], answer.headers['x-also']]).toEqual(['route', 'destination']);
  });

  it('never touches framing, connection or host', async () => {
    const { port } = await routed({
      requestHeaders: {
        remove: ['Host', 'Content-Length'],
        set: { 'Transfer-Encoding': 'chunked', Connection: 'close' },
      },
    });
    const answer = await ask(port, '/', { method: 'POST', body: 'abc', headers: { host: 'h' } });
    const { headers } = JSON.parse(answer.body);
    expect([headers.host, headers['content-length'], headers['transfer-encoding']]).toEqual([
      'h',
      '3',
      undefined,
    ]);
  });
});

describe('a route that rewrites by a pattern', () => {
  it('puts the groups where the substitution says, and keeps the query', async () => {
    const { port } = await routed({
      rewriteRegex: { pattern: '^/service/([^/]+)(/.*)$', substitution: '\\2/instance/\\1' },
    });
    const answer = await ask(port, '/service/foo/v1/api?x=1');
    expect(JSON.parse(answer.body).url).toBe('/v1/api/instance/foo?x=1');
  });

  it('refuses what comes out as no path', async () => {
    const { port } = await routed({ rewriteRegex: { pattern: '^/', substitution: '' } });
    const answer = await ask(port, '/x');
    expect([answer.status, JSON.parse(answer.body).error.code]).toEqual([500, 'REWRITE_INVALID']);
  });
});

describe('trailers of a request', () => {
  it('are passed on, but for those that must not be trailers', async () => {
    const upstream = await aRawUpstream(async (peer) => {
      await peer.until(/0\r\n(.+\r\n)*\r\n$/);
      peer.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    });
    const { port, catalogue } = await aGateway();
    catalogue.set('web', [anInstance(upstream.port)]);
    const client = await aRawClient(port);
    client.send(
      'POST /web/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\nAuthorization: no\r\n\r\n',
    );
    await client.until(/200 OK/);
    expect(upstream.peers[0]?.text).toMatch(/3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n$/);
  });
});

describe('a client that waits to be asked for its body', () => {
  it('is asked after a second when the upstream says nothing', async () => {
    const upstream = await aRawUpstream(async (peer) => {
      await peer.until(/abc$/);
      peer.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    });
    const { port, catalogue } = await aGateway();
    catalogue.set('web', [anInstance(upstream.port)]);
    const client = await aRawClient(port);
    client.send(
      'POST /web/ HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n',
    );
    await client.until(/^HTTP\/1.1 100 Continue\r\n\r\n/);
    client.send('abc');
    await client.until(/200 OK/);
  });
});

describe('a failure', () => {
  it('is told to a gRPC client in its own form', async () => {
    const { port } = await aGateway();
    const answer = await ask(port, '/pkg.Service/Call', {
      method: 'POST',
      headers: { 'content-type': 'application/grpc+proto', te: 'trailers' },
    });
    expect([answer.status, answer.headers['grpc-status'], answer.body]).toEqual([200, '12', '']);
    expect(answer.headers['content-type']).toBe('application/grpc');
  });

  it('of an exchange that outlives its grpc-timeout is a deadline exceeded', async () => {
    const upstream = await aRawUpstream(() => undefined);
    const { port, catalogue } = await aGateway();
    catalogue.set('web', [anInstance(upstream.port)]);
    const answer = await ask(port, '/web/pkg.Service/Call', {
      method: 'POST',
      headers: { 'content-type': 'application/grpc', 'grpc-timeout': '50m' },
    });
    expect(answer.headers['grpc-status']).toBe('4');
  });

  it('ends an exchange in which nothing moves for longer than its route allows', async () => {
    const upstream = await aRawUpstream(async (peer) => {
      await peer.until(/\r\n\r\n/);
      peer.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc');
    });
    const { port, catalogue } = await aGateway();
    catalogue.set('web', [anInstance(upstream.port)]);
    catalogue.setRoutes([aRoute({ name: 'r', idleTimeoutMs: 60 })]);
    const client = await aRawClient(port);
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await client.end()).toMatch(/200 OK[\s\S]*\r\n\r\nabc$/);
  });
});

describe('the name of a service', () => {
  it('leads past its routes unless that is switched off, at once and for all', async () => {
    const upstream = await anUpstream((_req, res) => res.end('secret'));
    const { port, catalogue, gateway } = await aGateway();
    catalogue.set('web', [anInstance(upstream.port)]);
    catalogue.setRoutes([aRoute({ name: 'guarded', matches: [{ path: { exact: '/guarded' } }] })]);
    expect((await ask(port, '/web/')).body).toBe('secret');
    expect((await ask(port, '/', { headers: { host: 'web' } })).body).toBe('secret');
    gateway.update({ routeByName: false });
    expect((await ask(port, '/web/')).status).toBe(404);
    expect((await ask(port, '/', { headers: { host: 'web' } })).status).toBe(404);
    expect((await ask(port, '/guarded')).body).toBe('secret');
    const told = gateway.explain({ method: 'GET', url: '/web/', headers: [], source: '127.0.0.1' });
    expect(told.outcome).toBe('refused');
  });
});
