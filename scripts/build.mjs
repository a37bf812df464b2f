// Builds every package in dependency order. Plain JavaScript: it runs before anything is built.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';

const tsc = createRequire(import.meta.url)
  .resolve('typescript/package.json')
  .replace('package.json', 'bin/tsc');
const { status } = spawnSync(process.execPath, [tsc, '-b', 'packages/server', 'packages/testing'], {
  stdio: 'inherit',
});
process.exit(status ?? 1);
