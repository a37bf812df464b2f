import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type PinnedProcess, spawnPinned } from './pinned-process.ts';

const BIN = fileURLToPath(new URL('../../../packages/server/bin/portolan.js', import.meta.url));

export interface ServerUnderTest extends PinnedProcess {
  readonly control: string;
  readonly gateway: string;
  readonly dataDir: string;
  /** Milliseconds from spawning to `ready`. */
  readonly startMs: number;
  dispose(): Promise<void>;
}

/** Starts the built server pinned to CPU 0 (the load runs on the others). */
export async function startServer(
  options: {
    dataDir?: string;
    args?: readonly string[];
    pin?: boolean;
    env?: Readonly<Record<string, string>>;
  } = {},
): Promise<ServerUnderTest> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'portolan-bench-')));
  const listen = ['--control', '127.0.0.1:0', '--gateway', '127.0.0.1:0'];
  const command = [
    process.execPath,
    BIN,
    'serve',
    '--data-dir',
    dataDir,
    ...listen,
    ...(options.args ?? []),
  ];
  const startedMs = performance.now();
  const server = spawnPinned(command, {
    stdio: ['ignore', 'pipe', 'ignore'],
    cwd: dataDir,
    env: { ...process.env, ...options.env },
    ...(options.pin === undefined ? {} : { pin: options.pin }),
  });
  const { child } = server;
  let text = '';
  await new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}: ${text}`)));
    child.stdout?.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      if (/^ready$/m.test(text)) resolve();
    });
  });
  const startMs = performance.now() - startedMs;
  const url = (what: string): string =>
    new RegExp(`^\\s*${what}\\b.*?(http://[^/\\s]+)`, 'im').exec(text)?.[1] ?? '';
  return {
    ...server,
    dataDir,
    startMs,
    control: url('api'),
    gateway: url('gateway'),
    async dispose() {
      await server.stop('SIGKILL');
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
