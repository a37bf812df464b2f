import {
  type CatalogueReader,
  type CatalogueUpdate,
  type Instance,
  type ServiceKey,
  type ServiceView,
  type StoredRoute,
  toServiceView,
} from '@portolan/core';
import { describe, expect, test } from 'vitest';
import { createCatalogueFeed } from './catalogue-feed.ts';
import { createReplicaCatalogue, type ReplicaCatalogue } from './replica-catalogue.ts';
import type { CataloguePart } from './worker-messages.ts';

const keyOf = (name: string): ServiceKey => ({ namespace: 'default', group: 'default', name });

function viewOf(name: string, revision: number, instances = 0): ServiceView {
  const made = Array.from({ length: instances }, (_, at) => ({
    id: `${name}-${at}`,
    service: keyOf(name),
    address: '10.0.0.1',
  }));
  return toServiceView(keyOf(name), revision, made as unknown as readonly Instance[]);
}

const updateOf = (
  revision: number,
  views: readonly ServiceView[],
  routes?: readonly StoredRoute[],
) => ({ revision, views, ...(routes ? { routes } : {}) }) satisfies CatalogueUpdate;

/** A feed of a catalogue, and the parts it sent. */
function feeding(catalogue: CatalogueReader) {
  const parts: CataloguePart[] = [];
  const feed = createCatalogueFeed(catalogue, (part) => parts.push(part));
  return { feed, parts };
}

function opened(services: number, instances: number): ReplicaCatalogue {
  const catalogue = createReplicaCatalogue();
  const views = Array.from({ length: services }, (_, at) => viewOf(`s${at}`, at + 1, instances));
  catalogue.apply(updateOf(services, views, []));
  return catalogue;
}

describe('the feed of a worker', () => {
  test('tells an empty catalogue at once, and that it is all', () => {
    const { parts } = feeding(createReplicaCatalogue());
    expect(parts).toHaveLength(1);
    expect(parts[0]).toMatchObject({ complete: true, update: { views: [], routes: [] } });
  });

  test('sends one part at a time, and routes with the last of the opening state', () => {
    const { feed, parts } = feeding(opened(10, 400));
    expect(parts.map(({ update }) => update.views.length)).toEqual([3]);
    for (let at = 0; at < 10; at++) feed.took();
    expect(parts.map(({ update }) => update.views.length)).toEqual([3, 3, 3, 1]);
    expect(parts.map(({ complete }) => complete)).toEqual([false, false, false, true]);
    expect(parts.map(({ update }) => update.routes !== undefined)).toEqual([
      false,
      false,
      false,
      true,
    ]);
  });

  test('a slow worker gets the newest view of a service once, however often it changed', () => {
    const catalogue = opened(1, 1);
    const { feed, parts } = feeding(catalogue);
    for (let revision = 2; revision <= 1_000; revision++) {
      catalogue.apply(updateOf(revision, [viewOf('s0', revision)]));
    }
    expect(parts).toHaveLength(1);
    feed.took();
    expect(parts).toHaveLength(2);
    expect(parts[1]?.update).toEqual({ revision: 1_000, views: [viewOf('s0', 1_000)] });
    feed.took();
    expect(parts).toHaveLength(2);
  });

  test('what changes while the opening state is sent is not lost, and does not make it whole early', () => {
    const catalogue = opened(4, 900);
    const { feed, parts } = feeding(catalogue);
    catalogue.apply(updateOf(9, [viewOf('new', 9)]));
    for (let at = 0; at < 10; at++) feed.took();
    const names = parts.flatMap(({ update }) => update.views.map(({ service }) => service.name));
    expect(new Set(names)).toEqual(new Set(['s0', 's1', 's2', 's3', 'new']));
    const whole = parts.findIndex(({ complete }) => complete);
    const before = parts.slice(0, whole + 1).flatMap(({ update }) => update.views);
    expect(before.map(({ service }) => service.name)).toEqual(
      expect.arrayContaining(['s0', 's1', 's2', 's3']),
    );
  });

  test('an ended one sends nothing more', () => {
    const catalogue = opened(1, 1);
    const { feed, parts } = feeding(catalogue);
    feed.end();
    feed.took();
    catalogue.apply(updateOf(5, [viewOf('s0', 5)]));
    expect(parts).toHaveLength(1);
  });
});
