import { systemClock } from '@portolan/client';
import { seededRandom } from '@portolan/testing';
import type { CliContext } from '../context.ts';
import { runCli } from '../program.ts';

export interface CliRunOptions {
  readonly registry?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** Of a terminal; absent: standard output is a pipe. */
  readonly columns?: number;
  readonly cwd?: string;
}

export interface CliRun {
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Resolves with the exit code. */
  readonly ended: Promise<number>;
  /** As if the process were sent it; true when the command listens for it. */
  signal(name: NodeJS.Signals): boolean;
  /** Resolves when standard output or standard error holds `text`. */
  until(text: string): Promise<void>;
}

/** Runs one command line in this process. */
export function startCli(args: readonly string[], options: CliRunOptions = {}): CliRun {
  let stdout = '';
  let stderr = '';
  const listeners = new Map<string, Set<() => void>>();
  const waiting = new Set<() => void>();
  const look = (): void => {
    for (const wake of waiting) wake();
  };
  const terminal = options.columns === undefined ? {} : { isTTY: true, columns: options.columns };
  const context: CliContext = {
    stdin: (async function* () {
      if (options.stdin !== undefined) yield options.stdin;
    })(),
    stdout: {
      ...terminal,
      write(text) {
        stdout += text;
        look();
      },
    },
    stderr: {
      ...terminal,
      write(text) {
        stderr += text;
        look();
      },
    },
    env: { ...options.env },
    cwd: options.cwd ?? process.cwd(),
    clock: systemClock,
    random: seededRandom(1),
    onSignal(name, listener) {
      const own = listeners.get(name) ?? new Set();
      listeners.set(name, own.add(listener));
      return () => void own.delete(listener);
    },
    exitCode: 0,
    exitNow(code) {
      throw new Error(`exitNow(${code}) in a test`);
    },
  };
  const registry = options.registry === undefined ? [] : ['--registry', options.registry];
  const ended = runCli([...registry, ...args], context);
  return {
    stdout: () => stdout,
    stderr: () => stderr,
    ended,
    signal(name) {
      const own = [...(listeners.get(name) ?? [])];
      for (const listener of own) listener();
      return own.length > 0;
    },
    until: (text) =>
      new Promise((resolve) => {
        const wake = (): void => {
          if (!stdout.includes(text) && !stderr.includes(text)) return;
          waiting.delete(wake);
          resolve();
        };
        waiting.add(wake);
        wake();
      }),
  };
}

/** Runs one command line to its end. */
export async function runToEnd(
  args: readonly string[],
  options: CliRunOptions = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const run = startCli(args, options);
  const code = await run.ended;
  return { code, stdout: run.stdout(), stderr: run.stderr() };
}
