// Run by descriptors.test.ts in a process of its own, whose limit of open files is low: writes while only a few more can be opened,
// until those are taken too, as by connections, when the n-th file has been closed.
import fs, { closeSync, openSync, writeSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { NO_LOGGER } from '@portolan/core';
import { openEmbeddedStore } from '../embedded-store.ts';

const [folder = '', spare = '0', nth = '0', end = 'close'] = process.argv.slice(2);
let complaints = 0;
const store = await openEmbeddedStore(
  { path: folder, compactFromBytes: 4_000 },
  { logger: { ...NO_LOGGER, error: () => void complaints++ } },
);
const model = new Map<string, string>();
let writes = 0;

async function write(count: number): Promise<void> {
  for (let at = 0; at < count; at++) {
    const key = `k/${writes % 20}`;
    const value = `${writes++}`.repeat(100);
    await store.commit([{ type: 'put', key, value }]);
    model.set(key, value);
  }
}

/** Keys whose value cannot be read, or is another. */
async function wrong(): Promise<string[]> {
  const keys: string[] = [];
  for (const [key, value] of model) {
    const entry = await store.get(key).catch(() => undefined);
    if (entry?.value !== value) keys.push(key);
  }
  return keys;
}

const held: number[] = [];

function takeAll(): void {
  try {
    for (;;) held.push(openSync('/dev/null', 'r'));
  } catch {
    // There are no more.
  }
}

const close = closeSync;
let closed = 0;
fs.closeSync = (descriptor) => {
  close(descriptor);
  if (++closed === Number(nth)) takeAll();
};
syncBuiltinESMExports();
takeAll();
for (let at = 0; at < Number(spare); at++) close(held.pop() ?? -1);
await write(60);
const wrongWithout = await wrong();
const complained = complaints;
let complainedLater = 0;
if (end === 'close-later') {
  for (const descriptor of held) close(descriptor);
  await write(120);
  complainedLater = complaints - complained;
}
const wrongAfter = await wrong();
const contents = Object.fromEntries(model);
writeSync(1, JSON.stringify({ complained, complainedLater, wrongWithout, wrongAfter, contents }));
if (end === 'kill') process.kill(process.pid, 'SIGKILL');
for (const descriptor of end === 'close' ? held : []) close(descriptor);
await store.close();
