import { istioReviews } from '@portolan/testing';
import { describe, expect, it } from 'vitest';
import { compileFile } from './compile-file.ts';

const REVIEWS = istioReviews(80, 20);

const rule = (http: string): string =>
  `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: r, namespace: shop}\nspec:\n  hosts: ["*"]\n  http:\n${http}`;

describe('Istio documents', () => {
  it('shift 80/20 between subsets as they stand', () => {
    expect(compileFile(REVIEWS)).toMatchObject({
      documents: [
        {
          kind: 'policy',
          name: 'reviews',
          namespace: 'default',
          document: {
            subsets: { v1: { labels: { version: 'v1' } }, v2: { labels: { version: 'v2' } } },
          },
        },
        {
          kind: 'route',
          name: 'reviews',
          namespace: 'default',
          document: {
            hosts: ['reviews'],
            to: [
              { service: 'reviews', namespace: 'default', subset: 'v1', weight: 80 },
              { service: 'reviews', namespace: 'default', subset: 'v2', weight: 20 },
            ],
          },
        },
      ],
      problems: [],
      warnings: [],
    });
  });

  it('become routes in the order of their rules', () => {
    const { documents, problems, warnings } = compileFile(
      rule(`    - match:
        - uri: {prefix: /a}
          headers: {end-user: {exact: jason}, x-beta: {}}
          queryParams: {v: {regex: "[0-9]+"}}
          method: {exact: GET}
      route: [{destination: {host: reviews.prod.svc.cluster.local, port: {number: 80}}}]
      timeout: 5s
      retries: {attempts: 3, perTryTimeout: 2s, retryOn: "5xx,unavailable,503"}
      fault: {delay: {fixedDelay: 1s, percentage: {value: 10}}, abort: {httpStatus: 400, percentage: {value: 0.5}}}
      mirror: {host: shadow}
      mirrorPercentage: {value: 25}
      rewrite: {uri: /b}
      headers: {request: {set: {x-a: b}}}
      corsPolicy: {allowOrigins: [{exact: https://a.example}], maxAge: 24h}
    - redirect: {uri: /login, authority: other.example}
`),
    );
    expect(problems).toEqual([]);
    expect(warnings).toMatchObject([{ line: 12, path: 'spec.http[0].route[0].destination.port' }]);
    expect(documents.map(({ name, document }) => [name, document.priority])).toEqual([
      ['r', 1_000],
      ['r-2', 999],
    ]);
    expect(documents[0]?.document).toMatchObject({
      match: [
        {
          path: { startsWith: '/a' },
          headers: { 'end-user': { exact: 'jason' }, 'x-beta': { present: true } },
          query: { v: { regex: '[0-9]+' } },
          methods: ['GET'],
        },
      ],
      to: [{ service: 'reviews', namespace: 'prod', weight: 1 }],
      retries: { attempts: 3, on: ['5xx', 'grpc-unavailable'], statuses: [503] },
      fault: { delay: { duration: '1s', share: 0.1 }, abort: { status: 400, share: 0.005 } },
      mirrors: [{ service: 'shadow', namespace: 'shop', share: 0.25 }],
      rewrite: { prefix: '/b' },
    });
    expect(documents[1]?.document).toMatchObject({
      redirect: { status: 301, path: '/login', host: 'other.example' },
    });
  });

  it('of DestinationRule keep balancer, ejection, limits and TLS', () => {
    const { documents, problems, warnings } = compileFile(`apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata: {name: x}
spec:
  host: reviews.prod
  trafficPolicy:
    loadBalancer: {consistentHash: {httpCookie: {name: user, ttl: 0s}}}
    connectionPool: {tcp: {maxConnections: 10, connectTimeout: 30ms}, http: {http2MaxRequests: 1000, maxRetries: 3, http1MaxPendingRequests: 5, idleTimeout: 30s}}
    outlierDetection: {consecutive5xxErrors: 7, interval: 5m, baseEjectionTime: 15m, maxEjectionPercent: 10}
    tls: {mode: SIMPLE, sni: reviews.example}
`);
    expect(problems).toEqual([]);
    expect(warnings.map(({ path }) => path)).toEqual([
      'spec.trafficPolicy.connectionPool.tcp.maxConnections',
      'spec.trafficPolicy.connectionPool.http.http1MaxPendingRequests',
      'spec.trafficPolicy.connectionPool.http.idleTimeout',
    ]);
    expect(documents).toMatchObject([
      {
        name: 'reviews',
        namespace: 'prod',
        document: {
          balancer: 'ring-hash',
          hash: { cookie: 'user', ttl: '0s' },
          limits: {
            maxRequests: 1000,
            maxRetries: 3,
            maxConnectionsPerEndpoint: 10,
            maxPendingPerEndpoint: 5,
          },
          transport: { connectTimeout: '30ms', tls: { serverName: 'reviews.example' } },
          outlier: {
            consecutive5xx: 7,
            interval: '5m',
            baseEjection: '15m',
            maxEjectedShare: 0.1,
          },
        },
      },
    ]);
  });

  it.each([
    [
      '    - route: [{destination: {host: a}, wait: 5}]',
      7,
      'spec.http[0].route[0].wait',
      /not known here/,
    ],
    ['    - delegate: {name: x}', 7, 'spec.http[0].delegate', /write the rules of the other/],
    [
      '    - match: [{port: 80}]\n      route: [{destination: {host: a}}]',
      7,
      'spec.http[0].match[0].port',
      /no counterpart/,
    ],
    [
      '    - route: [{destination: {host: "not a host"}}]',
      7,
      'spec.http[0].route[0].destination.host',
      /name of a service/,
    ],
    [
      '    - route: [{destination: {host: a}}]\n      retries: {retryOn: luck}',
      8,
      'spec.http[0].retries.retryOn',
      /"luck" has no counterpart/,
    ],
    [
      '    - route: [{destination: {host: a}}]\n      timeout: soon',
      5,
      'spec',
      /\$\.timeout: expected/,
    ],
    [
      '    - match: [{uri: {regex: "(?=x)"}}]\n      route: [{destination: {host: a}}]',
      5,
      'spec',
      /RE2/,
    ],
  ])('with %j are refused with line, path and remedy', (http, line, path, message) => {
    const { documents, problems } = compileFile(rule(http));
    expect(documents).toEqual([]);
    expect(problems[0]).toMatchObject({ path, line });
    expect(problems[0]?.message).toMatch(message);
  });

  it('that are not YAML, of another kind, or without a name are refused', () => {
    expect(compileFile('a: [').problems).toHaveLength(1);
    expect(compileFile('a: 1\na: 2').problems[0]?.message).toMatch(/unique/i);
    const service = compileFile('apiVersion: v1\nkind: Service\nmetadata: {name: x}');
    expect(service.problems.map(({ path }) => path)).toEqual(['apiVersion', 'kind']);
    expect(
      compileFile(REVIEWS.replace('  name: reviews\nspec:\n  hosts', '  x: 1\nspec:\n  hosts'))
        .problems[0]?.message,
    ).toBe('expected a name');
    expect(compileFile('').documents).toEqual([]);
  });
});

describe('our own documents', () => {
  it('stand beside those of Istio, as the configuration file has them', () => {
    const { documents, problems } = compileFile(`policies:
  - service: ratings
    subsets: {v2: {labels: {version: v2}}}
routes:
  - name: own
    namespace: shop
    to: [{service: reviews, subset: v2}]
---
${REVIEWS}`);
    expect(problems).toEqual([]);
    expect(documents.map(({ kind, namespace, name }) => `${kind} ${namespace}/${name}`)).toEqual([
      'policy default/ratings',
      'policy default/reviews',
      'route shop/own',
      'route default/reviews',
    ]);
  });

  it('are refused where the same one stands twice, also in another form', () => {
    const { documents, problems } = compileFile(
      `routes:\n  - name: reviews\n    to: [{service: a}]\n  - {name: reviews, to: [{service: b}]}\n---\n${REVIEWS}`,
    );
    expect(documents).toEqual([]);
    expect(problems.map(({ line, message }) => `${line} ${message}`)).toEqual([
      '4 route reviews stands at line 2 already',
      '11 route reviews stands at line 2 already',
    ]);
  });

  it('are refused at the line that is wrong', () => {
    const { documents, problems } = compileFile(`routes:
  - name: fine
    to: [{service: reviews}]
  - name: bad
    to:
      - service: reviews
        wieght: 3
  - 7
service: {}
`);
    expect(documents).toEqual([]);
    expect(problems.map(({ line, path }) => `${line} ${path}`)).toEqual([
      '9 service',
      '8 routes[2]',
      '7 routes[1].to[0].wieght',
    ]);
    expect(problems[2]?.message).toContain('weight');
  });
});
