import { afterEach, describe, expect, it } from 'vitest';
import { aRawUpstream } from './test-rig/raw-peer.ts';
import { aGateway, anUpstream, ask, cleanUp, onCleanup } from './test-rig/running-gateway.ts';
import { anInstance, aRoute } from './test-rig/settable-catalogue.ts';

afterEach(cleanUp);

/** A gateway whose first choice answers `status` and whose second answers 200, with one route. */
async function beforeAFailing(
  status: number,
  over: Omit<Parameters<typeof aRoute>[0], 'name'>,
  headers: Record<string, string> = {},
) {
  let failed = 0;
  const failing = await anUpstream((req, res) => {
    failed++;
    req.resume();
    res.writeHead(status, headers).end('no');
  });
  const well = await anUpstream((req, res) => req.pipe(res));
  const rig = await aGateway();
  rig.catalogue.set('web', [
    anInstance(failing.port, { effectiveWeight: 60_000 }),
    anInstance(well.port, { effectiveWeight: 1 }),
  ]);
  rig.catalogue.setRoutes([aRoute({ name: 'r', ...over })]);
  return { ...rig, failed: () => failed };
}

describe('an answer that is a reason to try again', () => {
  it('is thrown away, and the request with its body sent elsewhere', async () => {
    const { port, failed } = await beforeAFailing(503, {
      retries: { attempts: 1, on: ['gateway-error'] },
    });
    const answer = await ask(port, '/', { method: 'PUT', body: 'kept' });
    expect([answer.status, answer.body, failed()]).toEqual([200, 'kept', 1]);
  });

  it('is passed on when the tries are used up', async () => {
    const failing = await anUpstream((_req, res) => res.writeHead(503).end('no'));
    const { port, catalogue } = await aGateway();
    catalogue.set('web', [anInstance(failing.port)]);
    catalogue.setRoutes([aRoute({ name: 'r', retries: { attempts: 2, on: ['5xx'] } })]);
    const answer = await ask(port, '/');
    expect([answer.status, answer.body]).toEqual([503, 'no']);
  });

  it('is none for a method that may not be repeated, unless the route says so', async () => {
    const retries = { attempts: 1, on: ['5xx'] } as const;
    const careful = await beforeAFailing(500, { retries });
    expect((await ask(careful.port, '/', { method: 'POST', body: 'x' })).status).toBe(500);
    const told = await beforeAFailing(500, { retries: { ...retries, anyMethod: true } });
    expect((await ask(told.port, '/', { method: 'POST', body: 'x' })).status).toBe(200);
  });

  it('may be a status of its own, and what the route does not name is none', async () => {
    const named = await beforeAFailing(429, { retries: { attempts: 1, statuses: [429] } });
    expect((await ask(named.port, '/')).status).toBe(200);
    const other = await beforeAFailing(429, { retries: { attempts: 1, on: ['5xx'] } });
    expect((await ask(other.port, '/')).status).toBe(429);
  });

  it('may be a gRPC status without any message', async () => {
    const { port, failed } = await beforeAFailing(
      200,
      { retries: { attempts: 1, on: ['grpc-unavailable'] } },
      { 'grpc-status': '14', 'content-type': 'application/grpc' },
    );
    await ask(port, '/', { method: 'POST', headers: { 'content-type': 'application/grpc' } });
    expect(failed()).toBe(1);
  });
});

describe('a try that takes too long', () => {
  it('is given up for another one', async () => {
    const silent = await aRawUpstream(() => undefined);
    const well = await anUpstream((_req, res) => res.end('well'));
    const { port, catalogue } = await aGateway();
    catalogue.set('web', [
      anInstance(silent.port, { effectiveWeight: 60_000 }),
      anInstance(well.port, { effectiveWeight: 1 }),
    ]);
    catalogue.setRoutes([
      aRoute({ name: 'r', retries: { attempts: 1, perTryTimeoutMs: 60 }, timeoutMs: 10_000 }),
    ]);
    expect((await ask(port, '/')).body).toBe('well');
  });
});

describe('a hedged request', () => {
  it('is answered by the second try when the first is slow, and the first is given up', async () => {
    const slow = await aRawUpstream(() => undefined);
    const fast = await anUpstream((_req, res) => res.end('fast'));
    const { port, catalogue, gateway } = await aGateway();
    catalogue.set('web', [
      anInstance(slow.port, { effectiveWeight: 60_000 }),
      anInstance(fast.port, { effectiveWeight: 1 }),
    ]);
    catalogue.setRoutes([aRoute({ name: 'r', hedge: { delayMs: 30, attempts: 1 } })]);
    expect((await ask(port, '/')).body).toBe('fast');
    expect(await slow.peers[0]?.end()).toContain('GET / HTTP/1.1');
    expect(gateway.stats().activeRequests).toBe(0);
  });

  it('is not one when its method may not be repeated', async () => {
    let asked = 0;
    const slow = await anUpstream((_req, res) => {
      asked++;
      const timer = setTimeout(() => res.end('slow'), 150);
      onCleanup(() => clearTimeout(timer));
    });
    const { port, catalogue } = await aGateway();
    catalogue.set('web', [anInstance(slow.port), anInstance(slow.port, { id: 'other' })]);
    catalogue.setRoutes([aRoute({ name: 'r', hedge: { delayMs: 10, attempts: 3 } })]);
    await ask(port, '/', { method: 'POST' });
    expect(asked).toBe(1);
    await ask(port, '/');
    expect(asked).toBe(3);
  });

  it('goes on with the second when the first fails', async () => {
    const losing = await aRawUpstream(async (peer) => {
      await peer.until(/\r\n\r\n/);
      const timer = setTimeout(() => peer.socket.destroy(), 60);
      onCleanup(() => clearTimeout(timer));
    });
    const slow = await anUpstream((_req, res) => {
      const timer = setTimeout(() => res.end('slow'), 200);
      onCleanup(() => clearTimeout(timer));
    });
    const { port, catalogue, gateway } = await aGateway();
    catalogue.set('web', [
      anInstance(losing.port, { effectiveWeight: 60_000 }),
      anInstance(slow.port, { effectiveWeight: 1 }),
    ]);
    catalogue.setRoutes([aRoute({ name: 'r', hedge: { delayMs: 20, attempts: 1 } })]);
    expect((await ask(port, '/')).body).toBe('slow');
    expect(gateway.stats().activeRequests).toBe(0);
  });
});

describe('a mirrored request', () => {
  it('is copied with its body, and the copy changes nothing for the client', async () => {
    const copies: string[] = [];
    const arrived: (() => void)[] = [];
    const shadow = await anUpstream((req, res) => {
      let body = '';
      req.on('data', (piece) => {
        body += piece;
      });
      req.on('end', () => {
        copies.push(`${req.method} ${req.url} ${body}`);
        res.writeHead(500).end('ignored');
        for (const wake of arrived.splice(0)) wake();
      });
    });
    const well = await anUpstream((req, res) => req.pipe(res));
    const { port, catalogue } = await aGateway();
    catalogue.set('web', [anInstance(well.port)]);
    catalogue.set('shadow', [
      anInstance(shadow.port, {
        service: { namespace: 'default', group: 'default', name: 'shadow' },
      }),
    ]);
    const mirror = { service: 'shadow', namespace: 'default', group: 'default', subset: {} };
    catalogue.setRoutes([aRoute({ name: 'r', mirrors: [{ ...mirror, share: 1 }] })]);
    const answer = await ask(port, '/x?y=1', { method: 'POST', body: 'both' });
    expect([answer.status, answer.body]).toEqual([200, 'both']);
    if (copies.length === 0) await new Promise<void>((resolve) => arrived.push(resolve));
    expect(copies).toEqual(['POST /x?y=1 both']);
  });

  it('is none when its share is 0, and one that hangs holds nothing up', async () => {
    const hanging = await aRawUpstream(() => undefined);
    const well = await anUpstream((req, res) => req.pipe(res));
    const { port, catalogue, gateway } = await aGateway();
    catalogue.set('web', [anInstance(well.port)]);
    catalogue.set('shadow', [
      anInstance(hanging.port, {
        service: { namespace: 'default', group: 'default', name: 'shadow' },
      }),
    ]);
    const mirror = { service: 'shadow', namespace: 'default', group: 'default', subset: {} };
    catalogue.setRoutes([aRoute({ name: 'r', mirrors: [{ ...mirror, share: 0 }] })]);
    await ask(port, '/', { method: 'POST', body: 'a' });
    expect(hanging.peers).toHaveLength(0);
    catalogue.setRoutes([aRoute({ name: 'r', mirrors: [{ ...mirror, share: 1 }] })]);
    const large = 'x'.repeat(1_000_000);
    expect((await ask(port, '/', { method: 'POST', body: large })).body).toHaveLength(1_000_000);
    await gateway.close();
    expect(gateway.stats().activeRequests).toBe(0);
  });
});
