import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NO_LOGGER } from '@portolan/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEmbeddedStore } from './embedded-store.ts';

const WRITER = new URL('./crash-harness/few-descriptors.ts', import.meta.url).pathname;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'portolan-few-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe.each([
  [0, 0],
  [1, 1],
  [2, 1],
  [3, 1],
  [3, 2],
])(
  'A store whose process may open %i more files, and none after it has closed %i',
  (spare, nth) => {
    it.each(['close', 'close-later', 'kill'])('goes on and loses nothing: %s', async (end) => {
      const script = 'ulimit -n 100; exec "$@"';
      const node = [process.execPath, '--conditions=portolan-source', WRITER];
      const command = ['-c', script, 'sh', ...node, folder, String(spare), String(nth), end];
      const { stdout, stderr } = spawnSync('sh', command, { encoding: 'utf8' });
      expect(stderr).toBe('');
      const said = JSON.parse(stdout);
      expect(said).toMatchObject({ complainedLater: 0, wrongWithout: [], wrongAfter: [] });
      // That the limit was met at all.
      expect(said.complained).toBeGreaterThan(0);
      const store = await openEmbeddedStore({ path: folder }, { logger: NO_LOGGER });
      const { entries } = await store.list('');
      expect(Object.fromEntries(entries.map(({ key, value }) => [key, value]))).toEqual(
        said.contents,
      );
      await store.close();
    });
  },
);
