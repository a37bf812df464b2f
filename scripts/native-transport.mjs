// Compiles the native transport of `@portolan/http` where that can be done; the engine works without it. Plain JavaScript, as the build.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGE = fileURLToPath(new URL('../packages/http/', import.meta.url));
const SOURCE = join(PACKAGE, 'native/transport.c');
const TARGET = join(PACKAGE, `dist/native/transport-${process.platform}-${process.arch}.node`);

/**
 * Says why it was not built, or nothing when it is there. Never fails: without it sockets go through `node:net`.
 */
export function buildNativeTransport(target = TARGET, compiler = process.env.CC || 'cc') {
  if (process.platform !== 'linux') return undefined;
  if (existsSync(target) && statSync(target).mtimeMs >= statSync(SOURCE).mtimeMs) return undefined;
  // Not what an older source made.
  rmSync(target, { force: true });
  const without = (reason) => `native transport not built (${reason}); the engine uses node:net`;
  const headers = headerFolder();
  if (headers === undefined) return without("Node's headers are not installed");
  mkdirSync(dirname(target), { recursive: true });
  const made = `${target}.${process.pid}`;
  const options = '-std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -fvisibility=hidden -fPIC -shared';
  const { error, status, stderr } = spawnSync(
    compiler,
    [...options.split(' '), `-I${headers}`, '-o', made, SOURCE],
    { encoding: 'utf8' },
  );
  if (status === 0) {
    renameSync(made, target);
    return undefined;
  }
  rmSync(made, { force: true });
  if (error) return without(`no C compiler: ${compiler} cannot be run`);
  return `${stderr}${without(`${compiler} failed`)}`;
}

/** Of the runtime that the lockfile brings, or of the one that runs this. */
function headerFolder() {
  const folders = [join(dirname(dirname(process.execPath)), 'include/node')];
  try {
    const node = createRequire(import.meta.url).resolve('node/package.json');
    const installed = createRequire(node).resolve(
      `node-${process.platform}-${process.arch}/package.json`,
    );
    folders.unshift(join(dirname(installed), 'include/node'));
  } catch {
    // Installed without it.
  }
  return folders.find(
    (folder) => existsSync(join(folder, 'node_api.h')) && existsSync(join(folder, 'uv.h')),
  );
}
