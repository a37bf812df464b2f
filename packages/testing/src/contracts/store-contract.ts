import type { Change, CommitResult, Entry, Guard, Op, Revision, Store } from '@portolan/core';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seededRandom } from '../random/seeded-random.ts';

/** One store under test. `reopen` closes it and opens what it left behind; absent where nothing survives. */
export interface StoreUnderTest {
  readonly store: Store;
  readonly reopen?: () => Promise<Store>;
  readonly dispose: () => Promise<void>;
}

const put = (key: string, value = 'v'): Op => ({ type: 'put', key, value });
const del = (key: string): Op => ({ type: 'delete', key });

function revisionOf(result: CommitResult): Revision {
  if (!result.ok) throw new Error(`The commit lost against ${JSON.stringify(result.conflict)}`);
  return result.revision;
}

/** Reads a watch until `count` changes came. */
async function collect(watch: AsyncIterable<readonly Change[]>, count: number): Promise<Change[]> {
  const seen: Change[] = [];
  if (count === 0) return seen;
  for await (const changes of watch) {
    seen.push(...changes);
    if (seen.length >= count) break;
  }
  return seen;
}

/** Everything `core/ports/store.ts` promises, whatever the store is made of. */
export function storeContract(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`${name} keeps the store contract`, () => {
    let under: StoreUnderTest;
    let store: Store;
    const ending: AbortController[] = [];
    const signal = (): AbortSignal => {
      const controller = new AbortController();
      ending.push(controller);
      return controller.signal;
    };

    beforeEach(async () => {
      under = await open();
      store = under.store;
    });
    afterEach(async () => {
      for (const controller of ending.splice(0)) controller.abort();
      await under.dispose();
    });

    it('is empty and at revision 0 before the first commit', async () => {
      expect(store.revision).toBe(0);
      expect(await store.list('')).toEqual({ entries: [], revision: 0 });
      expect(await store.get('a')).toBeUndefined();
    });

    it('gives every commit its own revision and every entry those of its making and last change', async () => {
      const first = revisionOf(await store.commit([put('a', '1'), put('b', '1')]));
      const second = revisionOf(await store.commit([put('a', '2')]));
      expect(second).toBeGreaterThan(first);
      expect(store.revision).toBe(second);
      expect(await store.get('a')).toEqual({
        key: 'a',
        value: '2',
        createRevision: first,
        modifyRevision: second,
      });
      expect(await store.get('b')).toEqual({
        key: 'b',
        value: '1',
        createRevision: first,
        modifyRevision: first,
      });
    });

    it('starts a key that was deleted anew', async () => {
      await store.commit([put('a')]);
      await store.commit([del('a')]);
      expect(await store.get('a')).toBeUndefined();
      const revision = revisionOf(await store.commit([put('a')]));
      expect(await store.get('a')).toMatchObject({ createRevision: revision });
    });

    it('lets the last of several operations on one key count', async () => {
      const revision = revisionOf(
        await store.commit([put('a', '1'), put('a', '2'), put('b'), del('b')]),
      );
      const { entries } = await store.list('');
      expect(entries).toEqual([
        { key: 'a', value: '2', createRevision: revision, modifyRevision: revision },
      ]);
    });

    it('never gives the revision of a commit that deleted nothing to another', async () => {
      const first = revisionOf(await store.commit([del('absent')]));
      const second = revisionOf(await store.commit([put('a')]));
      expect(second).toBeGreaterThan(first);
      expect((await store.list('')).revision).toBe(second);
    });

    it('applies commits in call order, also without waiting for one another', async () => {
      const results = await Promise.all(
        Array.from({ length: 50 }, (_, at) => store.commit([put('same', String(at))])),
      );
      const revisions = results.map(revisionOf);
      expect(revisions).toEqual([...revisions].sort((a, b) => a - b));
      expect(new Set(revisions).size).toBe(50);
      expect(await store.get('same')).toMatchObject({ value: '49', modifyRevision: revisions[49] });
    });

    it('tests guards without a change and without a revision when there are no operations', async () => {
      const revision = revisionOf(await store.commit([put('a')]));
      expect(await store.commit([], [{ key: 'a', modifyRevision: revision }])).toEqual({
        ok: true,
        revision,
      });
      expect(await store.commit([], [{ key: 'a', modifyRevision: 0 }])).toMatchObject({
        ok: false,
        actual: revision,
      });
      expect(store.revision).toBe(revision);
    });

    it('returns a lost guard with what was found, and changes nothing', async () => {
      const revision = revisionOf(await store.commit([put('a', '1')]));
      const guard: Guard = { key: 'a', modifyRevision: revision + 7 };
      expect(await store.commit([put('b'), put('a', '2')], [guard])).toEqual({
        ok: false,
        conflict: guard,
        actual: revision,
      });
      expect(await store.get('b')).toBeUndefined();
      expect(store.revision).toBe(revision);
    });

    it('holds a guard for an absent key only while the key is absent', async () => {
      const absent: Guard = { key: 'a', modifyRevision: 0 };
      expect(await store.commit([put('a')], [absent])).toMatchObject({ ok: true });
      expect(await store.commit([put('a')], [absent])).toMatchObject({ ok: false });
      await store.commit([del('a')]);
      expect(await store.commit([put('a')], [absent])).toMatchObject({ ok: true });
    });

    it('lets exactly one of many racing compare-and-swaps win', async () => {
      const revision = revisionOf(await store.commit([put('counter', '0')]));
      const guard: Guard = { key: 'counter', modifyRevision: revision };
      const results = await Promise.all(
        Array.from({ length: 64 }, (_, at) => store.commit([put('counter', String(at))], [guard])),
      );
      expect(results.filter(({ ok }) => ok)).toHaveLength(1);
      expect(results[0]).toMatchObject({ ok: true });
      for (const lost of results.slice(1)) {
        expect(lost).toMatchObject({ ok: false, conflict: guard, actual: revision + 1 });
      }
    });

    it('loses no increment when many count with compare-and-swap', async () => {
      const increment = async (): Promise<void> => {
        for (;;) {
          const present = await store.get('counter');
          const value = String(Number(present?.value ?? 0) + 1);
          const guard: Guard = { key: 'counter', modifyRevision: present?.modifyRevision ?? 0 };
          if ((await store.commit([put('counter', value)], [guard])).ok) return;
        }
      };
      await Promise.all(Array.from({ length: 20 }, increment));
      expect(await store.get('counter')).toMatchObject({ value: '20' });
    });

    it('lists in key order, bounded by the prefix and nothing else', async () => {
      const keys = ['a', 'a/', 'a/1', 'a/10', 'a/2', 'a0', 'b', 'a/é', 'a/ﬀ', 'a/￿'];
      await store.commit(keys.map((key) => put(key)));
      const { entries } = await store.list('a/');
      expect(entries.map(({ key }) => key)).toEqual([
        'a/',
        'a/1',
        'a/10',
        'a/2',
        'a/é',
        'a/ﬀ',
        'a/￿',
      ]);
      expect((await store.list('')).entries).toHaveLength(keys.length);
      expect((await store.list('c')).entries).toEqual([]);
    });

    it('scans what it lists, in batches', async () => {
      for (let at = 0; at < 500; at++) await store.commit([put(`k/${at}`, 'x'.repeat(at * 20))]);
      await store.commit([put('other'), { type: 'delete', key: 'k/7' }]);
      for (const prefix of ['', 'k/', 'none']) {
        const scanned: Entry[] = [];
        const revision = await store.scan(prefix, (entries) => scanned.push(...entries));
        const listed = await store.list(prefix);
        expect(revision).toBe(listed.revision);
        scanned.sort((a, b) => (a.key < b.key ? -1 : 1));
        expect(scanned).toEqual(listed.entries);
      }
    });

    it('lists as of one revision while commits go on', async () => {
      let writing = true;
      const writer = (async () => {
        for (let round = 1; writing; round++) {
          // All of a commit or nothing: a reader must never see two rounds at once.
          await store.commit(Array.from({ length: 40 }, (_, at) => put(`k/${at}`, `${round}`)));
        }
      })();
      for (let reads = 0; reads < 30; reads++) {
        const scanned: Entry[] = [];
        const listed = reads % 2 === 0 ? await store.list('k/') : undefined;
        const revision =
          listed?.revision ?? (await store.scan('k/', (batch) => scanned.push(...batch)));
        const entries = listed?.entries ?? scanned;
        expect(new Set(entries.map(({ value }) => value)).size).toBeLessThanOrEqual(1);
        for (const { modifyRevision } of entries) expect(modifyRevision).toBe(revision);
        await store.commit([]);
      }
      writing = false;
      await writer;
    });

    it('keeps any key and value text as it is', async () => {
      const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 });
      await fc.assert(
        fc.asyncProperty(text, fc.string({ unit: 'grapheme' }), async (key, value) => {
          await store.commit([put(key, value)]);
          expect(await store.get(key)).toMatchObject({ key, value });
          expect((await store.list(key)).entries[0]).toMatchObject({ key, value });
        }),
        { numRuns: 50 },
      );
    });

    it('keeps empty and large values', async () => {
      const large = 'é'.repeat(1_000_000);
      await store.commit([put('empty', ''), put('large', large)]);
      expect((await store.get('empty'))?.value).toBe('');
      expect((await store.get('large'))?.value === large).toBe(true);
    });

    it('agrees with a plain map over any sequence of commits', async () => {
      const key = fc.constantFrom('a', 'a/b', 'a/c', 'b', 'ü');
      const op: fc.Arbitrary<Op> = fc.oneof(
        fc.record({ type: fc.constant('put' as const), key, value: fc.string() }),
        fc.record({ type: fc.constant('delete' as const), key }),
      );
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.array(op, { maxLength: 4 }), { maxLength: 12 }),
          async (all) => {
            const { entries: before } = await store.list('');
            await store.commit(before.map((entry) => del(entry.key)));
            const model = new Map<string, string>();
            const commits = all.map((ops) => {
              for (const each of ops) {
                if (each.type === 'put') model.set(each.key, each.value);
                else model.delete(each.key);
              }
              return store.commit(ops);
            });
            await Promise.all(commits);
            const { entries } = await store.list('');
            expect(new Map(entries.map((entry) => [entry.key, entry.value]))).toEqual(model);
          },
        ),
        { numRuns: 30 },
      );
    });

    it('shows a watcher every change after its revision, in order and without gaps, under concurrent writes', async () => {
      const random = seededRandom(7);
      const from = revisionOf(await store.commit([put('w/before')]));
      const watch = store.watch('w/', from, signal());
      const commits: Promise<CommitResult>[] = [];
      for (let at = 0; at < 200; at++) {
        commits.push(store.commit([put(`w/${at % 17}`, `${at}`), put(`other/${at}`)]));
        if (random() < 0.1) await Promise.all(commits);
      }
      const seen = await collect(watch, 200);
      const revisions = (await Promise.all(commits)).map(revisionOf);
      expect(seen.map(({ revision }) => revision)).toEqual(revisions);
      expect(seen.map(({ entry }) => entry?.value)).toEqual(revisions.map((_, at) => `${at}`));
    });

    it('shows a deletion as a change without an entry', async () => {
      const from = revisionOf(await store.commit([put('a')]));
      const revision = revisionOf(await store.commit([del('a')]));
      expect(await collect(store.watch('', from, signal()), 1)).toEqual([{ key: 'a', revision }]);
    });

    it('lets a watcher resume from any revision it has seen', async () => {
      const revisions: Revision[] = [];
      for (let at = 0; at < 5; at++)
        revisions.push(revisionOf(await store.commit([put('a', `${at}`)])));
      for (const [at, from] of revisions.entries()) {
        const seen = await collect(store.watch('', from, signal()), 4 - at);
        expect(seen.map(({ revision }) => revision)).toEqual(revisions.slice(at + 1));
      }
    });

    it('has no gap between a list and a watch from its revision', async () => {
      let writing = true;
      const writer = (async () => {
        for (let at = 0; writing; at++) await store.commit([put(`k/${at % 9}`, `${at}`)]);
      })();
      for (let round = 0; round < 10; round++) {
        const { entries, revision } = await store.list('k/');
        const seen = new Map(entries.map((entry) => [entry.key, entry.value]));
        for (const { key, entry } of await collect(store.watch('k/', revision, signal()), 5)) {
          if (entry !== undefined) seen.set(key, entry.value);
        }
        const values = [...seen.values()].map(Number).sort((a, b) => a - b);
        for (const [at, value] of values.entries()) expect(value).toBe((values[0] ?? 0) + at);
      }
      writing = false;
      await writer;
    });

    it('shows a change to a watcher by the time its commit has resolved', async () => {
      const seen: Revision[] = [];
      const reading = (async () => {
        for await (const changes of store.watch('', store.revision, signal())) {
          for (const { revision } of changes) seen.push(revision);
          if (seen.length >= 3) break;
        }
      })();
      for (let at = 0; at < 3; at++) {
        const revision = revisionOf(await store.commit([put('a', `${at}`)]));
        for (let turn = 0; turn < 10; turn++) await Promise.resolve();
        expect(seen.at(-1)).toBe(revision);
      }
      await reading;
    });

    it('ends a watch when its signal aborts, also while it waits', async () => {
      const controller = new AbortController();
      const reading = collect(store.watch('', store.revision, controller.signal), 1);
      await store.commit([]);
      controller.abort();
      expect(await reading).toEqual([]);
      expect(await collect(store.watch('', store.revision, controller.signal), 1)).toEqual([]);
    });

    it('accepts what was committed before close, then refuses everything and ends watches', async () => {
      const reading = collect(store.watch('', store.revision, signal()), 2).catch((error) => error);
      const commit = store.commit([put('a')]);
      await store.close();
      expect(await commit).toMatchObject({ ok: true });
      const seen: unknown = await reading;
      if (Array.isArray(seen)) expect(seen).toHaveLength(1);
      else expect(seen).toMatchObject({ code: 'STORE_CLOSED' });
      await expect(store.get('a')).rejects.toMatchObject({ code: 'STORE_CLOSED' });
      await expect(store.list('')).rejects.toMatchObject({ code: 'STORE_CLOSED' });
      await expect(store.commit([put('b')])).rejects.toMatchObject({ code: 'STORE_CLOSED' });
      await store.close();
    });

    it('keeps entries over a reopening and never reuses a revision', async () => {
      if (under.reopen === undefined) return;
      const used = new Set<Revision>();
      for (let round = 0; round < 4; round++) {
        const results = await Promise.all([
          store.commit([put(`k/${round}`, `${round}`)]),
          store.commit([put('gone'), put('stays', `${round}`)]),
          store.commit([del('gone')]),
          store.commit([del('never there')]),
        ]);
        for (const revision of results.map(revisionOf)) {
          expect(used.has(revision)).toBe(false);
          used.add(revision);
        }
        const before = await store.list('');
        store = await under.reopen();
        expect(await store.list('')).toEqual(before);
        expect(store.revision).toBe(Math.max(...used));
      }
    });

    it('tells a watcher that asks for changes from before a reopening that they are gone', async () => {
      if (under.reopen === undefined) return;
      const from = revisionOf(await store.commit([put('a', '1')]));
      await store.commit([put('a', '2')]);
      store = await under.reopen();
      await expect(collect(store.watch('', from, signal()), 1)).rejects.toMatchObject({
        code: 'STORE_COMPACTED',
      });
      const revision = revisionOf(await store.commit([put('a', '3')]));
      const seen = await collect(store.watch('', revision - 1, signal()), 1);
      expect(seen).toMatchObject([{ revision }]);
    });

    it('goes on above a revision it was raised to', async () => {
      if (store.raiseRevision === undefined) return;
      const before = revisionOf(await store.commit([put('a')]));
      await Promise.all([store.raiseRevision(before + 1_000), store.raiseRevision(1)]);
      expect(revisionOf(await store.commit([put('a')]))).toBeGreaterThan(before + 1_000);
      if (under.reopen !== undefined) {
        await store.raiseRevision(before + 5_000);
        store = await under.reopen();
        expect(revisionOf(await store.commit([put('a')]))).toBeGreaterThan(before + 5_000);
      }
    });
  });
}
