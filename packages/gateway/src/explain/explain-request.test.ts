import type { RequestToExplain, RouteExplanation } from '@portolan/core';
import { afterEach, describe, expect, it } from 'vitest';
import { aGateway, anUpstream, ask, cleanUp } from '../test-rig/running-gateway.ts';
import { anInstance, aRoute } from '../test-rig/settable-catalogue.ts';

afterEach(cleanUp);

const aRequest = (url: string, over: Partial<RequestToExplain> = {}): RequestToExplain => ({
  method: 'GET',
  url,
  headers: [],
  source: '192.0.2.1',
  ...over,
});
const to = (version: string, weight: number) => ({
  service: 'web',
  namespace: 'default',
  group: 'default',
  subset: { version },
  weight,
});
const labelled = (port: number, version: string) => anInstance(port, { labels: { version } });
const shares = ({ destinations }: RouteExplanation): number[] =>
  destinations.map(({ share }) => share);

describe('an explanation', () => {
  it('says which routes were tried before, and the first condition that failed', async () => {
    const { catalogue, gateway } = await aGateway();
    catalogue.set('web', [anInstance(1)]);
    const under = { path: { prefix: '/api' } };
    catalogue.setRoutes([
      aRoute({ name: 'post', matches: [{ ...under, methods: ['POST'] }] }),
      aRoute({ name: 'beta', matches: [{ ...under, headers: { 'X-Beta': { exact: '1' } } }] }),
      aRoute({ name: 'inside', priority: 1, matches: [{ ...under, sources: ['10.0.0.0/8'] }] }),
      aRoute({ name: 'all', matches: [under] }),
      aRoute({ name: 'later', matches: [{ query: { a: { exact: 'b' } } }] }),
      aRoute({ name: 'other', matches: [{ path: { exact: '/other' } }] }),
      aRoute({ name: 'foreign', hosts: ['*.example.org'] }),
    ]);
    const told = gateway.explain(aRequest('http://shop.example/api/x?y=z'));
    expect(told).toMatchObject({
      outcome: 'forward',
      request: {
        method: 'GET',
        host: 'shop.example',
        path: '/api/x',
        query: '?y=z',
        scheme: 'http',
        clientIp: '192.0.2.1',
      },
      route: { name: 'default/all', configured: true, path: 'prefix /api', filters: [] },
    });
    expect(told.passedOver).toEqual([
      { route: 'default/inside', path: 'prefix /api', failed: 'source' },
      { route: 'default/post', path: 'prefix /api', failed: 'method' },
      { route: 'default/beta', path: 'prefix /api', failed: 'header x-beta' },
      { route: 'default/other', path: 'exact /other', failed: 'path' },
    ]);
    const beta = gateway.explain(aRequest('http://a/api', { headers: ['x-beta', '1'] }));
    expect(beta.route?.name).toBe('default/beta');
  });

  it('names the routes of other hosts when none was found, and says how many more there are', async () => {
    const { catalogue, gateway } = await aGateway();
    catalogue.setRoutes(
      Array.from({ length: 60 }, (_, at) => aRoute({ name: `r${at}`, hosts: ['b'] })),
    );
    const told = gateway.explain(aRequest('http://a/'));
    expect(told).toMatchObject({ outcome: 'refused', refusal: { code: 'NO_ROUTE', status: 404 } });
    expect(told.passedOver).toHaveLength(50);
    expect(told.passedOver[0]).toEqual({ route: 'default/r0', path: 'prefix /', failed: 'host' });
    expect(told.passedOverMore).toBe(10);
  });

  it('has the shares of weighted destinations, and of their endpoints', async () => {
    const { catalogue, gateway } = await aGateway();
    catalogue.set('web', [labelled(1, 'v1'), labelled(2, 'v2'), labelled(3, 'v2')]);
    catalogue.setRoutes([aRoute({ name: 'r', destinations: [to('v1', 75), to('v2', 25)] })]);
    const told = gateway.explain(aRequest('http://a/'));
    expect(shares(told)).toEqual([0.75, 0.25]);
    expect(told.destinations[1]).toMatchObject({
      service: { name: 'web' },
      labels: { version: 'v2' },
      balancer: 'weighted-round-robin',
    });
    const endpoints = told.destinations.map((destination) =>
      destination.endpoints.map(({ id, share, state }) => [id, share, state]),
    );
    expect(endpoints).toEqual([
      [['i-1', 1, 'ready']],
      [
        ['i-2', 0.5, 'ready'],
        ['i-3', 0.5, 'ready'],
      ],
    ]);
  });

  it('gives a sticky caller the destination that its requests get', async () => {
    const { port: v1 } = await anUpstream((_req, res) => res.end('v1'));
    const { port: v2 } = await anUpstream((_req, res) => res.end('v2'));
    const { catalogue, gateway, port } = await aGateway();
    catalogue.set('web', [labelled(v1, 'v1'), labelled(v2, 'v2')]);
    catalogue.setRoutes([
      aRoute({
        name: 'r',
        sticky: { kind: 'header', name: 'X-User' },
        destinations: [to('v1', 50), to('v2', 50)],
      }),
    ]);
    const seen = new Set<string | undefined>();
    for (let user = 0; user < 10; user++) {
      const headers = { 'X-User': `u${user}` };
      const told = gateway.explain(aRequest('http://a/', { headers: ['X-User', `u${user}`] }));
      const chosen = told.destinations.find(({ share }) => share === 1);
      expect(told.sticky).toEqual({
        key: { kind: 'header', name: 'X-User' },
        caller: `u${user}`,
      });
      seen.add(chosen?.labels.version);
      expect((await ask(port, '/', { headers })).body).toBe(chosen?.labels.version);
    }
    expect(seen.size).toBe(2);
    const nobody = gateway.explain(aRequest('http://a/'));
    expect(shares(nobody)).toEqual([0.5, 0.5]);
    expect(nobody.sticky).toEqual({ key: { kind: 'header', name: 'X-User' } });
  });

  it('says why an endpoint takes nothing', async () => {
    const dead = await anUpstream(() => undefined);
    await new Promise((resolve) => dead.server.close(resolve));
    let letGo = (): void => undefined;
    const { port: busy } = await anUpstream((_req, res) => {
      letGo = () => res.end('done');
      res.write('begun');
    });
    const { port: up } = await anUpstream((_req, res) => res.end('ok'));
    const { catalogue, gateway, port } = await aGateway(
      {},
      {
        addressPolicy: { check: (_ip, dialled) => ({ allowed: dialled !== 7 }) as never },
        resolve: async () => [],
      },
    );
    catalogue.set('web', [anInstance(busy)]);
    const held = ask(port, '/web/');
    while (gateway.stats().activeRequests === 0) await new Promise((turn) => setImmediate(turn));
    catalogue.set('web', [anInstance(dead.port), anInstance(up), anInstance(7)]);
    while (gateway.stats().ejected === 0) await ask(port, '/web/');
    catalogue.set('web', [
      anInstance(dead.port),
      anInstance(up),
      anInstance(7),
      anInstance(8, { address: 'no-such-name' }),
      anInstance(9, { routable: false, status: 'critical', statusReason: 'refused' }),
      anInstance(10, { routable: false, intent: { enabled: false } }),
      anInstance(11, {
        routable: false,
        intent: { enabled: true, maintenance: { reason: 'disk' } },
      }),
      anInstance(12, { effectiveWeight: 0 }),
      anInstance(13, {
        routable: false,
        exclusive: { role: 'standby', term: 7, active: 'i-1' },
      }),
      anInstance(14, { routable: false, exclusive: { role: 'standby', term: 9 } }),
    ]);
    const [destination] = gateway.explain(aRequest('http://a/web/')).destinations;
    const states = destination?.endpoints.map(({ port: at, state, reason }) => [at, state, reason]);
    expect(states).toEqual([
      [dead.port, 'ejected', undefined],
      [up, 'ready', undefined],
      [7, expect.stringMatching(/^(unresolved|forbidden)$/), undefined],
      [8, 'unresolved', undefined],
      [9, 'not-routable', 'critical: refused'],
      [10, 'not-routable', 'disabled'],
      [11, 'not-routable', 'in maintenance: disk'],
      [12, 'not-routable', 'its weight is 0'],
      [13, 'not-routable', 'standby of an exclusive service: i-1 is active, term 7'],
      [14, 'not-routable', 'standby of an exclusive service: nobody is active, term 9'],
      [busy, 'draining', undefined],
    ]);
    expect(destination?.endpoints.at(-1)?.active).toBe(1);
    letGo();
    await held;
  });

  it('shows what a rewrite makes, where a redirect leads, and what is answered here', async () => {
    const { catalogue, gateway } = await aGateway();
    catalogue.set('web', [anInstance(1)]);
    catalogue.setRoutes([
      aRoute({
        name: 'prefix',
        matches: [{ path: { prefix: '/old' } }],
        rewritePrefix: '/new',
        rewriteHost: 'inner',
      }),
      aRoute({
        name: 'moved',
        matches: [{ path: { exact: '/moved' } }],
        destinations: [],
        redirect: { status: 308, host: 'b.example', scheme: 'https' },
      }),
      aRoute({
        name: 'here',
        matches: [{ path: { exact: '/here' } }],
        destinations: [],
        answer: { status: 418 },
      }),
      aRoute({
        name: 'broken',
        matches: [{ path: { prefix: '/broken' } }],
        rewriteRegex: { pattern: '^/', substitution: '' },
      }),
    ]);
    expect(gateway.explain(aRequest('http://a/old/./x?y')).forwarded).toEqual({
      host: 'inner',
      target: '/new/x?y',
    });
    expect(gateway.explain(aRequest('http://a/moved'))).toMatchObject({
      outcome: 'redirect',
      redirect: { status: 308, location: 'https://b.example/moved' },
    });
    expect(gateway.explain(aRequest('http://a/here'))).toMatchObject({
      outcome: 'answer',
      answerStatus: 418,
    });
    expect(gateway.explain(aRequest('http://a/broken')).refusal?.code).toBe('REWRITE_INVALID');
  });

  it('finds services without configuration, and says when one has no endpoint', async () => {
    const { catalogue, gateway } = await aGateway();
    catalogue.set('web', [anInstance(1)]);
    expect(gateway.explain(aRequest('http://a/web/x'))).toMatchObject({
      outcome: 'forward',
      route: { name: 'default/default/web', configured: false, path: 'prefix /web', filters: [] },
      forwarded: { target: '/x' },
    });
    catalogue.set('web', [anInstance(1, { routable: false })]);
    const told = gateway.explain(aRequest('/web/x', { headers: ['Host', 'a'] }));
    expect(told.refusal?.code).toBe('NO_HEALTHY_ENDPOINT');
    expect(shares(told)).toEqual([0]);
  });

  it('believes X-Forwarded-For as the gateway does', async () => {
    const { gateway } = await aGateway({ trustedProxies: ['10.0.0.0/8'] });
    const headers = ['X-Forwarded-For', '203.0.113.9'];
    const clientIp = (source: string) =>
      gateway.explain(aRequest('https://a/', { headers, source })).request?.clientIp;
    expect(clientIp('10.0.0.1')).toBe('203.0.113.9');
    expect(clientIp('192.0.2.1')).toBe('192.0.2.1');
  });

  it.each([
    ['HOST_MISSING', aRequest('/a')],
    ['HOST_INVALID', aRequest('http://u@a/')],
    ['TARGET_INVALID', aRequest('http://a/b#c')],
    ['TARGET_INVALID', aRequest('http://a/b\r\nX: y')],
    ['TARGET_ENCODED_SLASH', aRequest('http://a/b%2fc')],
    ['METHOD_INVALID', aRequest('http://a/', { method: 'G T' })],
    ['FIELD_NAME_INVALID', aRequest('http://a/', { headers: ['a b', ''] })],
    ['CONTROL_CHARACTER', aRequest('http://a/', { headers: ['a', 'b\nc'] })],
    [
      'LENGTH_AND_ENCODING',
      aRequest('http://a/', {
        headers: ['Content-Length', '1', 'Transfer-Encoding', 'chunked'],
      }),
    ],
  ])('refuses with %s what the gateway would not take for a request', async (code, asked) => {
    const { gateway } = await aGateway();
    expect(gateway.explain(asked)).toMatchObject({ outcome: 'refused', refusal: { code } });
  });

  it('names the filters that its route has, outermost first', async () => {
    const { gateway, catalogue } = await aGateway();
    const rateLimits = [{ requests: 1, periodMs: 1_000, by: 'address' as const }];
    const compression = { codings: ['gzip' as const], minBytes: 1, types: ['text/*'] };
    catalogue.setRoutes([aRoute({ name: 'all', rateLimits, bodyLimitBytes: 10, compression })]);
    const told = gateway.explain(aRequest('http://shop.example/'));
    expect(told.route?.filters).toEqual(['compression', 'rate-limit', 'body-limit']);
  });

  it('changes nothing, also not whose turn is next', async () => {
    const ports: number[] = [];
    for (let at = 0; at < 3; at++) {
      ports.push((await anUpstream((_req, res) => res.end(String(at)))).port);
    }
    const turns = async (explains: boolean): Promise<string> => {
      const { catalogue, gateway, port } = await aGateway();
      catalogue.set(
        'web',
        ports.map((up) => anInstance(up)),
      );
      let seen = '';
      for (let turn = 0; turn < 9; turn++) {
        if (explains) gateway.explain(aRequest('http://a/web/'));
        seen += (await ask(port, '/web/')).body;
      }
      return seen;
    };
    expect(await turns(true)).toBe(await turns(false));
  });
});
