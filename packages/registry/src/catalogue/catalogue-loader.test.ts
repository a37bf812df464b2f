import {
  type Change,
  type Entry,
  NO_LOGGER,
  type Registration,
  type ServiceKey,
} from '@portolan/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeSettings, encodeTerm } from '../codec/exclusive-codec.ts';
import { encodeRegistration } from '../codec/registration-codec.ts';
import { encodeIntent, encodeProtection, encodeStatus } from '../codec/status-codec.ts';
import { Catalogue } from './catalogue.ts';

const SERVICES: readonly ServiceKey[] = [
  { namespace: 'default', group: 'default', name: 'web' },
  { namespace: 'default', group: 'blue', name: 'web' },
  { namespace: 'other', group: 'default', name: 'web' },
];

const step = fc.record({
  what: fc.constantFrom('register', 'status', 'intent', 'protection', 'settings', 'term', 'remove'),
  service: fc.nat(SERVICES.length - 1),
  id: fc.nat(4),
  place: fc.nat(3),
  flag: fc.boolean(),
});
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

function aRegistration(service: ServiceKey, { id, place, flag }: Step): Registration {
  return {
    id: `i${id}`,
    service,
    address: `10.0.0.${place}`,
    port: 80,
    tags: flag ? ['zone:a'] : [],
    metadata: {},
    weight: 1,
    checks: [],
    initialStatus: 'passing',
    registeredAtMs: 1_700_000_000_000,
  };
}

function toChange(each: Step, revision: number, present: ReadonlyMap<string, Entry>): Change {
  const { what, id, flag } = each;
  const service = SERVICES[each.service] ?? (SERVICES[0] as ServiceKey);
  const { namespace, group, name } = service;
  const put = (key: string, value: string): Change => {
    const createRevision = present.get(key)?.createRevision ?? revision;
    return { key, revision, entry: { key, value, createRevision, modifyRevision: revision } };
  };
  switch (what) {
    case 'register':
      return put(`instance/${namespace}/i${id}`, encodeRegistration(aRegistration(service, each)));
    case 'status': {
      const status = { status: 'critical', reason: `${revision}`, protected: flag, checks: {} };
      return put(`status/${namespace}/i${id}`, encodeStatus({ ...status, status: 'critical' }));
    }
    case 'intent':
      return put(`intent/${namespace}/i${id}`, encodeIntent({ enabled: flag }));
    case 'protection':
      return put(`protection/${namespace}/${group}/${name}`, encodeProtection(revision));
    case 'settings': {
      const settings = { namespace, group, service: name, exclusive: flag };
      return put(`settings/${namespace}/${group}/${name}`, encodeSettings(settings));
    }
    case 'term': {
      const term = { active: `i${id}`, sinceMs: 5, reason: 'requested' } as const;
      return put(`term/${namespace}/${group}/${name}`, encodeTerm(term));
    }
    case 'remove':
      return { key: `instance/${namespace}/i${id}`, revision };
  }
}

function aCatalogue(errors: object[] = []) {
  const told = new Map<string, string | undefined>();
  const displaced: string[] = [];
  const catalogue = new Catalogue(
    { eventWindowSize: 100, maxTombstones: 100 },
    {
      logger: { ...NO_LOGGER, error: (fields) => errors.push(fields) },
      wallNow: () => 5,
      onApplied: (deltas, keys) => {
        for (const { key, after } of deltas) told.set(key, after?.status);
        displaced.push(...keys);
      },
    },
  );
  return { catalogue, told, displaced };
}

/** What readers see of the catalogue. */
function shown(catalogue: Catalogue) {
  return {
    services: catalogue.services().map(({ revision: _, ...rest }) => rest),
    views: SERVICES.map((service) => {
      const view = catalogue.view(service);
      const sinceMs = view?.protection?.sinceMs;
      return { named: view?.named ?? false, instances: view?.instances ?? [], sinceMs };
    }),
    hidden: [...Array(5).keys()].flatMap((id) =>
      ['default', 'other']
        .map((namespace) => `instance/${namespace}/i${id}`)
        .filter((key) => catalogue.isHidden(key)),
    ),
    occupants: SERVICES.map((service) =>
      [0, 1, 2, 3].map((place) => catalogue.occupant(service, `10.0.0.${place}`, 80)),
    ),
    size: catalogue.size,
    protectedServices: catalogue.protectedServices,
  };
}

/** Such a store never is: who is displaced is removed at once, and a status goes with its instance. */
function isSettled(catalogue: Catalogue, present: ReadonlyMap<string, Entry>): boolean {
  const isOrphan = (key: string) =>
    /^status\//.test(key) && !present.has(key.replace(/^status/, 'instance'));
  return shown(catalogue).hidden.length === 0 && ![...present.keys()].some(isOrphan);
}

describe('a catalogue that is loaded', () => {
  it('is what one is that has followed every change, in whatever order and batches it comes', () => {
    let compared = 0;
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 40 }),
        fc.infiniteStream(fc.nat()),
        (steps, draws) => {
          const follower = aCatalogue();
          follower.catalogue.load().end(0);
          const present = new Map<string, Entry>();
          let revision = 0;
          const apply = (change: Change): void => {
            follower.catalogue.apply([change]);
            if (change.entry) present.set(change.key, change.entry);
            else present.delete(change.key);
          };
          for (const each of steps) {
            const key = `instance/${SERVICES[each.service]?.namespace}/i${each.id}`;
            // As writers and the reconciler do it.
            if (each.what === 'status' && !present.has(key)) continue;
            const change = toChange(each, ++revision, present);
            if (each.what === 'remove') apply({ key: key.replace('instance', 'status'), revision });
            apply(change);
            for (const gone of follower.displaced.splice(0)) {
              apply({ key: gone.replace('instance', 'status'), revision: ++revision });
              apply({ key: gone, revision });
            }
          }
          if (!isSettled(follower.catalogue, present)) return;
          compared++;
          const errors: object[] = [];
          const { catalogue, told, displaced } = aCatalogue(errors);
          const loading = catalogue.load();
          const order = [...present.values()]
            .map((entry) => ({ entry, at: draws.next().value ?? 0 }))
            .sort((a, b) => a.at - b.at);
          for (let at = 0; at < order.length; ) {
            const size = 1 + ((draws.next().value ?? 0) % 5);
            loading.take(order.slice(at, at + size).map(({ entry }) => entry));
            at += size;
          }
          loading.end(revision);
          const sortServices = (what: ReturnType<typeof shown>) => ({
            ...what,
            services: [...what.services].sort((a, b) =>
              JSON.stringify(a.service) < JSON.stringify(b.service) ? -1 : 1,
            ),
          });
          expect(sortServices(shown(catalogue))).toEqual(sortServices(shown(follower.catalogue)));
          expect(displaced).toEqual([]);
          expect(errors).toEqual([]);
          expect(told.size).toBe(catalogue.size);
          for (const [key, status] of told) expect(catalogue.record(key)?.status).toBe(status);
          expect(catalogue.watchHorizon).toBe(revision);
          // And it goes on alike.
          const next = toChange(
            { what: 'register', service: 0, id: 0, place: 0, flag: true },
            ++revision,
            present,
          );
          follower.catalogue.apply([next]);
          catalogue.apply([next]);
          expect(sortServices(shown(catalogue))).toEqual(sortServices(shown(follower.catalogue)));
        },
      ),
      { numRuns: 300 },
    );
    expect(compared).toBeGreaterThan(200);
  });

  it('shows one of those that claim an address, whoever comes first, and names the others', () => {
    const web = SERVICES[0] as ServiceKey;
    const claim = (id: number, revision: number): Entry => {
      const each: Step = { what: 'register', service: 0, id, place: 1, flag: false };
      const { entry } = toChange(each, revision, new Map());
      if (!entry) throw new Error('a registration is an entry');
      return entry;
    };
    const kept = toChange(
      { what: 'status', service: 0, id: 3, place: 0, flag: true },
      9,
      new Map(),
    );
    const entries = [claim(1, 1), claim(2, 5), claim(3, 7)].concat(kept.entry ?? []);
    fc.assert(
      fc.property(fc.shuffledSubarray(entries, { minLength: entries.length }), (order) => {
        const { catalogue, displaced } = aCatalogue();
        const loading = catalogue.load();
        for (const entry of order) loading.take([entry]);
        loading.end(9);
        // The newest is only kept: one that is heard wins over it.
        expect(catalogue.view(web)?.instances.map(({ id }) => id)).toEqual(['i2']);
        expect(catalogue.occupant(web, '10.0.0.1', 80)).toBe('instance/default/i2');
        expect(displaced.sort()).toEqual(['instance/default/i1', 'instance/default/i3']);
        expect(catalogue.isHidden('instance/default/i3')).toBe(true);
        expect(catalogue.size).toBe(3);
      }),
    );
  });

  it('leaves out what is damaged, says so, and keeps the instance of a damaged status', () => {
    const errors: object[] = [];
    const { catalogue } = aCatalogue(errors);
    const damaged = (key: string, modifyRevision: number): Entry => ({
      key,
      value: '{"v":9',
      createRevision: 1,
      modifyRevision,
    });
    const whole = toChange(
      { what: 'register', service: 0, id: 2, place: 1, flag: true },
      4,
      new Map(),
    );
    const loading = catalogue.load();
    loading.take([
      damaged('instance/default/i1', 1),
      damaged('status/default/i2', 2),
      damaged('intent/default/i2', 3),
      damaged('route/default/r', 5),
      { ...damaged('unknown/default/r', 6) },
    ]);
    if (whole.entry) loading.take([whole.entry]);
    loading.end(6);
    expect([...catalogue.damaged].sort()).toEqual([
      ['instance/default/i1', 1],
      ['intent/default/i2', 3],
      ['route/default/r', 5],
      ['status/default/i2', 2],
    ]);
    expect(errors).toHaveLength(4);
    expect(catalogue.size).toBe(1);
    expect(catalogue.record('instance/default/i2')).toMatchObject({ status: 'passing' });
  });
});
