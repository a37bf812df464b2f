import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NO_LOGGER } from '@portolan/core';
import { storeContract } from '@portolan/testing/contracts/store-contract';
import { openEmbeddedStore } from './embedded-store.ts';

for (const [name, options] of [
  ['The embedded store', {}],
  ['The embedded store that compacts all the time', { compactFromBytes: 1_000 }],
] as const) {
  storeContract(name, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'portolan-store-'));
    const open = () =>
      openEmbeddedStore({ path: join(folder, 'data'), ...options }, { logger: NO_LOGGER });
    let current = await open();
    return {
      store: current,
      reopen: async () => {
        await current.close();
        current = await open();
        return current;
      },
      dispose: async () => {
        await current.close();
        await rm(folder, { recursive: true });
      },
    };
  });
}
