import { createServer as createHttpServer } from 'node:http';
import { createAddressPolicy, type HttpProbeConfig } from '@portolan/core';
import { probeContract } from '@portolan/testing/contracts/probe-contract';
import { describe, expect, test } from 'vitest';
import { createHttpProbe } from './http-probe.ts';
import { freePort, Loopback, raw } from './test-probes/loopback.ts';
import { deps, http, live, TARGET } from './test-probes/probe-fixtures.ts';

probeContract<HttpProbeConfig>(
  'http',
  async () => {
    const servers = {
      good: await Loopback.listen(createHttpServer((_request, reply) => reply.end('fine'))),
      failing: await Loopback.listen(
        createHttpServer((_request, reply) => reply.writeHead(500).end('no')),
      ),
      redirecting: await Loopback.listen(
        createHttpServer((_request, reply) =>
          reply.writeHead(302, { location: 'http://169.254.169.254/' }).end(),
        ),
      ),
      garbage: await raw((socket) => socket.end('SSH-2.0-OpenSSH\r\n\r\n')),
      hugeHead: await raw((socket) => socket.write(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(40_000)}`)),
      resetting: await raw((socket) => socket.resetAndDestroy()),
      closing: await raw((socket) => socket.end()),
      endless: await raw((socket) => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        const more = (): void => {
          while (!socket.destroyed && socket.write('z'.repeat(16_384)));
        };
        socket.on('drain', more);
        more();
      }),
      silent: await raw(() => undefined),
      slowHead: await raw((socket) => socket.write('HTTP/1.1 200')),
      slowBody: await raw((socket) =>
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab'),
      ),
    };
    const refused = await freePort();
    return {
      probe: createHttpProbe(deps()),
      healthy: http(servers.good.url),
      unhealthy: {
        'a failing status': http(servers.failing.url),
        'a redirect': http(servers.redirecting.url),
        'an answer that is not HTTP': http(servers.garbage.url),
        'a head without end': http(servers.hugeHead.url),
        'a reset': http(servers.resetting.url),
        'a silent close': http(servers.closing.url),
        'a refused connection': http(`http://127.0.0.1:${refused}/`),
        'a body without the text, and without end': http(servers.endless.url, {
          bodyContains: 'absent',
        }),
        'a name that does not exist': http('http://absent.test/'),
        'a metadata address behind a name': http('http://metadata.test/latest'),
        'a URL that is none': http('nothing'),
      },
      hanging: {
        'nothing comes': http(servers.silent.url),
        'the head is slow': http(servers.slowHead.url),
        'the body is slow': http(servers.slowBody.url, { bodyContains: 'abc' }),
      },
      untilReleased: async () => {
        for (const server of Object.values(servers)) await server.untilReleased();
      },
      close: async () => {
        for (const server of Object.values(servers)) await server.close();
      },
    };
  },
  {
    unhealthy: [
      'a failing status',
      'a redirect',
      'an answer that is not HTTP',
      'a head without end',
      'a reset',
      'a silent close',
      'a refused connection',
      'a body without the text, and without end',
      'a name that does not exist',
      'a metadata address behind a name',
      'a URL that is none',
    ],
    hanging: ['nothing comes', 'the head is slow', 'the body is slow'],
  },
);

describe('http probe', () => {
  async function answerOf(bytes: string, over: Partial<HttpProbeConfig> = {}) {
    const server = await raw((socket) => socket.write(bytes, 'latin1'));
    const result = await createHttpProbe(deps()).check(TARGET, http(server.url, over), live());
    await server.close();
    return result;
  }

  test('takes 429 for a warning, unless it is expected', async () => {
    const busy = 'HTTP/1.1 429 Too Many Requests\r\n\r\n';
    expect(await answerOf(busy)).toMatchObject({ status: 'warning' });
    expect(await answerOf(busy, { expectStatus: [{ from: 429, to: 429 }] })).toMatchObject({
      status: 'passing',
    });
  });

  test('skips interim responses', async () => {
    const bytes = 'HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n';
    expect(await answerOf(bytes)).toMatchObject({ status: 'passing', output: 'HTTP 204' });
  });

  test('finds text across chunks and never shows the body', async () => {
    const body = 'transfer-encoding: chunked\r\n\r\n3;x=y\r\nsec\r\n3\r\nret\r\n0\r\n\r\n';
    const found = await answerOf(`HTTP/1.1 200 OK\r\n${body}`, { bodyContains: 'secret' });
    expect(found).toMatchObject({ status: 'passing', output: 'HTTP 200, body matches' });
    const lost = await answerOf(`HTTP/1.1 200 OK\r\n${body}`, { bodyContains: 'public' });
    expect(lost).toMatchObject({ status: 'critical', output: 'HTTP 200, body does not match' });
  });

  test('looks no further than 64 KiB and not behind the declared length', async () => {
    const far = `HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(65_536)}needle`;
    expect(await answerOf(far, { bodyContains: 'needle' })).toMatchObject({ status: 'critical' });
    const surplus = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokneedle';
    expect(await answerOf(surplus, { bodyContains: 'needle' })).toMatchObject({
      status: 'critical',
    });
  });

  test.each([
    'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n',
    'HTTP/1.1 200 OK\r\nbad field: x\r\n\r\n',
    'HTTP/2 200 OK\r\n\r\n',
  ])('finds %j not well-formed', async (bytes) => {
    expect(await answerOf(bytes)).toMatchObject({
      status: 'critical',
      output: expect.stringContaining('not a well-formed'),
    });
  });

  test.each(['Transfer-Encoding', 'connection', 'Host', 'Content-Length', 'x y', 'Upgrade'])(
    'does not send a check that sets the header %s',
    async (name) => {
      const server = await raw(() => undefined);
      const config = http(server.url, { headers: { [name]: '1' } });
      const result = await createHttpProbe(deps()).check(TARGET, config, live());
      expect(result).toMatchObject({ status: 'critical' });
      expect(server.accepted).toBe(0);
      await server.close();
    },
  );

  test('does not let a header value carry another line', async () => {
    const config = http('http://127.0.0.1:1/', { headers: { a: 'b\r\nc: d' } });
    expect(await createHttpProbe(deps()).check(TARGET, config, live())).toMatchObject({
      output: expect.stringContaining('is not valid'),
    });
  });

  test('sends method, target, name and headers as configured', async () => {
    let seen = '';
    const server = await Loopback.listen(
      createHttpServer((request, reply) => {
        seen = `${request.method} ${request.url} ${request.headers.host} ${request.headers['x-a']}`;
        reply.end();
      }),
    );
    const config = http(`http://good.test:${server.port}/a?b=c#d`, {
      method: 'POST',
      headers: { 'X-A': 'v' },
    });
    await createHttpProbe(deps()).check(TARGET, config, live());
    expect(seen).toBe(`POST /a?b=c good.test:${server.port} v`);
    await server.close();
  });

  test('dials the one answer that was judged, although the name has another by then', async () => {
    const answers = ['127.0.0.1', '169.254.169.254'];
    const resolve = async (): Promise<string> => answers.shift() ?? '';
    const server = await Loopback.listen(createHttpServer((_request, reply) => reply.end()));
    const config = http(`http://rebinding.test:${server.port}/`);
    const probe = createHttpProbe(deps({ resolve }));
    expect(await probe.check(TARGET, config, live())).toMatchObject({ status: 'passing' });
    expect(answers).toEqual(['169.254.169.254']);
    expect(await probe.check(TARGET, config, live())).toMatchObject({
      output: expect.stringContaining('never dialled'),
    });
    await server.close();
  });

  test('judges an address as the URL parser spells it out', async () => {
    const probe = createHttpProbe(
      deps({ addressPolicy: createAddressPolicy({ allowLoopback: false, ownEndpoints: [] }) }),
    );
    for (const host of ['0x7f.1', '2130706433', '0177.0.0.1', '[::ffff:7f00:1]', '[::]']) {
      expect(await probe.check(TARGET, http(`http://${host}/`), live())).toMatchObject({
        output: expect.stringContaining('not dialled'),
      });
    }
  });
});
