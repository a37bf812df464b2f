import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { aRawClient, aRawUpstream } from './test-rig/raw-peer.ts';
import { aGateway, anUpstream, ask, cleanUp, onCleanup } from './test-rig/running-gateway.ts';
import { anInstance, aRoute } from './test-rig/settable-catalogue.ts';

afterEach(cleanUp);

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** A gateway before one upstream that answers in bytes. */
async function before(
  onPeer: Parameters<typeof aRawUpstream>[0],
  options: Parameters<typeof aGateway>[0] = {},
) {
  const up = await aRawUpstream(onPeer);
  const rig = await aGateway(options);
  rig.catalogue.set('web', [anInstance(up.port)]);
  return { ...rig, up, client: await aRawClient(rig.port) };
}

describe('what passes through', () => {
  it('takes no more of a 64 MiB answer than its client, whose buffers are all that fills', async () => {
    const bytes = 64 * 1024 * 1024;
    let written = 0;
    let stalled: (() => void) | undefined;
    const full = new Promise<void>((resolve) => {
      stalled = resolve;
    });
    const { port: up } = await anUpstream((_req, res) => {
      res.writeHead(200, { 'Content-Length': String(bytes) });
      const piece = Buffer.alloc(65_536);
      let turns = 0;
      const more = () => {
        turns++;
        while (written < bytes) {
          written += piece.length;
          if (res.write(piece)) continue;
          const at = turns;
          res.once('drain', more);
          // Quiet for a thousand turns of the loop, with a reader that took none: nothing will move any more.
          let quiet = 0;
          const watch = () => {
            if (turns !== at) return;
            if (++quiet > 1_000) stalled?.();
            else setImmediate(watch);
          };
          setImmediate(watch);
          return;
        }
        res.end();
      };
      more();
    });
    const { catalogue, port } = await aGateway();
    catalogue.set('web', [anInstance(up)]);
    const client = connect({ host: '127.0.0.1', port });
    onCleanup(() => client.destroy());
    const beforeBytes = process.memoryUsage().arrayBuffers;
    client.write('GET /web/ HTTP/1.1\r\nHost: a\r\n\r\n');
    await full;
    expect(written).toBeLessThan(bytes / 2);
    expect(process.memoryUsage().arrayBuffers - beforeBytes).toBeLessThan(8 * 1024 * 1024);
    let read = 0;
    await new Promise<void>((resolve) => {
      client.on('data', (piece) => {
        read += piece.length;
        if (read > bytes) resolve();
      });
    });
    expect(written).toBe(bytes);
  });

  it('hands each server-sent event on before the next one is written', async () => {
    let go: (() => void) | undefined;
    const { client } = await before(async (peer) => {
      await peer.until(/\r\n\r\n/);
      peer.send('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n');
      for (let at = 0; at < 5; at++) {
        peer.send(`data: ${at}\n\n`);
        await new Promise<void>((resolve) => {
          go = resolve;
        });
      }
      peer.socket.end();
    });
    client.send('GET /web/ HTTP/1.1\r\nHost: a\r\n\r\n');
    for (let at = 0; at < 5; at++) {
      await client.until(new RegExp(`data: ${at}\n\n`));
      go?.();
    }
    expect(await client.until(/0\r\n\r\n$/)).toContain('Transfer-Encoding: chunked');
  });

  it('answers HEAD with the length and no body, and serves the connection on', async () => {
    const { client } = await before(async (peer) => {
      await peer.until(/HEAD .*\r\n\r\n/s);
      peer.send('HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n');
      await peer.until(/GET .*\r\n\r\n/s);
      peer.send(OK);
    });
    client.send('HEAD /web/ HTTP/1.1\r\nHost: a\r\n\r\n');
    const head = await client.until(/\r\n\r\n/);
    expect(head).toContain('Content-Length: 1234\r\n');
    expect(head).toMatch(/\r\n\r\n$/);
    client.send('GET /web/ HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await client.until(/ok$/)).toContain('HTTP/1.1 200 OK');
  });

  it('forwards 103 early hints before the answer, and never an unasked 101', async () => {
    const hints = await before(async (peer) => {
      await peer.until(/\r\n\r\n/);
      peer.send(`HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n${OK}`);
    });
    hints.client.send('GET /web/ HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await hints.client.until(/ok$/)).toMatch(
      /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a\.css>; rel=preload\r\n.*HTTP\/1\.1 200 OK/s,
    );
    const switching = await before(async (peer) => {
      await peer.until(/\r\n\r\n/);
      peer.send(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: evil\r\n\r\nbytes',
      );
    });
    switching.client.send('GET /web/ HTTP/1.1\r\nHost: a\r\n\r\n');
    const answer = await switching.client.until(/\}/);
    expect(answer).toMatch(/^HTTP\/1\.1 502 /);
    expect(answer).not.toContain('101');
  });

  it('asks for an expected body only when the upstream does, and spares it when the upstream refuses', async () => {
    const wants = await before(async (peer) => {
      expect(await peer.until(/\r\n\r\n/)).toMatch(/expect: 100-continue/i);
      peer.send('HTTP/1.1 100 Continue\r\n\r\n');
      await peer.until(/body$/);
      peer.send(OK);
    });
    const request =
      'PUT /web/ HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n';
    wants.client.send(request);
    expect(await wants.client.until(/\r\n\r\n/)).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    wants.client.send('body');
    await wants.client.until(/ok$/);
    const refuses = await before(async (peer) => {
      await peer.until(/\r\n\r\n/);
      peer.send('HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n');
    });
    refuses.client.send(request);
    expect(await refuses.client.until(/\r\n\r\n/)).toMatch(/^HTTP\/1\.1 413 /);
    expect(refuses.up.peers[0]?.text).not.toContain('body');
  });

  it.each([
    ['resets', (socket: Socket) => socket.resetAndDestroy()],
    ['closes', (socket: Socket) => socket.destroy()],
  ])('cancels the upstream request when the client %s its connection', async (_how, leave) => {
    const { client, up, gateway } = await before((peer) => peer.until(/\r\n\r\n/), {
      server: { halfCloseTimeoutMs: 50 },
    });
    client.send('GET /web/ HTTP/1.1\r\nHost: a\r\n\r\n');
    while (up.peers.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await up.peers[0]?.until(/\r\n\r\n/);
    expect(gateway.stats().activeRequests).toBe(1);
    leave(client.socket);
    await up.peers[0]?.end();
    expect(gateway.stats().activeRequests).toBe(0);
  });

  it('hands trailers on', async () => {
    const { client } = await before(async (peer) => {
      await peer.until(/\r\n\r\n/);
      peer.send(
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n',
      );
    });
    client.send('GET /web/ HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n');
    expect(await client.until(/0\r\n.*\r\n\r\n$/s)).toMatch(/0\r\nX-Sum: 7\r\n\r\n$/);
  });

  it('counts Max-Forwards down, and answers OPTIONS and TRACE by itself at zero', async () => {
    const { client, up } = await before(async (peer) => {
      await peer.until(/\r\n\r\n/);
      peer.send(OK);
    });
    client.send('OPTIONS /web/ HTTP/1.1\r\nHost: a\r\nMax-Forwards: 5\r\n\r\n');
    await client.until(/ok$/);
    expect(up.peers[0]?.text).toMatch(/\r\nMax-Forwards: 4\r\n/);
    client.send('OPTIONS /web/ HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n');
    expect(await client.until(/ 204 .*\r\n\r\n$/s)).toContain('Allow: ');
    client.send('TRACE /web/ HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n');
    expect(await client.until(/MAX_FORWARDS_REACHED/)).toContain('HTTP/1.1 405 ');
    expect(up.peers).toHaveLength(1);
  });

  it('adds itself to Via and leaves what is there', async () => {
    const { client, up } = await before(async (peer) => {
      await peer.until(/\r\n\r\n/);
      peer.send(OK);
    });
    client.send('GET /web/ HTTP/1.1\r\nHost: a\r\nVia: 1.1 before\r\n\r\n');
    await client.until(/ok$/);
    expect(up.peers[0]?.text).toMatch(/\r\nVia: 1\.1 before\r\n.*\r\nVia: 1\.1 portolan\r\n/s);
  });

  it('gives each request an id of its own, believes only sane ones of trusted peers, and keeps the upstream\u2019s answer', async () => {
    const { port: up } = await anUpstream((req, res) => {
      if (req.url === '/own') res.setHeader('X-Request-Id', 'theirs');
      res.end(String(req.headers['x-request-id']));
    });
    const id = async (port: number, path: string, given?: string) => {
      const headers = given === undefined ? {} : { 'x-request-id': given };
      const { body, headers: got } = await ask(port, path, { headers });
      return { sent: body, told: got['x-request-id'] };
    };
    const strange = await aGateway();
    strange.catalogue.set('web', [anInstance(up)]);
    const first = await id(strange.port, '/web/', 'mine');
    const second = await id(strange.port, '/web/', 'mine');
    expect(first.sent).not.toBe('mine');
    expect(first.told).toBe(first.sent);
    expect(second.sent).not.toBe(first.sent);
    expect((await id(strange.port, '/web/own')).told).toBe('theirs');
    const trusting = await aGateway({ trustedProxies: ['127.0.0.1'] });
    trusting.catalogue.set('web', [anInstance(up)]);
    expect((await id(trusting.port, '/web/', 'mine-1')).sent).toBe('mine-1');
    for (const mad of ['a b', 'x'.repeat(200), '<script>']) {
      expect((await id(trusting.port, '/web/', mad)).sent).not.toBe(mad);
    }
  });

  it('ends an upgraded connection that is silent for too long', async () => {
    const { client, up } = await before(
      async (peer) => {
        await peer.until(/\r\n\r\n/);
        peer.send(
          'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
        );
      },
      { limits: { tunnelIdleTimeoutMs: 100 } },
    );
    client.send(
      'GET /web/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    );
    await client.until(/ 101 /);
    await client.end();
    await up.peers[0]?.end();
  });

  it('cuts on close what is not done when the limit is over', async () => {
    const { client, gateway, up } = await before((peer) => peer.until(/\r\n\r\n/));
    client.send('GET /web/ HTTP/1.1\r\nHost: a\r\n\r\n');
    while (up.peers.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await up.peers[0]?.until(/\r\n\r\n/);
    await gateway.close({ drainMs: 50 });
    expect(await client.end()).toBe('');
    await up.peers[0]?.end();
  });

  it('keeps serving what it knows when the catalogue stops updating (rule 10)', async () => {
    const { port: up } = await anUpstream((_req, res) => res.end('ok'));
    const rig = await aGateway();
    rig.catalogue.set('web', [anInstance(up)]);
    rig.catalogue.setRoutes([aRoute({ name: 'r', matches: [{ path: { prefix: '/r' } }] })]);
    // The registry is away: whatever is asked of it fails, and it says nothing any more.
    const away = () => {
      throw new Error('the registry is away');
    };
    Object.assign(rig.catalogue, { services: away, view: away, instance: away, routes: away });
    for (const path of ['/web/', '/r/', '/web/a', '/r/b']) {
      expect((await ask(rig.port, path)).body).toBe('ok');
    }
  });
});
