import { afterEach, describe, expect, it } from 'vitest';
import { aRawClient, aRawUpstream, type RawPeer } from './test-rig/raw-peer.ts';
import { aGateway, anUpstream, ask, cleanUp } from './test-rig/running-gateway.ts';
import { anInstance, aRoute } from './test-rig/settable-catalogue.ts';

afterEach(cleanUp);

/** A gateway whose first choice loses each connection once a request matches `reads`; the second answers what it got. */
async function beforeALoser(reads: RegExp, second?: (peer: RawPeer) => unknown) {
  let lost = 0;
  const loser = await aRawUpstream(async (peer) => {
    await peer.until(reads);
    lost++;
    peer.socket.destroy();
  });
  const echo = second ? await aRawUpstream(second) : await anUpstream((req, res) => req.pipe(res));
  const rig = await aGateway();
  rig.catalogue.set('web', [
    anInstance(loser.port, { effectiveWeight: 60_000 }),
    anInstance(echo.port, { effectiveWeight: 1 }),
  ]);
  return { ...rig, lost: () => lost };
}

describe('retries', () => {
  it('are as many as the gateway was told where a route does not say', async () => {
    let asked = 0;
    const loser = await aRawUpstream(async (peer) => {
      await peer.until(/\r\n\r\n$/);
      asked++;
      peer.socket.destroy();
    });
    const { port, catalogue, gateway } = await aGateway({
      routeDefaults: { retries: { attempts: 0 } },
    });
    catalogue.set('web', [anInstance(loser.port)]);
    const answer = await ask(port, '/web/');
    expect([answer.status, asked]).toEqual([502, 1]);
    gateway.update({ routeDefaults: { retries: { attempts: 1 } } });
    await ask(port, '/web/');
    expect(asked).toBe(3);
  });

  it('send a small body again', async () => {
    const { port, lost } = await beforeALoser(/small$/);
    const answer = await ask(port, '/web/', { method: 'PUT', body: 'small' });
    expect([answer.status, answer.body, lost()]).toEqual([200, 'small', 1]);
  });

  it('never send a body again of which more was read than is kept', async () => {
    const { port, lost } = await beforeALoser(/^[\s\S]{70000}/);
    const answer = await ask(port, '/web/', { method: 'PUT', body: 'x'.repeat(200_000) });
    expect([answer.status, lost()]).toEqual([502, 1]);
    expect(JSON.parse(answer.body).error.code).toBe('UPSTREAM_CONNECTION_LOST');
  });

  it('never repeat a POST of which bytes were sent', async () => {
    const { port, lost } = await beforeALoser(/\r\n\r\n/);
    const answer = await ask(port, '/web/', { method: 'POST', body: 'x' });
    expect([answer.status, lost()]).toEqual([502, 1]);
  });

  it('repeat a GET of whose answer only part of the head came', async () => {
    const loser = await aRawUpstream(async (peer) => {
      await peer.until(/\r\n\r\n/);
      peer.socket.end('HTTP/1.1 200 OK\r\nContent-Le');
    });
    const other = await anUpstream((_req, res) => res.end('whole'));
    const { catalogue, port } = await aGateway();
    catalogue.set('web', [
      anInstance(loser.port, { effectiveWeight: 60_000 }),
      anInstance(other.port, { effectiveWeight: 1 }),
    ]);
    expect((await ask(port, '/web/')).body).toBe('whole');
  });

  it('go to the next endpoint when one try takes too long', async () => {
    const silent = await aRawUpstream(() => undefined);
    const other = await anUpstream((_req, res) => res.end('other'));
    const { catalogue, port } = await aGateway();
    catalogue.set('web', [
      anInstance(silent.port, { effectiveWeight: 60_000 }),
      anInstance(other.port, { effectiveWeight: 1 }),
    ]);
    catalogue.setRoutes([aRoute({ name: 'r', retries: { attempts: 1, perTryTimeoutMs: 100 } })]);
    expect((await ask(port, '/')).body).toBe('other');
    await silent.peers[0]?.end();
  });

  it('end with 504 when the whole exchange takes too long, and the upstream is left alone then', async () => {
    const silent = await aRawUpstream(() => undefined);
    const { catalogue, port } = await aGateway();
    catalogue.set('web', [anInstance(silent.port)]);
    catalogue.setRoutes([
      aRoute({ name: 'r', timeoutMs: 250, retries: { attempts: 9, perTryTimeoutMs: 60 } }),
    ]);
    const answer = await ask(port, '/');
    expect(answer.status).toBe(504);
    for (const peer of silent.peers) await peer.end();
  });

  it('cut an answer that outlives the route\u2019s time-out, since it cannot be taken back', async () => {
    const slow = await aRawUpstream(async (peer) => {
      await peer.until(/\r\n\r\n/);
      peer.send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome');
    });
    const { catalogue, port } = await aGateway();
    catalogue.set('web', [anInstance(slow.port)]);
    catalogue.setRoutes([aRoute({ name: 'r', timeoutMs: 200 })]);
    const client = await aRawClient(port);
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await client.end()).toMatch(/^HTTP\/1\.1 200 .*some$/s);
    await slow.peers[0]?.end();
  });

  it('keep to their budget when everything fails, and give every place back', async () => {
    let requests = 0;
    const silent = () =>
      aRawUpstream(async (peer) => {
        await peer.until(/\r\n\r\n/);
        requests++;
      });
    const ups = await Promise.all([silent(), silent()]);
    const { catalogue, port } = await aGateway({
      retryBudget: { share: 0, minConcurrent: 3 },
    });
    catalogue.set(
      'web',
      ups.map((up) => anInstance(up.port)),
    );
    catalogue.setRoutes([aRoute({ name: 'r', retries: { attempts: 1, perTryTimeoutMs: 150 } })]);
    for (let round = 1; round <= 2; round++) {
      const answers = await Promise.all(Array.from({ length: 20 }, () => ask(port, '/')));
      expect(answers.map((answer) => answer.status)).toEqual(Array(20).fill(504));
      expect(requests).toBe(round * 23);
    }
  });
});
