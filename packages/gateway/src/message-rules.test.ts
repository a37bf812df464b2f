import { afterEach, describe, expect, it } from 'vitest';
import { aRawClient, aRawUpstream } from './test-rig/raw-peer.ts';
import { aGateway, cleanUp } from './test-rig/running-gateway.ts';
import { anInstance } from './test-rig/settable-catalogue.ts';

afterEach(cleanUp);

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** What reaches a service, and what its client gets, when the client sends these bytes and the service answers so. */
async function passed(
  bytes: string,
  answer = OK,
  seen = /\r\n\r\n/,
  got = /ok$|\}\s*$/,
): Promise<{ request: string; response: string }> {
  const up = await aRawUpstream(async (peer) => {
    await peer.until(seen);
    peer.send(answer);
  });
  const { catalogue, port } = await aGateway();
  catalogue.set('web', [anInstance(up.port)]);
  const client = await aRawClient(port);
  client.send(bytes);
  const response = await client.until(got);
  return { request: up.peers.map(({ text }) => text).join(''), response };
}

const SMUGGLED = 'GET /admin HTTP/1.1\r\nHost: web\r\n\r\n';

describe('a message on its way through', () => {
  it('loses every field of a request that ends at this hop', async () => {
    const { request } = await passed(
      [
        'GET /web/ HTTP/1.1',
        'Host: a',
        'Connection: X-Own, keep-alive',
        'x-own: hop',
        'X-OWN: hop again',
        'Keep-Alive: timeout=hop',
        'Proxy-Connection: hop',
        'Proxy-Authorization: hop',
        'Proxy-Authenticate: hop',
        'TE: hop',
        'Upgrade: hop',
        'X-Ours: stays',
        '\r\n',
      ].join('\r\n'),
    );
    expect(request).not.toMatch(/hop/);
    expect(request).toContain('X-Ours: stays\r\n');
  });

  it('loses every field of a response that ends at this hop', async () => {
    const { response } = await passed(
      'GET /web/ HTTP/1.1\r\nHost: a\r\n\r\n',
      [
        'HTTP/1.1 200 OK',
        'Connection: X-Own',
        'X-Own: hop',
        'Keep-Alive: timeout=hop',
        'Proxy-Connection: hop',
        'Proxy-Authenticate: hop',
        'Upgrade: hop',
        'X-Ours: stays',
        'Content-Length: 2',
        '\r\nok',
      ].join('\r\n'),
    );
    expect(response).not.toMatch(/hop/);
    expect(response).toContain('X-Ours: stays\r\n');
  });

  it('goes to the authority of an absolute-form target, whatever Host says', async () => {
    const { request } = await passed(
      'GET http://web.internal/path?q HTTP/1.1\r\nHost: elsewhere\r\n\r\n',
    );
    expect(request).toMatch(/^GET \/path\?q HTTP\/1\.1\r\n/);
    expect(request).toContain('\r\nHost: web.internal\r\n');
    expect(request).not.toContain('elsewhere');
  });

  it.each(['GET', 'HEAD', 'DELETE', 'OPTIONS'])(
    'keeps a body of %s framed, so that it is no request to the service',
    async (method) => {
      const length = `Content-Length: ${SMUGGLED.length}\r\n`;
      const { request } = await passed(
        `${method} /web/ HTTP/1.1\r\nHost: a\r\n${length}\r\n${SMUGGLED}`,
        method === 'HEAD' ? OK.slice(0, -2) : OK,
        /\/admin.*\r\n\r\n/s,
        /\r\n\r\n/,
      );
      expect(request.split(SMUGGLED)[0]).toMatch(/^[A-Z]+ \/ HTTP\/1\.1\r\n.*\r\n\r\n$/s);
      expect(request.split(SMUGGLED)[0]).toContain(length);
    },
  );

  it('keeps chunks framed anew: extensions end here, and trailers never become header fields', async () => {
    const { request } = await passed(
      'POST /web/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=hop\r\nabc\r\n0;ext=hop\r\nX-Role: admin\r\n\r\n',
      OK,
      /\r\n0\r\n.*\r\n\r\n/s,
    );
    const [head, body] = request.split(/\r\n\r\n(.*)/s);
    expect(head).not.toContain('X-Role');
    expect(head).toContain('\r\nTransfer-Encoding: chunked');
    expect(request).not.toContain('hop');
    expect(body).toMatch(/^3\r\nabc\r\n0\r\n/);
  });

  it('does not ask for h2c, by which a client could talk past the gateway', async () => {
    const { request } = await passed(
      'GET /web/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n',
    );
    expect(request).not.toMatch(/h2c|http2-settings|upgrade/i);
  });

  it('keeps values that are not ASCII as they are', async () => {
    const { request } = await passed('GET /web/ HTTP/1.1\r\nHost: a\r\nX-A: \xe9\xff\r\n\r\n');
    expect(request).toContain('\r\nX-A: \xe9\xff\r\n');
  });

  it.each([
    ['chunked, gzip', 'Transfer-Encoding: chunked, gzip\r\n'],
    ['both framings', 'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n'],
    ['two lengths', 'Content-Length: 2\r\nContent-Length: 3\r\n'],
    ['obs-fold', 'X-A: 1\r\n 2\r\nContent-Length: 2\r\n'],
    ['a space before a colon', 'Content-Length : 2\r\n'],
  ])('becomes a 502 when the service answers with %s', async (_what, lines) => {
    const { response } = await passed(
      'GET /web/ HTTP/1.1\r\nHost: a\r\n\r\n',
      `HTTP/1.1 200 OK\r\n${lines}\r\nok`,
    );
    expect(response).toMatch(/^HTTP\/1\.1 502 .*UPSTREAM_PROTOCOL_ERROR/s);
    expect(response).not.toMatch(/ok$/);
  });
});
