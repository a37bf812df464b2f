import type { CatalogueUpdate, Change, Registration, ServiceKey } from '@portolan/core';
import { NO_LOGGER, serviceId } from '@portolan/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashText } from '../codec/hash-text.ts';
import { encodeRegistration } from '../codec/registration-codec.ts';
import { encodeIntent, encodeStatus } from '../codec/status-codec.ts';
import { Catalogue } from './catalogue.ts';

function aRegistration(id: string, more: Partial<Registration> = {}): Registration {
  return {
    id,
    service: { namespace: 'default', group: 'default', name: 'web' },
    address: '10.0.0.1',
    port: 1_000 + Number(id.slice(1)),
    tags: [],
    metadata: {},
    weight: 1,
    checks: [],
    initialStatus: 'passing',
    registeredAtMs: 0,
    ...more,
  };
}

function put(key: string, revision: number, value: string): Change {
  return {
    key,
    revision,
    entry: { key, value, createRevision: revision, modifyRevision: revision },
  };
}

function instance(id: string, revision: number, more: Partial<Registration> = {}): Change {
  return put(`instance/default/${id}`, revision, encodeRegistration(aRegistration(id, more)));
}

function aCatalogue(options = {}) {
  const errors: object[] = [];
  const displaced: string[] = [];
  const catalogue = new Catalogue(
    { eventWindowSize: 100, maxTombstones: 2, ...options },
    {
      logger: { ...NO_LOGGER, error: (fields) => errors.push(fields) },
      wallNow: () => 5,
      onApplied: (_deltas, keys) => displaced.push(...keys),
    },
  );
  catalogue.load().end(0);
  return { catalogue, errors, displaced };
}

const WEB = { namespace: 'default', group: 'default', name: 'web' };

describe('catalogue', () => {
  it('gives sorted, immutable views and wakes a subscriber once a batch', () => {
    const { catalogue } = aCatalogue();
    const updates: CatalogueUpdate[] = [];
    catalogue.subscribe((update) => updates.push(update));
    catalogue.apply([instance('i3', 1), instance('i1', 2), instance('i2', 3)]);
    expect(updates).toHaveLength(1);
    expect(updates[0]?.revision).toBe(3);
    const view = catalogue.view(WEB);
    expect(view?.instances.map((one) => one.id)).toEqual(['i1', 'i2', 'i3']);
    catalogue.apply([{ key: 'instance/default/i2', revision: 4 }]);
    expect(view?.instances).toHaveLength(3);
    expect(catalogue.view(WEB)?.instances).toHaveLength(2);
  });

  it('is the same in whatever order and batches it is loaded', () => {
    const intent = put('intent/default/i1', 4, encodeIntent({ enabled: false }));
    const health = { status: 'critical', reason: 'r', protected: false, checks: {} } as const;
    const status = put('status/default/i1', 3, encodeStatus(health));
    const changes = [instance('i1', 1), instance('i2', 2), status, intent];
    const entries = changes.flatMap(({ entry }) => entry ?? []);
    const expected = { status: 'critical', intent: { enabled: false }, modifyRevision: 4 };
    fc.assert(
      fc.property(
        fc.shuffledSubarray(entries, { minLength: entries.length }),
        fc.nat(entries.length),
        (order, cut) => {
          const { catalogue } = aCatalogue();
          const loading = catalogue.load();
          loading.take(order.slice(0, cut));
          for (const entry of order.slice(cut)) loading.take([entry]);
          loading.end(4);
          expect(catalogue.view(WEB)?.instances[0]).toMatchObject(expected);
          expect(catalogue.view(WEB)?.count).toBe(2);
        },
      ),
    );
  });

  it('wakes the watchers of a service only for that service', () => {
    const { catalogue } = aCatalogue();
    let calls = 0;
    const end = catalogue.subscribeService(WEB, () => calls++);
    catalogue.apply([instance('i1', 1, { service: { ...WEB, name: 'api' } })]);
    expect(calls).toBe(0);
    catalogue.apply([instance('i2', 2)]);
    expect(calls).toBe(1);
    end();
    catalogue.apply([instance('i3', 3)]);
    expect(calls).toBe(1);
  });

  it('remembers removed services as empty views and says when it no longer can', () => {
    const { catalogue } = aCatalogue();
    for (let at = 0; at < 3; at++) {
      const service = { ...WEB, name: `s${at}` };
      catalogue.apply([instance(`i${at}`, at * 2 + 1, { service })]);
      catalogue.apply([{ key: `instance/default/i${at}`, revision: at * 2 + 2 }]);
    }
    expect(catalogue.watchHorizon).toBe(2);
    expect(catalogue.viewsSince(1)).toBeUndefined();
    const views = catalogue.viewsSince(2);
    expect(views?.map((view) => [view.service.name, view.instances.length])).toEqual([
      ['s1', 0],
      ['s2', 0],
    ]);
  });

  it('reports a damaged value loudly and keeps the rest', () => {
    const { catalogue, errors } = aCatalogue();
    catalogue.apply([put('instance/default/i1', 1, '{"v":1'), instance('i2', 2)]);
    expect(errors).toHaveLength(1);
    expect(catalogue.damaged.get('instance/default/i1')).toBe(1);
    expect(catalogue.view(WEB)?.instances.map((one) => one.id)).toEqual(['i2']);
    catalogue.apply([instance('i1', 3)]);
    expect(catalogue.damaged.size).toBe(0);
    expect(catalogue.size).toBe(2);
  });

  it('keeps an instance whose stored status is damaged', () => {
    const { catalogue, errors } = aCatalogue();
    catalogue.apply([instance('i1', 1), put('status/default/i1', 1, '{"v":9}')]);
    expect(errors).toHaveLength(1);
    expect(catalogue.instance({ namespace: 'default', id: 'i1' })?.status).toBe('passing');
    expect(catalogue.damaged.has('status/default/i1')).toBe(true);
  });

  it('gives an address claimed twice to the higher revision, and names the loser', () => {
    const { catalogue, displaced } = aCatalogue();
    catalogue.apply([instance('i1', 1, { port: 80 })]);
    catalogue.apply([instance('i2', 2, { port: 80 })]);
    expect(displaced).toEqual(['instance/default/i1']);
    expect(catalogue.occupant(WEB, '10.0.0.1', 80)).toBe('instance/default/i2');
  });

  it('tells the places of services apart whose names hash alike', () => {
    const seen = new Map<number, ServiceKey>();
    let alike: { one: ServiceKey; other: ServiceKey } | undefined;
    for (let at = 0; !alike; at++) {
      const other = { ...WEB, name: `s${at}` };
      const hash = hashText(serviceId(other));
      const one = seen.get(hash);
      if (one) alike = { one, other };
      seen.set(hash, other);
    }
    const { one, other } = alike;
    const { catalogue, displaced } = aCatalogue();
    catalogue.apply([instance('i1', 1, { service: one, port: 80 })]);
    expect(catalogue.occupant(other, '10.0.0.1', 80)).toBeUndefined();
    catalogue.apply([instance('i2', 2, { service: other, port: 80 })]);
    expect(catalogue.occupant(one, '10.0.0.1', 80)).toBe('instance/default/i1');
    expect(catalogue.occupant(other, '10.0.0.1', 80)).toBe('instance/default/i2');
    expect(displaced).toEqual([]);
  });

  it('takes labels from the network that are called as an object calls its own', () => {
    const { catalogue } = aCatalogue();
    const metadata = JSON.parse('{"__proto__":"x","constructor":"y"}') as Record<string, string>;
    catalogue.apply([instance('i1', 1, { metadata, tags: ['__proto__:z', 'zone:a'] })]);
    const labels = catalogue.instance({ namespace: 'default', id: 'i1' })?.labels ?? {};
    expect(Object.entries(labels).sort()).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
      ['zone', 'a'],
    ]);
    expect(Object.prototype).not.toHaveProperty('zone');
  });

  it('tells every change once and in order, and refuses to resume from before its window', () => {
    const { catalogue } = aCatalogue({ eventWindowSize: 3 });
    catalogue.apply([instance('i1', 1), instance('i2', 2)]);
    const status = { status: 'critical', reason: '', protected: false, checks: {} } as const;
    catalogue.apply([put('status/default/i1', 3, encodeStatus(status))]);
    const record = catalogue.record('instance/default/i2');
    if (record) catalogue.announceRemoval({ record, reason: 'expired' });
    catalogue.apply([{ key: 'instance/default/i2', revision: 4 }]);
    expect(catalogue.events.horizon).toBe(1);
    expect(catalogue.events.since(0)).toBeUndefined();
    expect(catalogue.events.since(1)?.map((event) => event.type)).toEqual([
      'instance-registered',
      'instance-status',
      'instance-deregistered',
    ]);
    expect(catalogue.events.since(3)?.[0]).toMatchObject({ reason: 'expired' });
  });

  it('becomes the same by reconciling as by applying', () => {
    const { catalogue } = aCatalogue();
    catalogue.apply([instance('i1', 1), instance('i2', 2)]);
    const kept = instance('i2', 2).entry;
    const fresh = instance('i3', 5).entry;
    catalogue.reconcile(
      [kept, fresh].filter((entry) => entry !== undefined),
      6,
    );
    expect(catalogue.view(WEB)?.instances.map((one) => one.id)).toEqual(['i2', 'i3']);
    expect(catalogue.revision).toBe(6);
  });
});
