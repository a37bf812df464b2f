import { createReadStream } from 'node:fs';
import { open, readFile, rename, unlink } from 'node:fs/promises';
import { resolve } from 'node:path';
import { isRegistryError, NO_LOGGER, type Store } from '@portolan/core';
import {
  type EmbeddedStoreOptions,
  openEmbeddedStore,
  type RestoreProgress,
  restoreSnapshot,
  saveSnapshot,
} from '@portolan/registry';
import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { clientFor } from '../registry-client.ts';

interface SnapshotOptions {
  readonly dataDir?: string;
  readonly force?: boolean;
}

/** `portolan snapshot save|restore` */
export function addSnapshot(program: Command, context: CliContext): void {
  const snapshot = program
    .command('snapshot')
    .description('save or restore everything a registry holds');
  const offline = 'a data folder that no server uses, instead of a running registry';

  snapshot
    .command('save')
    .description('Saves everything the registry holds to a file, or to standard output.')
    .argument('<file>', 'file to write, or - for standard output')
    .option('--data-dir <folder>', offline)
    .action(async (file: string, options: SnapshotOptions, command: Command) => {
      const bytes = await save(file, options, command, context);
      context.stderr.write(`saved ${bytes} bytes${file === '-' ? '' : ` to ${file}`}\n`);
    });

  snapshot
    .command('restore')
    .description(
      'Restores a snapshot. It is read whole and checked before anything is written. Instances get one full lease to come back.',
    )
    .argument('<file>', 'file to read, or - for standard input')
    .option('--data-dir <folder>', offline)
    .option(
      '--force',
      'replace what the registry holds; without it only an empty one is restored into',
    )
    .action(async (file: string, options: SnapshotOptions, command: Command) => {
      const { restored, removed } = await restore(file, options, command, context);
      context.stderr.write(`restored ${restored} entries, removed ${removed}\n`);
    });
}

async function save(
  file: string,
  options: SnapshotOptions,
  command: Command,
  context: CliContext,
): Promise<number> {
  const { dataDir } = options;
  if (dataDir === undefined) {
    return write(await clientFor(command, context).snapshot.save(), file, context);
  }
  return withStore({ dataDir, mustExist: true }, context, (store) => {
    const createdAt = new Date(context.clock.wallNow()).toISOString();
    return write(saveSnapshot(store, { createdAt }), file, context);
  });
}

/** A file appears whole or not at all, and takes the place of an older one only then. */
async function write(
  chunks: AsyncIterable<string | Uint8Array>,
  file: string,
  context: CliContext,
): Promise<number> {
  if (file === '-') {
    let bytes = 0;
    const decoder = new TextDecoder();
    for await (const chunk of chunks) {
      bytes += Buffer.byteLength(chunk);
      context.stdout.write(
        typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true }),
      );
    }
    return bytes;
  }
  const path = resolve(context.cwd, file);
  const aside = `${path}.part`;
  let bytes = 0;
  try {
    const handle = await open(aside, 'w', 0o600);
    try {
      for await (const chunk of chunks) {
        await handle.writeFile(chunk);
        bytes += Buffer.byteLength(chunk);
        showProgress(context, `saving: ${bytes} bytes`);
      }
      await handle.sync();
    } finally {
      await handle.close();
      clearProgress(context);
    }
    await rename(aside, path);
  } catch (error) {
    await unlink(aside).catch(() => undefined);
    throw toFileError(error, file);
  }
  return bytes;
}

async function restore(
  file: string,
  options: SnapshotOptions,
  command: Command,
  context: CliContext,
): Promise<{ readonly restored: unknown; readonly removed: unknown }> {
  const mode = options.force === true ? 'replace' : 'empty';
  try {
    if (options.dataDir === undefined) {
      const bytes = await readWhole(file, context);
      showProgress(context, `restoring: ${bytes.length} bytes sent`);
      const outcome = await clientFor(command, context).snapshot.restore(bytes, mode);
      return { restored: outcome.restored, removed: outcome.removed };
    }
    const path = resolve(context.cwd, file);
    const source = file === '-' ? inBytes(context.stdin) : () => createReadStream(path);
    const allowInterruptedRestore = mode === 'replace';
    const where = { dataDir: options.dataDir, allowInterruptedRestore };
    return await withStore(where, context, (store) =>
      restoreSnapshot(store, source, {
        mode,
        onProgress: ({ phase, done, total }: RestoreProgress) =>
          showProgress(context, `${phase}: ${done} of ${total} entries`),
      }),
    );
  } catch (error) {
    throw toFileError(withForceHint(error), file);
  } finally {
    clearProgress(context);
  }
}

async function withStore<T>(
  { dataDir, ...options }: Omit<EmbeddedStoreOptions, 'path'> & { readonly dataDir: string },
  context: CliContext,
  work: (store: Store) => Promise<T>,
): Promise<T> {
  const path = resolve(context.cwd, dataDir);
  const store = await openEmbeddedStore({ path, ...options }, { logger: NO_LOGGER });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

async function readWhole(file: string, context: CliContext): Promise<Uint8Array<ArrayBuffer>> {
  if (file !== '-') return new Uint8Array(await readFile(resolve(context.cwd, file)));
  const chunks: Uint8Array[] = [];
  for await (const chunk of inBytes(context.stdin)) chunks.push(chunk);
  return new Uint8Array(Buffer.concat(chunks));
}

async function* inBytes(chunks: AsyncIterable<string | Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
}

function withForceHint(error: unknown): unknown {
  const conflict =
    error instanceof Error && 'code' in error && error.code === 'CONFLICT' ? error : undefined;
  if (!conflict) return error;
  const hints = ['--force replaces what it holds.'];
  return new CliError(conflict.message, { exit: 'conflict', hints, cause: error });
}

function toFileError(error: unknown, file: string): unknown {
  if (isRegistryError(error) || !(error instanceof Error) || !('syscall' in error)) return error;
  const code = 'code' in error ? String(error.code) : error.message;
  const why = code === 'ENOENT' ? 'there is no such file or folder' : code;
  return new CliError(`${file}: ${why}`, { cause: error });
}

/** On a terminal only: a line that is written over. */
function showProgress(context: CliContext, text: string): void {
  if (context.stderr.isTTY === true) context.stderr.write(`\r${text}\u001b[K`);
}

function clearProgress(context: CliContext): void {
  if (context.stderr.isTTY === true) context.stderr.write('\r\u001b[K');
}
