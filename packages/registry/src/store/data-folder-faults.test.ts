import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ErrorCode, NO_LOGGER, type Store } from '@portolan/core';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEmbeddedStore } from './embedded-store.ts';

const WRITER = new URL('./crash-harness/crash-writer.ts', import.meta.url).pathname;
const isRoot = process.getuid?.() === 0;

let base: string;
let data: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'portolan-faults-'));
  data = join(base, 'data');
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const open = (path = data): Promise<Store> => openEmbeddedStore({ path }, { logger: NO_LOGGER });

/** A store with some hundred entries, closed. */
async function filled(): Promise<Map<string, string>> {
  const store = await open();
  const values = new Map<string, string>();
  for (let at = 0; at < 400; at++) values.set(`k/${at}`, `${at}`.repeat(at % 150));
  values.set('large', 'x'.repeat(20_000));
  for (let round = 0; round < 3; round++) {
    await store.commit([...values].map(([key, value]) => ({ type: 'put', key, value })));
  }
  await store.close();
  return values;
}

async function contents(): Promise<Map<string, string>> {
  const store = await open();
  const { entries } = await store.list('');
  await store.close();
  return new Map(entries.map(({ key, value }) => [key, value]));
}

async function expectRefused(code: ErrorCode, ...words: string[]): Promise<void> {
  const opening = open();
  await expect(opening).rejects.toMatchObject({ code });
  for (const word of words) await expect(opening).rejects.toThrow(word);
}

describe('The data folder', () => {
  it('is made with its parents, and a relative path is taken from the working directory', async () => {
    data = join(base, 'a', 'b.c', 'd');
    await (await open()).close();
    expect(existsSync(join(data, 'registry-00000001.log'))).toBe(true);
  });

  it('is refused when it, or a part of its path, is a file', async () => {
    writeFileSync(data, '');
    await expectRefused('STORE_FAILED', data, 'is a file');
    data = join(data, 'below');
    await expectRefused('STORE_FAILED', data, 'is a file');
  });

  it.runIf(existsSync('/proc/self'))(
    'is refused where no folder can be made, at once',
    async () => {
      await expect(open('/proc/portolan/data')).rejects.toMatchObject({
        code: 'STORE_FAILED',
        message: expect.stringContaining('making the data folder in /proc/portolan/data'),
      });
    },
  );

  it('is not made for a reader that wants what is there', async () => {
    for (const path of [data, base]) {
      const opening = openEmbeddedStore({ path, mustExist: true }, { logger: NO_LOGGER });
      await expect(opening).rejects.toMatchObject({
        code: 'STORE_FAILED',
        message: expect.stringContaining('nothing was made there'),
      });
    }
    expect(readdirSync(base)).toEqual([]);
  });

  it('is refused to a second opening in the same process, and free again after close', async () => {
    const store = await open();
    await expectRefused('STORE_LOCKED', data, String(process.pid));
    await store.commit([{ type: 'put', key: 'a', value: '1' }]);
    await store.close();
    expect(await contents()).toEqual(new Map([['a', '1']]));
  });

  it('is refused while another process has it, naming that process, and free once that is killed', async () => {
    const other = spawn(process.execPath, ['--conditions=portolan-source', WRITER, data, '0'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(other.stdout, 'data');
    other.stdout.resume();
    await expectRefused('STORE_LOCKED', `Process ${other.pid}`, data);
    other.kill('SIGKILL');
    await once(other, 'exit');
    await (await open()).close();
  });

  it('is refused to all but one of many that start at once', async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => open()));
    const winners = outcomes.filter(({ status }) => status === 'fulfilled');
    expect(winners).toHaveLength(1);
    for (const outcome of winners) if (outcome.status === 'fulfilled') await outcome.value.close();
  });

  it('does not believe a pid file left behind by a process that is gone', async () => {
    await filled();
    writeFileSync(join(data, 'portolan.pid'), `${process.pid}\n`);
    expect((await contents()).size).toBe(401);
  });

  it('is refused without permission, saying whose it has to be', async ({ skip }) => {
    if (isRoot)
      sayAndSkip(skip, 'root may write everywhere: e2e/data-folder runs this as another user');
    mkdirSync(data);
    chmodSync(data, 0o500);
    await expectRefused('STORE_FORBIDDEN', data, 'permission');
    chmodSync(data, 0o700);
  });

  it('is refused when a newer version wrote it', async () => {
    await filled();
    const marker = join(data, 'portolan-store.json');
    writeFileSync(marker, readFileSync(marker, 'utf8').replace('"format":2', '"format":3'));
    await expectRefused('STORE_FAILED', data, 'newer version');
  });

  it('is refused with a way to move on when an older version wrote it', async () => {
    await filled();
    const marker = join(data, 'portolan-store.json');
    writeFileSync(marker, '{"product":"portolan","format":1}\n');
    await expectRefused('STORE_FAILED', data, 'older version', 'snapshot save');
  });

  it('is refused while a restore into it is unfinished, except to restore again', async () => {
    const store = await open();
    await store.commit([{ type: 'put', key: 'snapshot/restoring', value: '' }]);
    await store.close();
    await expectRefused('STORE_CORRUPT', 'snapshot restore');
    const again = await openEmbeddedStore(
      { path: data, allowInterruptedRestore: true },
      { logger: NO_LOGGER },
    );
    await again.close();
  });
});

describe('A damaged store', () => {
  const file = () => join(data, 'registry-00000001.log');
  const overwrite = (at: number, bytes: Uint8Array): void => {
    const handle = openSync(file(), 'r+');
    writeSync(handle, bytes, 0, bytes.length, at);
    closeSync(handle);
  };

  it.each<[string, () => void]>([
    ['is missing', () => rmSync(file())],
    ['is empty', () => truncateSync(file(), 0)],
    ['has only its head', () => truncateSync(file(), 100)],
    ['lost its second half', () => truncateSync(file(), statSync(file()).size / 2)],
    ['lost its last byte', () => truncateSync(file(), statSync(file()).size - 1)],
    ['lost its first sector', () => overwrite(0, new Uint8Array(512))],
    ['lost a sector within', () => overwrite(5_120, new Uint8Array(512))],
    ['lost its last sector', () => overwrite(statSync(file()).size - 512, new Uint8Array(512))],
    ['has bytes behind its end', () => appendFileSync(file(), 'more')],
    ['is something else', () => writeFileSync(file(), 'not a log at all'.repeat(2_000))],
  ])('that %s is reported and left as it is', async (_, damage) => {
    await filled();
    damage();
    const before = existsSync(file()) ? readFileSync(file()) : undefined;
    await expectRefused('STORE_CORRUPT', file(), 'backup');
    expect(existsSync(file()) ? readFileSync(file()) : undefined).toEqual(before);
  });

  it('is reported wherever the garbage is, or holds exactly what it held', async () => {
    const values = await filled();
    const original = join(base, 'original');
    copyFileSync(file(), original);
    const { size } = statSync(original);
    let reported = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.nat(size - 1),
        fc.uint8Array({ minLength: 1, maxLength: 300 }),
        async (at, garbage) => {
          copyFileSync(original, file());
          overwrite(at, garbage.subarray(0, size - at));
          try {
            expect(await contents()).toEqual(values);
          } catch (error) {
            expect(error).toMatchObject({ code: 'STORE_CORRUPT' });
            reported++;
          }
        },
      ),
      { numRuns: 150 },
    );
    expect(reported).toBeGreaterThan(20);
  }, 60_000);
});

describe('A full disk', () => {
  it('fails the commit, keeps what was there, and takes later commits once there is space', async ({
    skip,
  }) => {
    if (!isRoot) sayAndSkip(skip, 'mounting a small file system needs root');
    mkdirSync(data);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', data], { stdio: 'pipe' });
    } catch (error) {
      sayAndSkip(skip, `a small file system cannot be mounted here: ${String(error)}`);
    }
    let store: Store | undefined;
    try {
      writeFileSync(join(data, 'ballast'), Buffer.alloc(1_000_000));
      store = await open();
      const kept: string[] = [];
      let failure: unknown;
      for (let at = 0; failure === undefined && at < 1_000; at++) {
        const key = `k/${at}`;
        try {
          await store.commit([{ type: 'put', key, value: 'x'.repeat(50_000) }]);
          kept.push(key);
        } catch (error) {
          failure = error;
        }
      }
      expect(failure).toMatchObject({ code: 'STORE_FULL', message: expect.stringContaining(data) });
      expect((await store.list('')).entries.map(({ key }) => key).sort()).toEqual(kept.sort());
      rmSync(join(data, 'ballast'));
      expect(await store.commit([{ type: 'put', key: 'after', value: 'y' }])).toMatchObject({
        ok: true,
      });
      kept.push('after');
      await store.close();
      store = await open();
      expect((await store.list('')).entries.map(({ key }) => key).sort()).toEqual(kept.sort());
      await store.close();
    } finally {
      await store?.close();
      execFileSync('umount', [data]);
    }
  });
});

/** A skipped test names its reason, where CI prints it too. */
function sayAndSkip(skip: (note: string) => void, reason: string): void {
  process.stderr.write(`SKIPPED: ${reason}\n`);
  skip(reason);
}
