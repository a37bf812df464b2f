import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TurnableClock } from '@portolan/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openLineFile } from './line-file.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portolan-lines-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function opened(path = join(folder, 'log'), maxWaitingBytes?: number) {
  const clock = new TurnableClock();
  const counts = { written: 0, dropped: 0 };
  const errors: unknown[] = [];
  const file = await openLineFile(
    { path, ...(maxWaitingBytes === undefined ? {} : { maxWaitingBytes }) },
    {
      clock,
      onError: (error) => errors.push(error),
      onLines: (outcome, lines) => {
        counts[outcome] += lines;
      },
    },
  );
  return { clock, counts, errors, file, path };
}

describe('a file of lines', () => {
  test('gathers lines and appends them by and by', async () => {
    const { clock, file, path, counts } = await opened();
    file.write('one\n');
    file.write('two\n');
    expect(await readFile(path, 'utf8')).toBe('');
    await clock.advance(200);
    await file.close();
    expect(await readFile(path, 'utf8')).toBe('one\ntwo\n');
    expect(counts).toEqual({ written: 2, dropped: 0 });
    expect(clock.pending).toBe(0);
  });

  test('does not wait for the time once there is much', async () => {
    const { file, path, counts } = await opened();
    file.write(`${'x'.repeat(70_000)}\n`);
    await file.reopen();
    expect(counts.written).toBe(1);
    expect((await readFile(path, 'utf8')).length).toBe(70_001);
    await file.close();
  });

  test('drops what is too much to hold, and counts it', async () => {
    const { file, path, counts } = await opened(undefined, 10);
    for (let at = 0; at < 5; at++) file.write('1234\n');
    await file.close();
    expect(await readFile(path, 'utf8')).toBe('1234\n1234\n');
    expect(counts).toEqual({ written: 2, dropped: 3 });
  });

  test('goes on in a new file after its old one was moved, without a line lost or twice', async () => {
    const { file, path } = await opened();
    for (let at = 0; at < 100; at++) file.write(`${at}\n`);
    await rename(path, `${path}.1`);
    const reopened = file.reopen();
    for (let at = 100; at < 200; at++) file.write(`${at}\n`);
    await reopened;
    file.write('200\n');
    await file.close();
    const text = (await readFile(`${path}.1`, 'utf8')) + (await readFile(path, 'utf8'));
    expect(text).toBe(Array.from({ length: 201 }, (_, at) => `${at}\n`).join(''));
    expect(existsSync(path)).toBe(true);
  });

  test('that cannot be opened anew goes on in the old one', async () => {
    const { file, path } = await opened(join(folder, 'log'));
    const moved = `${folder}-moved`;
    await rename(folder, moved);
    await expect(file.reopen()).rejects.toThrow('ENOENT');
    file.write('still\n');
    await file.close();
    await rename(moved, folder);
    expect(await readFile(path, 'utf8')).toBe('still\n');
  });

  test.runIf(existsSync('/dev/full'))(
    'on a full disk drops lines, says so once, and goes on',
    async () => {
      const { file, counts, errors, clock } = await opened('/dev/full');
      for (let at = 0; at < 3; at++) {
        file.write('line\n');
        await clock.advance(200);
        await file.reopen();
      }
      await file.close();
      expect(counts).toEqual({ written: 0, dropped: 3 });
      expect(errors).toHaveLength(1);
    },
  );

  test('rejects at once for a folder that is not there', async () => {
    await expect(opened(join(folder, 'no', 'log'))).rejects.toThrow('ENOENT');
  });
});
