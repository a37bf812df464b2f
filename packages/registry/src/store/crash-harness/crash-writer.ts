// Run by crash.test.ts in a process of its own, to be killed: commits without end and prints what was acknowledged.
import { writeSync } from 'node:fs';
import { NO_LOGGER, type Op } from '@portolan/core';
import { openEmbeddedStore } from '../embedded-store.ts';

const [folder = '', round = ''] = process.argv.slice(2);
const store = await openEmbeddedStore(
  // So that kills also meet the copying.
  { path: folder, compactFromBytes: 100_000 },
  { logger: NO_LOGGER },
);

const say = (line: object): void => {
  writeSync(1, `${JSON.stringify(line)}\n`);
};

async function write(writer: number): Promise<void> {
  for (let turn = 0; ; turn++) {
    const name = `${round}.${writer}.${turn}`;
    const count = turn % 3 === 0 ? 40 : 1;
    const ops: Op[] = Array.from({ length: count }, (_, at) => ({
      type: 'put',
      key: `k/${name}/${count}/${at}`,
      value: name.repeat((turn * 7) % 200),
    }));
    if (turn % 4 === 3) {
      const key = `k/${round}.${writer}.${turn - 2}/1/0`;
      say({ deleting: key });
      ops.push({ type: 'delete', key });
    }
    const result = await store.commit(ops);
    if (!result.ok) throw new Error('An unguarded commit lost');
    say({
      revision: result.revision,
      keys: ops.filter(({ type }) => type === 'put').map(({ key }) => key),
      deleted: ops.filter(({ type }) => type === 'delete').map(({ key }) => key),
    });
  }
}

say({ ready: true });
await Promise.all(Array.from({ length: 16 }, (_, writer) => write(writer)));
