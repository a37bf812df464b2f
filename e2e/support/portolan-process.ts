import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const BIN = fileURLToPath(new URL('../../packages/server/bin/portolan.js', import.meta.url));

export interface PortolanOptions {
  /** Default: a new folder, removed by `dispose`. */
  readonly dataDir?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly readyWithinMs?: number;
  /** Called at once, long before it is ready. */
  readonly onSpawn?: (child: ChildProcess) => void;
}

/** The built server as a real process, on free ports of the loopback address. */
export interface PortolanProcess {
  readonly child: ChildProcess;
  readonly dataDir: string;
  /** `http://127.0.0.1:PORT` */
  readonly control: string;
  readonly gateway: string;
  stdout(): string;
  stderr(): string;
  /** Sends the signal and resolves with how the process ended. */
  stop(signal?: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  dispose(): Promise<void>;
}

/** Starts `portolan serve` and resolves when it has printed `ready`. */
export async function startPortolan(options: PortolanOptions = {}): Promise<PortolanProcess> {
  const ownDir = options.dataDir === undefined;
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'portolan-e2e-')));
  const child = spawn(
    process.execPath,
    [
      BIN,
      'serve',
      '--data-dir',
      dataDir,
      '--control',
      '127.0.0.1:0',
      '--gateway',
      '127.0.0.1:0',
      ...(options.args ?? []),
    ],
    {
      cwd: options.cwd ?? dataDir,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  options.onSpawn?.(child);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const exited = once(child, 'exit').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
  }));
  await new Promise<void>((resolve, reject) => {
    const fail = (why: string): void => {
      clearTimeout(timer);
      reject(new Error(`portolan serve ${why}\n--- stdout\n${stdout}\n--- stderr\n${stderr}`));
    };
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail('was not ready in time');
    }, options.readyWithinMs ?? 30_000);
    const look = (): void => {
      if (!/^ready$/m.test(stdout)) return;
      clearTimeout(timer);
      child.stdout.off('data', look);
      resolve();
    };
    child.stdout.on('data', look);
    child.once('exit', (code, signal) => fail(`ended early: code ${code}, signal ${signal}`));
  });
  return {
    child,
    dataDir,
    control: printedUrl(stdout, 'api'),
    gateway: printedUrl(stdout, 'gateway'),
    stdout: () => stdout,
    stderr: () => stderr,
    async stop(signal = 'SIGTERM') {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      return exited;
    },
    async dispose() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await exited;
      if (ownDir) await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** The origin that the start text names for `what`; empty when this role has none. */
function printedUrl(text: string, what: 'api' | 'gateway'): string {
  const line = new RegExp(`^\\s*${what}\\b.*?(http://[^/\\s]+)`, 'im').exec(text);
  return line?.[1] ?? '';
}

/** Runs the built command line to its end. */
export async function runPortolan(
  args: readonly string[],
  options: { env?: Record<string, string>; cwd?: string; input?: string } = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [BIN, ...args], {
    cwd: options.cwd,
    env: { ...process.env, NO_COLOR: '1', ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin.end(options.input ?? '');
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}
