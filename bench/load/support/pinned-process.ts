import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';

/** A server of a benchmark, and what it costs. */
export interface PinnedProcess {
  readonly child: ChildProcess;
  /** Resident memory now, bytes. */
  residentBytes(): Promise<number>;
  /** User and system CPU seconds so far. */
  cpuSeconds(): Promise<number>;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Starts a command on CPU 0 (the load runs on the others). */
export function spawnPinned(
  command: readonly string[],
  options: SpawnOptions & { readonly pin?: boolean },
): PinnedProcess {
  const { pin, ...rest } = options;
  const pinned = pin !== false && cpus().length > 1 ? ['taskset', '-c', '0', ...command] : command;
  const child = spawn(pinned[0] as string, pinned.slice(1), rest);
  const pid = child.pid as number;
  return {
    child,
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
  };
}
