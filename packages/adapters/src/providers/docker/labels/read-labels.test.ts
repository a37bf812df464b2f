import { describe, expect, it } from 'vitest';
import { readLabels } from './read-labels.ts';

describe('labels', () => {
  it('say nothing where there are none of a known convention', () => {
    expect(readLabels({ maintainer: 'me' }, { PATH: '/bin', SERVICE_HOST: 'x' })).toMatchObject({
      exposed: 'default',
      services: [{}],
      problems: [],
    });
  });

  it('of Portolan describe a service, its check and its route', () => {
    const wishes = readLabels(
      {
        'portolan.enable': 'true',
        'portolan.service': 'shop',
        'portolan.namespace': 'prod',
        'portolan.port': '8080',
        'portolan.tags': 'a, b\\,c',
        'portolan.weight': '30',
        'portolan.version': 'v2',
        'portolan.meta.zone': 'eu-1',
        'portolan.check.http': '/health',
        'portolan.check.interval': '2s',
        'portolan.check.fall': '2',
        'portolan.route.host': 'Shop.example, *.shop.example',
        'portolan.route.path': '/api',
        'portolan.route.strip': 'true',
        'portolan.route.priority': '5',
        'portolan.route.sticky': 'release',
        'portolan.canary': '10%',
        'portolan.network': 'front,back',
      },
      {},
    );
    expect(wishes.problems).toEqual([]);
    expect(wishes.networks).toEqual(['front', 'back']);
    expect(wishes.services).toEqual([
      {
        service: 'shop',
        namespace: 'prod',
        port: 8080,
        tags: ['a', 'b,c'],
        weight: 30,
        canary: 10,
        metadata: { version: 'v2', zone: 'eu-1' },
        check: { kind: 'http', path: '/health', intervalMs: 2_000, fall: 2 },
        routes: [
          {
            hosts: ['shop.example', '*.shop.example'],
            matches: [{ path: { prefix: '/api' } }],
            stripPrefix: '/api',
            priority: 5,
            stickyCookie: 'release',
          },
        ],
      },
    ]);
  });

  it('of Portolan describe several services by their ports', () => {
    const { services } = readLabels(
      {
        'portolan.tags': 'x',
        'portolan.80.service': 'web',
        'portolan.9090.service': 'metrics',
        'portolan.9090.check': 'none',
      },
      {},
    );
    expect(services).toEqual([
      { tags: ['x'], service: 'web', port: 80, metadata: {} },
      { tags: ['x'], service: 'metrics', port: 9090, check: { kind: 'none' }, metadata: {} },
    ]);
  });

  it.each([
    [
      'portolan.port',
      '80a',
      'label portolan.port has to be a whole number from 1 to 65535, found "80a"',
    ],
    ['portolan.prot', '80', 'label portolan.prot is none of those there are'],
    ['portolan.enable', 'maybe', 'label portolan.enable has to be true or false, found "maybe"'],
    [
      'portolan.canary',
      '101',
      'label portolan.canary has to be a percentage from 0 to 100, found "101"',
    ],
    ['portolan.route.host', 'a b', 'label portolan.route.host: a b is no host name'],
    ['portolan.route.path', 'api', 'label portolan.route.path: api has to begin with /'],
    [
      'portolan.check.http',
      'health',
      'label portolan.check.http has to be a path beginning with /',
    ],
    [
      'portolan.check.interval',
      'soon',
      'label portolan.check.interval has to be a duration such as 10s, found "soon"',
    ],
    [
      'traefik.http.services.a.loadbalancer.server.url',
      'http://x',
      'label traefik.http.services.a.loadbalancer.server.url is not supported: use portolan.address and .port',
    ],
    [
      'traefik.http.routers.a.rule',
      'HostRegexp(`.*`)',
      'the rule of traefik router a uses HostRegexp, which is not supported',
    ],
    [
      'traefik.http.routers.a.rule',
      'Host(`a`',
      'the rule of traefik router a has no texts in Host(…)',
    ],
    [
      'traefik.http.routers.a.rule',
      '!Host(`a`)',
      'the rule of traefik router a negates with !, which is not supported',
    ],
  ])('that are wrong say what was expected: %s=%s', (name, value, problem) => {
    expect(readLabels({ [name]: value }, {}).problems).toEqual([problem]);
  });

  it('of Traefik are read whatever their case, with routes by service', () => {
    const wishes = readLabels(
      {
        'Traefik.Enable': 'true',
        'traefik.http.routers.web.rule': 'Host(`a.example`, `b.example`) && Method(`GET`)',
        'traefik.http.routers.web.priority': '7',
        'traefik.http.routers.web.service': 'web@docker',
        'traefik.http.routers.admin.rule': 'PathPrefix(`/admin`) && Header(`X-Team`, `ops`)',
        'traefik.http.routers.admin.service': 'admin',
        'traefik.http.services.web.loadBalancer.server.port': '80',
        'traefik.http.services.admin.loadbalancer.server.port': '81',
        'traefik.http.middlewares.m.stripprefix.prefixes': '/x',
        'traefik.docker.network': 'front',
      },
      {},
    );
    expect(wishes).toMatchObject({
      exposed: 'yes',
      networks: ['front'],
      problems: [],
      notes: ['traefik middlewares are not applied'],
      services: [
        {
          service: 'admin',
          port: 81,
          routes: [
            {
              hosts: [],
              matches: [
                { path: { startsWith: '/admin' }, headers: { 'x-team': { exact: 'ops' } } },
              ],
            },
          ],
        },
        {
          service: 'web',
          port: 80,
          routes: [
            { hosts: ['a.example', 'b.example'], matches: [{ methods: ['GET'] }], priority: 7 },
          ],
        },
      ],
    });
  });

  it('of Traefik that only disable keep a container out', () => {
    expect(readLabels({ 'traefik.enable': 'false' }, {})).toMatchObject({ exposed: 'no' });
    expect(readLabels({ 'traefik.docker.network': 'x' }, {})).toMatchObject({ exposed: 'default' });
  });

  it('of Registrator win over its environment variables, and those of a port over the general ones', () => {
    const wishes = readLabels(
      { SERVICE_NAME: 'label', SERVICE_80_CHECK_HTTP: '/up', SERVICE_CHECK_SCRIPT: 'rm -rf /' },
      {
        SERVICE_NAME: 'environment',
        SERVICE_TAGS: 'a',
        SERVICE_COLOUR: 'blue',
        SERVICE_80_NAME: 'web',
      },
    );
    expect(wishes.services).toEqual([
      { service: 'label', tags: ['a'], metadata: { colour: 'blue' } },
      {
        service: 'web',
        port: 80,
        tags: ['a'],
        metadata: { colour: 'blue' },
        check: { kind: 'http', path: '/up' },
      },
    ]);
    expect(wishes.eachPort).toBe(true);
    expect(wishes.notes).toEqual([
      'SERVICE_CHECK_SCRIPT is not run: a container cannot say what runs here; its port is asked instead',
    ]);
    expect(readLabels({}, { SERVICE_IGNORE: '1' })).toMatchObject({ exposed: 'no' });
  });

  it('of Portolan win over Traefik’s, which fill what is not said', () => {
    const wishes = readLabels(
      {
        'portolan.weight': '5',
        'portolan.port': '81',
        'traefik.enable': 'false',
        'traefik.http.routers.w.rule': 'Host(`w.example`)',
        'traefik.http.services.w.loadbalancer.server.port': '80',
      },
      {},
    );
    expect(wishes).toMatchObject({
      exposed: 'yes',
      services: [{ service: 'w', port: 81, weight: 5, routes: [{ hosts: ['w.example'] }] }],
    });
  });
});
