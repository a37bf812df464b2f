import { fromPolicyDocument, fromRouteDocument } from '@portolan/client';
import {
  BALANCER_NAMES,
  type CallerKey,
  type FieldMatch,
  RETRY_CONDITIONS,
  type Route,
  type TrafficPolicy,
  type TrafficSettings,
} from '@portolan/core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createNativeApi } from './test-rest/native-api.ts';

const name = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/);
const text = fc.stringMatching(/^[ -~]{0,12}$/);
const share = fc.constantFrom(0, 0.25, 1);
const ms = fc.integer({ min: 1, max: 86_400_000 });
const some = <T>(arbitrary: fc.Arbitrary<T>) => fc.array(arbitrary, { minLength: 1, maxLength: 3 });
const map = <T>(value: fc.Arbitrary<T>) =>
  fc.dictionary(fc.constantFrom('a', 'x-b', '__proto__', 'constructor'), value, { maxKeys: 3 });
/** Members that may be absent: never undefined. */
const partial = <T extends object>(members: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(members, { requiredKeys: [] });

const fieldMatch: fc.Arbitrary<FieldMatch> = fc.oneof(
  fc.record({ exact: text }),
  fc.record({ prefix: text }),
  fc.record({ regex: fc.constantFrom('a+', '[0-9]{2}') }),
  fc.record({ present: fc.boolean() }),
);
const caller: fc.Arbitrary<CallerKey> = fc.oneof(
  fc.record({ kind: fc.constantFrom('header' as const, 'query' as const), name }),
  fc.record({ kind: fc.constant('source' as const) }),
  fc.record(
    { kind: fc.constant('cookie' as const), name, ttlMs: ms, path: fc.constant('/') },
    { requiredKeys: ['kind', 'name'] },
  ),
);
const destinationRef = {
  service: name,
  namespace: name,
  group: name,
  subset: map(text),
  subsetName: name,
};
const REF_KEYS = ['service', 'namespace', 'group', 'subset'] as const;
const edits = partial({ remove: some(name), set: map(text), add: map(text) });

const route: fc.Arbitrary<Route> = fc.record(
  {
    name: fc.constant('r'),
    namespace: fc.constant('default'),
    hosts: fc.array(name, { maxLength: 2 }),
    matches: fc.array(
      partial({
        path: fc.oneof(
          fc.record({ exact: fc.constant('/a') }),
          fc.record({ prefix: fc.constant('/a') }),
          fc.record({ startsWith: fc.constant('/a') }),
          fc.record({ regex: fc.constant('/a.*') }),
        ),
        ignorePathCase: fc.boolean(),
        methods: some(fc.constantFrom('GET', 'PUT')),
        headers: map(fieldMatch),
        withoutHeaders: map(fieldMatch),
        query: map(fieldMatch),
        sources: some(fc.constantFrom('10.0.0.0/8', '::1')),
        scheme: fc.constantFrom('http' as const, 'https' as const),
      }),
      { maxLength: 2 },
    ),
    priority: fc.integer({ min: -5, max: 5 }),
    destinations: some(
      fc.record(
        {
          ...destinationRef,
          weight: fc.integer({ min: 1, max: 100 }),
          requestHeaders: edits,
          responseHeaders: edits,
        },
        { requiredKeys: [...REF_KEYS, 'weight'] },
      ),
    ),
    rewritePrefix: fc.constant('/b'),
    rewriteRegex: fc.record({ pattern: text, substitution: text }),
    rewriteHost: name,
    requestHeaders: edits,
    responseHeaders: edits,
    timeoutMs: ms,
    idleTimeoutMs: ms,
    retries: fc.record(
      {
        attempts: fc.nat({ max: 5 }),
        perTryTimeoutMs: ms,
        on: some(fc.constantFrom(...RETRY_CONDITIONS)),
        statuses: some(fc.constantFrom(409, 503)),
        anyMethod: fc.boolean(),
        backoff: fc.record({ baseMs: ms, maxMs: ms }),
      },
      { requiredKeys: ['attempts'] },
    ),
    hedge: fc.record({ delayMs: ms, attempts: fc.nat({ max: 3 }) }),
    mirrors: some(
      fc.record({ ...destinationRef, share }, { requiredKeys: [...REF_KEYS, 'share'] }),
    ),
    fault: partial({
      delay: fc.record({ durationMs: ms, share }),
      abort: fc.record({ status: fc.constant(503), share }),
    }),
    cors: fc.record(
      {
        origins: some(fc.oneof(fc.record({ exact: text }), fc.record({ regex: text }))),
        methods: some(name),
        headers: some(name),
        exposeHeaders: some(name),
        maxAgeMs: ms,
        credentials: fc.boolean(),
      },
      { requiredKeys: ['origins'] },
    ),
    sticky: caller,
    rateLimits: some(
      fc.record(
        {
          by: fc.oneof(
            fc.constantFrom('route' as const, 'address' as const),
            fc.record({ header: name }),
          ),
          requests: ms,
          periodMs: ms,
          burst: ms,
        },
        { requiredKeys: ['by', 'requests', 'periodMs'] },
      ),
    ),
    bodyLimitBytes: ms,
    compression: fc.record({
      codings: some(fc.constantFrom('zstd' as const, 'br' as const)),
      minBytes: ms,
      types: some(text),
    }),
    auth: fc.record(
      {
        service: fc.record(destinationRef, { requiredKeys: [...REF_KEYS] }),
        path: fc.constant('/check'),
        appendPath: fc.boolean(),
        requestHeaders: some(name),
        copyHeaders: some(name),
        timeoutMs: ms,
        failOpen: fc.boolean(),
      },
      { requiredKeys: ['service', 'path', 'timeoutMs'] },
    ),
    balancer: fc.constantFrom(...BALANCER_NAMES),
    hash: caller,
  },
  { requiredKeys: ['name', 'namespace', 'hosts', 'matches', 'destinations'] },
);

const settings: { [K in keyof TrafficSettings]-?: fc.Arbitrary<NonNullable<TrafficSettings[K]>> } =
  {
    balancer: fc.constantFrom(...BALANCER_NAMES),
    hash: caller,
    slowStartMs: ms,
    locality: partial({ preferLocal: fc.boolean(), spillBelow: share, failover: some(name) }),
    affinity: fc.record({ cookie: name, ttlMs: ms, sameSite: fc.constant('lax' as const) }),
    limits: partial({
      maxRequests: ms,
      maxRetries: ms,
      maxRequestsPerEndpoint: ms,
      maxConnectionsPerEndpoint: ms,
      maxPendingPerEndpoint: ms,
    }),
    outlier: partial({
      consecutiveFailures: ms,
      consecutive5xx: fc.nat(10_000),
      intervalMs: ms,
      successRateDeviations: fc.constantFrom(0, 1.9),
      successRateRequests: fc.integer({ min: 1, max: 1_000 }),
      successRateEndpoints: fc.integer({ min: 2, max: 100 }),
      baseEjectionMs: ms,
      maxEjectedShare: share,
    }),
    panicShare: share,
    retryBudget: partial({ share, minConcurrent: ms }),
    transport: partial({
      protocol: fc.constantFrom('h2' as const, 'auto' as const),
      tls: partial({ serverName: name, verify: fc.boolean() }),
      proxyProtocol: fc.constantFrom(1 as const, 2 as const),
      connectTimeoutMs: ms,
    }),
  };

const policy: fc.Arbitrary<TrafficPolicy> = fc.record(
  {
    service: fc.constant('web'),
    namespace: fc.constant('default'),
    group: fc.constant('default'),
    ...settings,
    subsets: fc.dictionary(
      name,
      fc.record({ labels: map(text), ...settings }, { requiredKeys: ['labels'] }),
      { maxKeys: 2 },
    ),
  },
  { requiredKeys: ['service', 'namespace', 'group', 'subsets'] },
);

/** Through JSON: maps that were read have no prototype. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

it('every route is the same again after store, API and client', async () => {
  const { registry, call, close } = await createNativeApi();
  await fc.assert(
    fc.asyncProperty(route, async (wanted) => {
      await registry.routeDocuments.put('default/r', wanted);
      const reply = await call({ method: 'GET', target: '/api/v1/routes/r' });
      const read = fromRouteDocument(JSON.parse(String(reply.body)));
      const { createRevision: _, modifyRevision: revision, ...told } = read;
      expect(plain(told)).toEqual(plain(wanted));
      // Equal documents write nothing, whatever the order of their members.
      const same = await registry.routeDocuments.put('default/r', told);
      expect([same.changed, same.document.modifyRevision]).toEqual([false, revision]);
    }),
    { numRuns: 200 },
  );
  await close();
});

it('every traffic policy is the same again after store, API and client', async () => {
  const { registry, call, close } = await createNativeApi();
  await fc.assert(
    fc.asyncProperty(policy, async (wanted) => {
      await registry.policyDocuments.put('default/default/web', wanted);
      const reply = await call({ method: 'GET', target: '/api/v1/policies/web' });
      const read = fromPolicyDocument(JSON.parse(String(reply.body)));
      const { createRevision: _, modifyRevision: revision, ...told } = read;
      expect(plain(told)).toEqual(plain(wanted));
      const same = await registry.policyDocuments.put('default/default/web', told);
      expect([same.changed, same.document.modifyRevision]).toEqual([false, revision]);
    }),
    { numRuns: 200 },
  );
  await close();
});
