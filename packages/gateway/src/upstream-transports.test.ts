import { request } from 'node:http';
import type { StoredTrafficPolicy } from '@portolan/core';
import { afterEach, describe, expect, it } from 'vitest';
import { anHttp2Upstream } from './test-rig/http2-upstream.ts';
import { aRawClient, aRawUpstream } from './test-rig/raw-peer.ts';
import { aGateway, ask, cleanUp } from './test-rig/running-gateway.ts';
import { anInstance, aRoute } from './test-rig/settable-catalogue.ts';

afterEach(cleanUp);

function aPolicy(over: Partial<StoredTrafficPolicy>): StoredTrafficPolicy {
  return {
    service: 'web',
    namespace: 'default',
    group: 'default',
    subsets: {},
    createRevision: 1,
    modifyRevision: 1,
    ...over,
  };
}

describe('an instance whose label says that it speaks HTTP/2', () => {
  it('gets the requests of all clients over one connection, body and trailers included', async () => {
    const upstream = await anHttp2Upstream((stream, headers) => {
      stream.respond({ ':status': 200, 'x-path': headers[':path'] }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.pipe(stream);
    });
    const { catalogue, port } = await aGateway();
    catalogue.setRoutes([aRoute({ name: 'r' })]);
    catalogue.set('web', [anInstance(upstream.port, { labels: { protocol: 'grpc' } })]);
    const answers = await Promise.all(
      [1, 2, 3, 4].map((at) => ask(port, `/${at}`, { method: 'POST', body: `body ${at}` })),
    );
    expect(answers.map(({ body }) => body)).toEqual(['body 1', 'body 2', 'body 3', 'body 4']);
    expect(answers[2]?.headers['x-path']).toBe('/3');
    expect(upstream.connections()).toBe(1);
    const trailers = await new Promise((resolve, reject) => {
      const sent = request({ port, method: 'POST', headers: { te: 'trailers' } }, (answer) => {
        answer.resume();
        answer.on('end', () => resolve(answer.trailers));
      });
      sent.on('error', reject);
      sent.end('x');
    });
    expect(trailers).toEqual({ 'grpc-status': '0' });
  });

  it('gets a POST again that it refused, since it did not work on it', async () => {
    let refused = 0;
    const upstream = await anHttp2Upstream((stream) => {
      if (refused++ === 0) {
        stream.close(7);
        return;
      }
      stream.respond({ ':status': 200 });
      stream.pipe(stream);
    });
    const { catalogue, port } = await aGateway();
    catalogue.setRoutes([aRoute({ name: 'r' })]);
    catalogue.set('web', [anInstance(upstream.port, { labels: { protocol: 'h2c' } })]);
    const answer = await ask(port, '/', { method: 'POST', body: 'kept' });
    expect(answer).toMatchObject({ status: 200, body: 'kept' });
    expect(refused).toBe(2);
  });

  it('is spoken to by HTTP/1.1 where a client switches protocols', async () => {
    const upstream = await aRawUpstream(async (peer) => {
      await peer.until(/\r\n\r\n/);
      peer.send(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhi',
      );
    });
    const { catalogue, port } = await aGateway();
    catalogue.setRoutes([aRoute({ name: 'r' })]);
    catalogue.set('web', [anInstance(upstream.port, { labels: { protocol: 'h2' } })]);
    const client = await aRawClient(port);
    client.send('GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
    expect(await client.until(/hi$/)).toContain('101 Switching Protocols');
    expect(upstream.peers[0]?.text).toContain('GET /ws HTTP/1.1\r\n');
  });
});

describe('a traffic policy', () => {
  it('has new connections dialled by its transport from the next request on, and the old ones closed', async () => {
    const upstream = await aRawUpstream(async (peer) => {
      for (let count = 1; ; count++) {
        await peer.until(new RegExp(`^(?:[^]*?\r\n\r\n){${count}}`));
        peer.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      }
    });
    const { catalogue, port } = await aGateway({ trustedProxies: ['127.0.0.1'] });
    catalogue.setRoutes([aRoute({ name: 'r' })]);
    catalogue.set('web', [anInstance(upstream.port)]);
    expect((await ask(port, '/')).status).toBe(200);
    catalogue.setPolicies([aPolicy({ transport: { proxyProtocol: 1 } })]);
    expect((await ask(port, '/')).status).toBe(200);
    const told = await ask(port, '/', { headers: { 'X-Forwarded-For': '192.0.2.7' } });
    expect(told.status).toBe(200);
    expect(upstream.peers).toHaveLength(3);
    await upstream.peers[0]?.end();
    expect(upstream.peers[0]?.text).toMatch(/^GET/);
    const own = new RegExp(`^PROXY TCP4 127\\.0\\.0\\.1 127\\.0\\.0\\.1 [1-9]\\d* ${port}\r\nGET`);
    expect(upstream.peers[1]?.text).toMatch(own);
    expect(upstream.peers[2]?.text).toMatch(/^PROXY TCP4 192\.0\.2\.7 127\.0\.0\.1 0 /);
    catalogue.setPolicies([]);
    expect((await ask(port, '/')).status).toBe(200);
    expect(upstream.peers[3]?.text).toMatch(/^GET/);
    await upstream.peers[1]?.end();
    await upstream.peers[2]?.end();
  });

  it('that is written again without another transport leaves the connections alone', async () => {
    const upstream = await anHttp2Upstream((stream) => {
      stream.respond({ ':status': 200 });
      stream.end('ok');
    });
    const { catalogue, gateway, port } = await aGateway();
    catalogue.setRoutes([aRoute({ name: 'r' })]);
    catalogue.setPolicies([aPolicy({ transport: { protocol: 'h2' } })]);
    catalogue.set('web', [anInstance(upstream.port)]);
    expect((await ask(port, '/')).body).toBe('ok');
    catalogue.setPolicies([
      aPolicy({ transport: { protocol: 'h2' }, slowStartMs: 1, modifyRevision: 2 }),
    ]);
    gateway.update({});
    expect((await ask(port, '/')).body).toBe('ok');
    expect(upstream.connections()).toBe(1);
  });

  it('whose certificates cannot be read fails its requests and dials nobody', async () => {
    const upstream = await aRawUpstream(() => undefined);
    const { catalogue, port } = await aGateway();
    catalogue.setRoutes([aRoute({ name: 'r' })]);
    catalogue.setPolicies([aPolicy({ transport: { tls: { caFile: '/does/not/exist.pem' } } })]);
    catalogue.set('web', [anInstance(upstream.port)]);
    const answer = await ask(port, '/');
    expect(answer.status).toBe(502);
    expect(answer.body).toContain('UPSTREAM_TLS_FAILED');
    expect(upstream.peers).toHaveLength(0);
  });
});

describe('a gRPC answer that cannot be completed', () => {
  it('ends with trailers that say that the upstream is unavailable', async () => {
    const upstream = await anHttp2Upstream((stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
      stream.write('half', () => stream.session?.destroy());
    });
    const { catalogue, port } = await aGateway();
    catalogue.setRoutes([aRoute({ name: 'r' })]);
    catalogue.set('web', [anInstance(upstream.port, { labels: { protocol: 'grpc' } })]);
    const client = await aRawClient(port);
    const head =
      'POST /s/m HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nContent-Type: application/grpc\r\n';
    client.send(`${head}Content-Length: 0\r\n\r\n`);
    const text = await client.until(/Grpc-Message: .*\r\n\r\n$/);
    expect(text).toContain('half');
    expect(text).toContain('\r\n0\r\nGrpc-Status: 14\r\nGrpc-Message: UPSTREAM_CONNECTION_LOST');
  });

  it('that is no gRPC is cut', async () => {
    const upstream = await anHttp2Upstream((stream) => {
      stream.respond({ ':status': 200, 'content-type': 'text/plain' });
      stream.write('half', () => stream.session?.destroy());
    });
    const { catalogue, port } = await aGateway();
    catalogue.setRoutes([aRoute({ name: 'r' })]);
    catalogue.set('web', [anInstance(upstream.port, { labels: { protocol: 'h2' } })]);
    const client = await aRawClient(port);
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n');
    expect(await client.end()).toMatch(/half\r\n$/);
  });
});
