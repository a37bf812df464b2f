import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../../../packages/server/bin/portolan.js', import.meta.url));

export interface ServerUnderTest {
  readonly child: ChildProcess;
  readonly control: string;
  readonly gateway: string;
  readonly dataDir: string;
  /** Milliseconds from spawning to `ready`. */
  readonly startMs: number;
  /** Resident memory now, bytes. */
  residentBytes(): Promise<number>;
  /** User and system CPU seconds so far. */
  cpuSeconds(): Promise<number>;
  stop(signal?: NodeJS.Signals): Promise<void>;
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
  const pinned =
    options.pin !== false && cpus().length > 1 ? ['taskset', '-c', '0', ...command] : command;
  const startedMs = performance.now();
  const child = spawn(pinned[0] as string, pinned.slice(1), {
    stdio: ['ignore', 'pipe', 'ignore'],
    cwd: dataDir,
    env: { ...process.env, ...options.env },
  });
  let text = '';
  await new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}: ${text}`)));
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      if (/^ready$/m.test(text)) resolve();
    });
  });
  const startMs = performance.now() - startedMs;
  const url = (what: string): string =>
    new RegExp(`^\\s*${what}\\b.*?(http://[^/\\s]+)`, 'im').exec(text)?.[1] ?? '';
  const pid = child.pid as number;
  return {
    child,
    dataDir,
    startMs,
    control: url('api'),
    gateway: url('gateway'),
    async residentBytes() {
      const status = await readFile(`/proc/${pid}/status`, 'utf8');
      return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024;
    },
    async cpuSeconds() {
      const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? [];
      return (Number(fields[11]) + Number(fields[12])) / 100;
    },
    async stop(signal = 'SIGTERM') {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill(signal);
      await once(child, 'exit');
    },
    async dispose() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
