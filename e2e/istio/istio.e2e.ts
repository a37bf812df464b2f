import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { istioReviews } from '@portolan/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type PortolanProcess, runPortolan, startPortolan } from '../support/portolan-process.ts';
import { call } from '../support/registry-api.ts';
import { startUpstream, type UpstreamService } from '../support/upstream-service.ts';

let folder: string;
let versions: UpstreamService[];
let portolan: PortolanProcess;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portolan-istio-'));
  versions = [await startUpstream('v1'), await startUpstream('v2')];
  portolan = await startPortolan({ dataDir: join(folder, 'data'), cwd: folder });
  for (const [at, { port }] of versions.entries()) {
    const metadata = { version: `v${at + 1}` };
    const body = { service: 'reviews', address: '127.0.0.1', port, metadata };
    await call(portolan.control, 'POST', '/api/v1/instances', body);
  }
});

afterEach(async () => {
  await portolan.dispose();
  await Promise.all(versions.map((upstream) => upstream.stop('SIGKILL')));
  await rm(folder, { recursive: true });
});

const reviews = (v1: number, v2: number): string => istioReviews(v1, v2, '*');

async function apply(text: string) {
  await writeFile(join(folder, 'reviews.yaml'), text);
  const flags = ['--registry', portolan.control, 'apply', '-f', 'reviews.yaml'];
  return runPortolan(flags, { cwd: folder });
}

async function shareOfV2(requests: number): Promise<number> {
  let count = 0;
  for (let at = 0; at < requests; at += 20) {
    const bodies = await Promise.all(
      Array.from({ length: 20 }, async () => (await fetch(`${portolan.gateway}/x`)).text()),
    );
    count += bodies.filter((body) => body.startsWith('v2 ')).length;
  }
  return count / requests;
}

test('the documents of an 80/20 canary work as they stand, and again with other weights', async () => {
  const first = await apply(reviews(80, 20));
  expect([first.code, first.stdout]).toEqual([
    0,
    'policy/reviews created (namespace default)\nroute/reviews created (namespace default)\n',
  ]);
  // 2,000 draws: five standard deviations are 4.5 points.
  const share = await shareOfV2(2_000);
  expect(share).toBeGreaterThan(0.155);
  expect(share).toBeLessThan(0.245);
  const second = await apply(reviews(0, 100));
  expect(second.stdout).toContain('route/reviews configured');
  expect(second.stdout).toContain('policy/reviews unchanged');
  expect(await shareOfV2(100)).toBe(1);
});

test('a bad file changes nothing and says where', async () => {
  await apply(reviews(100, 0));
  const bad = await apply(reviews(0, 100).replace('subset: v2', 'subsett: v2'));
  expect(bad.code).not.toBe(0);
  expect(bad.stderr).toMatch(
    /reviews\.yaml:16:\d+: spec\.http\[0\]\.route\[1\]\.destination\.subsett: /,
  );
  expect(await shareOfV2(40)).toBe(0);
});

test('a file of our own documents is written in one commit, or not at all', async () => {
  const own = (weight: number) => `policies:
  - service: reviews
    subsets: { v1: { labels: { version: v1 } }, v2: { labels: { version: v2 } } }
routes:
  - name: canary
    to:
      - { service: reviews, subset: v1, weight: ${100 - weight} }
      - { service: reviews, subset: v2, weight: ${weight} }
`;
  const first = await apply(own(100));
  expect([first.code, first.stdout, first.stderr]).toEqual([
    0,
    'policy/reviews created (namespace default)\nroute/canary created (namespace default)\n',
    '',
  ]);
  expect(await shareOfV2(40)).toBe(1);
  const [policy, route] = await Promise.all(
    ['policies/reviews', 'routes/canary'].map(
      async (path) => (await call(portolan.control, 'GET', `/api/v1/${path}`)).body,
    ),
  );
  expect(policy.modifyRevision).toBe(route.modifyRevision);
  const bad = await apply(own(-1));
  expect(bad.code).not.toBe(0);
  expect(bad.stderr).toMatch(/reviews\.yaml:8:\d+: routes\[0\]\.to\[1\]\.weight: expected /);
  expect(await shareOfV2(40)).toBe(1);
});
