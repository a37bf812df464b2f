import {
  type AddressPolicy,
  NO_LOGGER,
  NO_METRICS,
  type Registry,
  type Route,
  type TrafficPolicy,
} from '@portolan/core';
import { MemoryStore, seededRandom, TurnableClock } from '@portolan/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createRegistry } from '../registry.ts';

const anywhere: AddressPolicy = { check: () => ({ allowed: true }) };
let store: MemoryStore;
let registry: Registry;

beforeEach(async () => {
  store = new MemoryStore();
  registry = await createRegistry(
    {},
    {
      store,
      clock: new TurnableClock(),
      random: seededRandom(1),
      logger: NO_LOGGER,
      metrics: NO_METRICS,
      probes: [],
      addressPolicy: anywhere,
    },
  );
});

afterEach(() => registry.close());

const aRoute = (name: string, service = 'web', weight = 1): Route => ({
  name,
  namespace: 'default',
  hosts: [],
  matches: [],
  destinations: [{ service, namespace: 'default', group: 'default', subset: {}, weight }],
});
const aPolicy = (service: string): TrafficPolicy => ({
  service,
  namespace: 'default',
  group: 'default',
  subsets: { v1: { labels: { version: 'v1' } } },
});

test('documents of several kinds are written at one revision, and readers hear of them at once', async () => {
  await registry.routeDocuments.put('default/old', aRoute('old'));
  await registry.routeDocuments.put('default/same', aRoute('same'));
  const heard: unknown[] = [];
  registry.subscribe((update) => {
    heard.push({
      routes: update.routes?.map(({ name }) => name),
      policies: update.policies?.map(({ service }) => service),
    });
  });
  heard.length = 0;
  const before = registry.revision;
  const outcomes = await registry.writeDocuments([
    { kind: 'policy', document: aPolicy('web') },
    { kind: 'route', document: aRoute('new') },
    { kind: 'route', document: aRoute('same') },
    { kind: 'route', deleted: 'default/old' },
    { kind: 'route', deleted: 'default/never' },
  ]);
  expect(outcomes).toEqual(['created', 'created', 'unchanged', 'deleted', 'unchanged']);
  expect(registry.revision).toBe(before + 1);
  expect(registry.policyDocuments.get('default/default/web')?.modifyRevision).toBe(before + 1);
  expect(registry.routeDocuments.get('default/new')?.modifyRevision).toBe(before + 1);
  expect(heard).toEqual([{ routes: ['new', 'same'], policies: ['web'] }]);
  expect(await registry.writeDocuments([{ kind: 'route', document: aRoute('new') }])).toEqual([
    'unchanged',
  ]);
  expect(registry.revision).toBe(before + 1);
});

test('one that is not acceptable, or not at its revision, leaves all as they were', async () => {
  await registry.routeDocuments.put('default/present', aRoute('present'));
  const before = registry.revision;
  await expect(
    registry.writeDocuments([
      { kind: 'route', document: aRoute('fine') },
      { kind: 'route', document: aRoute('present', 'web', -1) },
    ]),
  ).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
  await expect(
    registry.writeDocuments([
      { kind: 'route', document: aRoute('fine') },
      { kind: 'route', deleted: 'default/present', ifRevision: before + 7 },
    ]),
  ).rejects.toMatchObject({ code: 'CONFLICT' });
  expect(registry.revision).toBe(before);
  expect(registry.routes().map(({ name }) => name)).toEqual(['present']);
});

test('a document cannot stand twice among them', async () => {
  await expect(
    registry.writeDocuments([
      { kind: 'route', document: aRoute('r') },
      { kind: 'route', deleted: 'default/r' },
    ]),
  ).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
});

test('a dry run tells what would become of them', async () => {
  const before = registry.revision;
  const write = { kind: 'route', document: aRoute('new') } as const;
  expect(await registry.writeDocuments([write], { dryRun: true })).toEqual(['created']);
  expect(registry.revision).toBe(before);
  expect(registry.routes()).toEqual([]);
});

test('racing writers of the same documents never leave a mixture', async () => {
  const pair = (service: string) =>
    ['a', 'b'].map((name) => ({ kind: 'route' as const, document: aRoute(name, service) }));
  const mixtures: string[] = [];
  registry.subscribe(() => {
    const told = registry.routes().map(({ destinations }) => destinations[0]?.service);
    if (new Set(told).size > 1) mixtures.push(told.join());
  });
  await Promise.all(
    Array.from({ length: 50 }, (_, at) => {
      const writes = pair(`s${at}`);
      return registry.writeDocuments(at % 2 === 0 ? writes : writes.reverse());
    }),
  );
  expect(mixtures).toEqual([]);
  expect(registry.routes()).toHaveLength(2);
});
