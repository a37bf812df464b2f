import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NO_LOGGER } from '@portolan/core';
import { storeContract } from '@portolan/testing/contracts/store-contract';
import { openLmdbStore } from './lmdb-store.ts';

storeContract('The LMDB store', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'portolan-store-'));
  const open = () => openLmdbStore({ path: join(folder, 'data') }, { logger: NO_LOGGER });
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
