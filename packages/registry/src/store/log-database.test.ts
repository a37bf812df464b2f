import {
  closeSync,
  cpSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NO_LOGGER, type Store } from '@portolan/core';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEmbeddedStore } from './embedded-store.ts';

let base: string;
let data: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'portolan-log-'));
  data = join(base, 'data');
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const open = (path = data, compactFromBytes?: number): Promise<Store> =>
  openEmbeddedStore(
    { path, ...(compactFromBytes === undefined ? {} : { compactFromBytes }) },
    { logger: NO_LOGGER },
  );
const files = (path = data): string[] =>
  readdirSync(path)
    .filter((name) => name.startsWith('registry-'))
    .sort();
const contentsOf = async (store: Store): Promise<Record<string, string>> =>
  Object.fromEntries((await store.list('')).entries.map(({ key, value }) => [key, value]));

/** As a kill would leave it: the files of a store that is still open. */
function copied(name: string): string {
  const path = join(base, name);
  cpSync(data, path, { recursive: true, filter: (from) => !/portolan\.(lock|pid)/.test(from) });
  return path;
}

describe('A log that ends in the middle of a write', () => {
  it('is read up to the last whole write, wherever the end is, and goes on from there', async () => {
    const store = await open();
    const states: { end: number; contents: Record<string, string> }[] = [];
    const log = join(data, 'registry-00000001.log');
    for (let at = 0; at < 12; at++) {
      states.push({ end: statSync(log).size, contents: await contentsOf(store) });
      await store.commit([
        { type: 'put', key: `k/${at % 5}`, value: `${at}`.repeat(at * 40) },
        { type: 'delete', key: `k/${(at + 2) % 5}` },
      ]);
    }
    states.push({ end: statSync(log).size, contents: await contentsOf(store) });
    let round = 0;
    const first = states[0]?.end ?? 0;
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: first, max: statSync(log).size }), async (end) => {
        const path = copied(`cut-${round++}`);
        truncateSync(join(path, 'registry-00000001.log'), end);
        const again = await open(path);
        const expected = states.filter((state) => state.end <= end).at(-1);
        expect(await contentsOf(again)).toEqual(expected?.contents);
        await again.commit([{ type: 'put', key: 'after', value: 'x' }]);
        await again.close();
        const third = await open(path);
        expect(await contentsOf(third)).toEqual({ ...expected?.contents, after: 'x' });
        await third.close();
      }),
      { numRuns: 60 },
    );
    await store.close();
  });

  it('is read up to there when sectors never reached the disk, and is damaged when one is gone before the end', async () => {
    const store = await open();
    const log = join(data, 'registry-00000001.log');
    await store.commit([{ type: 'put', key: 'a', value: 'x'.repeat(3_000) }]);
    const whole = statSync(log).size;
    await store.commit([{ type: 'put', key: 'b', value: 'y'.repeat(3_000) }]);
    const torn = join(copied('torn'), 'registry-00000001.log');
    const zeros = (path: string, from: number): void => {
      const bytes = Buffer.alloc(512);
      const handle = openSync(path, 'r+');
      writeSync(handle, bytes, 0, bytes.length, from);
      closeSync(handle);
    };
    zeros(torn, Math.ceil(whole / 512) * 512 + 512);
    const again = await open(join(base, 'torn'));
    expect(await contentsOf(again)).toEqual({ a: 'x'.repeat(3_000) });
    await again.close();
    const damaged = join(copied('damaged'), 'registry-00000001.log');
    zeros(damaged, 512);
    await expect(open(join(base, 'damaged'))).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
    await store.close();
  });

  it('with a byte that changed after it was whole is damaged, not torn', async () => {
    const store = await open();
    await store.commit([{ type: 'put', key: 'a', value: 'x'.repeat(3_000) }]);
    const path = copied('flipped');
    const log = join(path, 'registry-00000001.log');
    const handle = openSync(log, 'r+');
    writeSync(handle, 'Z', statSync(log).size - 100);
    closeSync(handle);
    await expect(open(path)).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
    await store.close();
  });
});

describe('A file that changes under an open store', () => {
  it('is found damaged by every read but the one that follows the check of all of it', async () => {
    const first = await open();
    await first.commit([{ type: 'put', key: 'a', value: 'x'.repeat(3_000) }]);
    await first.close();
    const store = await open();
    await store.scan('', () => undefined);
    const log = join(data, 'registry-00000001.log');
    const handle = openSync(log, 'r+');
    writeSync(handle, 'Z', statSync(log).size - 100);
    closeSync(handle);
    const corrupt = { code: 'STORE_CORRUPT' };
    await expect(store.scan('', () => undefined)).rejects.toMatchObject(corrupt);
    await expect(store.list('')).rejects.toMatchObject(corrupt);
    await expect(store.get('a')).rejects.toMatchObject(corrupt);
    await store.close();
  });

  it('is found damaged by any read when it has become shorter', async () => {
    const first = await open();
    await first.commit([{ type: 'put', key: 'a', value: 'x'.repeat(3_000) }]);
    await first.close();
    const store = await open();
    truncateSync(join(data, 'registry-00000001.log'), 2_000);
    const corrupt = { code: 'STORE_CORRUPT' };
    await expect(store.scan('', () => undefined)).rejects.toMatchObject(corrupt);
    await expect(store.get('a')).rejects.toMatchObject(corrupt);
    await store.close();
  });
});

describe('Compaction', () => {
  /** Until the files are those of a store with nothing to do. */
  async function compacted(store: Store, wanted: (names: string[]) => boolean): Promise<void> {
    for (let at = 0; at < 2_000 && !wanted(files()); at++) {
      await store.commit([{ type: 'put', key: `fill/${at % 3}`, value: 'z'.repeat(200) }]);
    }
    expect(files()).toSatisfy(wanted);
  }

  it('leaves one base and the log that follows it, with the same contents and revisions', async () => {
    const store = await open(data, 20_000);
    for (let at = 0; at < 50; at++) {
      await store.commit([{ type: 'put', key: `k/${at}`, value: `${at}` }]);
    }
    await store.commit([{ type: 'delete', key: 'k/7' }]);
    await compacted(store, (names) => names.length === 2 && !names[0]?.includes('00000001'));
    const before = await store.list('');
    await store.close();
    const again = await open();
    expect(await again.list('')).toEqual(before);
    await again.close();
  });

  it('agrees with a plain map under any writes, reopenings and kills', async () => {
    const step = fc.oneof(
      {
        weight: 12,
        arbitrary: fc.record({ key: fc.nat(30), bytes: fc.nat(400), remove: fc.boolean() }),
      },
      { weight: 1, arbitrary: fc.constantFrom('reopen' as const, 'kill' as const) },
    );
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 150 }), async (steps) => {
        let path = join(base, `model-${run++}`);
        let store = await open(path, 4_000);
        const model: Record<string, string> = {};
        let kills = 0;
        for (const action of steps) {
          if (action === 'reopen') {
            await store.close();
            store = await open(path, 4_000);
          } else if (action === 'kill') {
            const copy = `${path}-${kills++}`;
            cpSync(path, copy, {
              recursive: true,
              filter: (from) => !/portolan\.(lock|pid)/.test(from),
            });
            await store.close();
            path = copy;
            store = await open(path, 4_000);
          } else {
            const key = `k/${action.key}`;
            if (action.remove) {
              await store.commit([{ type: 'delete', key }]);
              delete model[key];
            } else {
              await store.commit([{ type: 'put', key, value: 'v'.repeat(action.bytes) }]);
              model[key] = 'v'.repeat(action.bytes);
            }
          }
        }
        expect(await contentsOf(store)).toEqual(model);
        await store.close();
      }),
      { numRuns: 30 },
    );
  }, 60_000);

  it('that was interrupted leaves nothing behind after the next start, and what it had finished is used', async () => {
    const store = await open(data, 20_000);
    await store.commit([{ type: 'put', key: 'kept', value: '1' }]);
    await compacted(store, (names) => names.some((name) => name.endsWith('.base')));
    const before = await contentsOf(store);
    await store.close();
    writeFileSync(join(data, 'registry-00000009.base.new'), 'half');
    writeFileSync(join(data, 'registry-00000000.log'), 'older');
    const again = await open();
    expect(await contentsOf(again)).toEqual(before);
    expect(files()).toHaveLength(2);
    await again.close();
  });

  it('keeps a list whole that began before it', async () => {
    const store = await open(data, 20_000);
    for (let at = 0; at < 3_000; at++) {
      void store.commit([{ type: 'put', key: `k/${at}`, value: 'x'.repeat(500) }]);
    }
    await store.commit([]);
    const listing = store.list('k/');
    await compacted(store, (names) => !names.includes('registry-00000001.log'));
    expect((await listing).entries).toHaveLength(3_000);
    await store.close();
  });

  it('reports a base that is damaged, wherever it is', async () => {
    const store = await open(data, 20_000);
    for (let at = 0; at < 50; at++) {
      await store.commit([{ type: 'put', key: `k/${at}`, value: `${at}` }]);
    }
    await compacted(store, (names) => names.length === 2 && names.some((n) => n.endsWith('.base')));
    await store.close();
    const name = files().find((file) => file.endsWith('.base')) ?? '';
    const { size } = statSync(join(data, name));
    for (let at = 3; at < size; at += Math.ceil(size / 40)) {
      const path = copied(`damaged-${at}`);
      const handle = openSync(join(path, name), 'r+');
      const byte = Buffer.alloc(1);
      readSync(handle, byte, 0, 1, at);
      byte[0] = (byte[0] ?? 0) ^ 0x10;
      writeSync(handle, byte, 0, 1, at);
      closeSync(handle);
      await expect(open(path), `at ${at}`).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
    }
  });
});
