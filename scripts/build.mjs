// Builds every package in dependency order. Plain JavaScript: it runs before anything is built.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { buildNativeTransport } from './native-transport.mjs';

const tsc = createRequire(import.meta.url)
  .resolve('typescript/package.json')
  .replace('package.json', 'bin/tsc');
const { status } = spawnSync(process.execPath, [tsc, '-b', 'packages/server', 'packages/testing'], {
  stdio: 'inherit',
});
const remark = buildNativeTransport();
if (remark !== undefined) console.error(remark);
process.exit(status ?? 1);
