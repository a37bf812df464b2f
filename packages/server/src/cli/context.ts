import { systemClock } from '@portolan/client';
import type { Clock, Random } from '@portolan/core';

/** Where text goes; a terminal says so. */
export interface OutputStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** Everything a command may touch of the process it runs in; tests hand in their own. */
export interface CliContext {
  readonly stdin: AsyncIterable<string | Uint8Array> & { readonly isTTY?: boolean | undefined };
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Calls `listener` for the signal instead of ending the process, until unsubscribed. */
  onSignal(signal: NodeJS.Signals, listener: () => void): () => void;
  /** What the process will exit with when the command resolves; commands that fail throw a `CliError` instead. */
  exitCode: number;
  /** Ends the process without waiting for what still runs. */
  exitNow(code: number): void;
}

/** The context of the real process. */
export function createProcessContext(): CliContext {
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.cwd(),
    clock: systemClock,
    random: Math.random,
    onSignal(signal, listener) {
      process.on(signal, listener);
      return () => void process.off(signal, listener);
    },
    exitCode: 0,
    exitNow: (code) => process.exit(code),
  };
}
