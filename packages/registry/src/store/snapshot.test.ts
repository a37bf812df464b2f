import type { Op, Store } from '@portolan/core';
import { MemoryStore } from '@portolan/testing';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { restoreSnapshot } from './restore-snapshot.ts';
import { saveSnapshot } from './save-snapshot.ts';
import { RESTORE_MARKER_KEY } from './snapshot-format.ts';

const createdAt = '2026-11-23T22:00:00.000Z';

async function saved(store: Store): Promise<string> {
  let text = '';
  for await (const chunk of saveSnapshot(store, { createdAt })) text += chunk;
  return text;
}

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const from = (text: string) => () => inPieces(Buffer.from(text), 1_000);

async function contents(store: Store): Promise<Map<string, string>> {
  const { entries } = await store.list('');
  return new Map(entries.map(({ key, value }) => [key, value]));
}

async function storeWith(values: Record<string, string>): Promise<MemoryStore> {
  const store = new MemoryStore();
  const ops = Object.entries(values).map(([key, value]): Op => ({ type: 'put', key, value }));
  if (ops.length > 0) await store.commit(ops);
  return store;
}

describe('A snapshot', () => {
  it('restores to an equal store, whatever it holds, however it is cut, over whatever was there', async () => {
    const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 });
    const content = fc.dictionary(text, fc.string({ unit: 'grapheme' }), { noNullPrototype: true });
    await fc.assert(
      fc.asyncProperty(
        content,
        content,
        fc.integer({ min: 1, max: 50 }),
        async (source, old, size) => {
          const a = await storeWith(source);
          const b = await storeWith(old);
          const bytes = Buffer.from(await saved(a));
          await restoreSnapshot(b, inPieces(bytes, size), { mode: 'replace' });
          expect(await contents(b)).toEqual(await contents(a));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('is the same text for the same store', async () => {
    const store = await storeWith({ a: '1', b: '2' });
    expect(await saved(store)).toBe(await saved(store));
    expect((await saved(store)).split('\n')[0]).toBe(
      `{"format":"portolan-snapshot","version":1,"revision":1,"count":2,"createdAt":"${createdAt}"}`,
    );
  });

  it('is refused by a store that holds something, unless it is to be replaced', async () => {
    const text = await saved(await storeWith({ a: '1' }));
    const target = await storeWith({ b: '2' });
    await expect(restoreSnapshot(target, from(text), { mode: 'empty' })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    expect(await contents(target)).toEqual(new Map([['b', '2']]));
    const outcome = await restoreSnapshot(target, from(text), { mode: 'replace' });
    expect(outcome).toMatchObject({ restored: 1, removed: 1 });
  });

  it('is written in bounded commits and tells how far it is', async () => {
    const values = Object.fromEntries(Array.from({ length: 3_000 }, (_, at) => [`k${at}`, 'v']));
    const text = await saved(await storeWith(values));
    const target = new MemoryStore();
    const seen: string[] = [];
    const { revision } = await restoreSnapshot(target, from(text), {
      mode: 'empty',
      onProgress: ({ phase, done, total }) => seen.push(`${phase} ${done}/${total}`),
    });
    expect(revision).toBeGreaterThanOrEqual(8);
    expect(seen).toContain('validating 2000/3000');
    expect(seen.at(-1)).toBe('writing 3000/3000');
  });

  it('leaves a marker when writing it is interrupted, and a second restore clears it', async () => {
    const values = Object.fromEntries(Array.from({ length: 2_000 }, (_, at) => [`k${at}`, 'v']));
    const text = await saved(await storeWith(values));
    const target = new MemoryStore();
    const failing = restoreSnapshot(target, from(text), {
      mode: 'empty',
      onProgress: ({ phase, done }) => {
        if (phase === 'writing' && done >= 1_000) target.failCommitsWith(new Error('disk'));
      },
    });
    await expect(failing).rejects.toThrow('disk');
    target.failCommitsWith(undefined);
    expect(await target.get(RESTORE_MARKER_KEY)).toBeDefined();
    await expect(saved(target)).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
    await restoreSnapshot(target, from(text), { mode: 'replace' });
    expect((await contents(target)).size).toBe(2_000);
  });

  const damage: readonly [string, (lines: string[]) => string | Buffer, number][] = [
    ['is empty', () => '', 1],
    ['is another file', () => '{"hello":1}\n', 1],
    ['is not JSON', () => 'hello\n', 1],
    ['is of a newer version', (lines) => lines.join('\n').replace('"version":1', '"version":2'), 1],
    ['lost its trailer', (lines) => `${lines.slice(0, -2).join('\n')}\n`, 5],
    ['was cut within a line', (lines) => lines.join('\n').slice(0, -20), 5],
    ['lost an entry', (lines) => lines.filter((_, at) => at !== 2).join('\n'), 4],
    ['had a value changed', (lines) => lines.join('\n').replace('"value":"two"', '"value":"2"'), 5],
    ['has an entry without a value', (lines) => lines.join('\n').replace('"value":"two",', ''), 3],
    ['goes on after the trailer', (lines) => `${lines.join('\n')}{}\n`, 6],
    ['has an entry twice', (lines) => [...lines.slice(0, 2), ...lines.slice(1)].join('\n'), 3],
    [
      'is not UTF-8',
      (lines) => Buffer.concat([Buffer.from(lines.join('\n')), Buffer.from([0xff])]),
      5,
    ],
  ];
  it.each(damage)(
    'that %s is refused, naming the line, before anything is written',
    async (_, cut, line) => {
      const text = await saved(await storeWith({ a: 'one', b: 'two', c: 'three' }));
      const target = await storeWith({ mine: 'x' });
      const bytes = Buffer.from(cut(text.split('\n')));
      const before = target.revision;
      await expect(
        restoreSnapshot(target, () => inPieces(bytes, 7), { mode: 'replace' }),
      ).rejects.toMatchObject({
        code: 'SNAPSHOT_INVALID',
        message: expect.stringContaining(`Line ${line} `),
      });
      expect(target.revision).toBe(before);
      expect(await contents(target)).toEqual(new Map([['mine', 'x']]));
    },
  );

  it('survives no flipped bit', async () => {
    const bytes = Buffer.from(await saved(await storeWith({ a: 'one', b: 'two' })));
    const at = fc.integer({ min: 0, max: bytes.length - 1 });
    await fc.assert(
      fc.asyncProperty(at, fc.integer({ min: 0, max: 7 }), async (byte, bit) => {
        const bad = Buffer.from(bytes);
        bad[byte] = (bad[byte] ?? 0) ^ (1 << bit);
        const target = new MemoryStore();
        await expect(
          restoreSnapshot(target, () => inPieces(bad, 64), { mode: 'empty' }),
        ).rejects.toMatchObject({ code: 'SNAPSHOT_INVALID' });
        expect(target.revision).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});
