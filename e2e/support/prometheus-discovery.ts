import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const SOURCE = fileURLToPath(new URL('../clients/prometheus-discovery/', import.meta.url));
const NO_NETWORK = /dial tcp|no such host|connection refused|i\/o timeout|proxyconnect/;

/** A group of targets as Prometheus's discovery tells it: a service, or one that has gone when there are none. */
export interface TargetGroup {
  readonly source: string;
  readonly labels: Readonly<Record<string, string>> | null;
  readonly targets: readonly Readonly<Record<string, string>>[] | null;
}

export function hasGo(): boolean {
  try {
    execFileSync('go', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Builds the discovery of the Prometheus that the module file names; undefined when its source cannot be had. */
export async function buildDiscovery(folder: string): Promise<string | undefined> {
  const program = join(folder, 'prometheus-discovery');
  try {
    await promisify(execFile)('go', ['build', '-o', program, '.'], { cwd: SOURCE });
    return program;
  } catch (error) {
    if (NO_NETWORK.test(String(error))) return undefined;
    throw error;
  }
}

/** Prometheus's discovery at work. */
export interface RunningDiscovery {
  /** The newest group of each service that has targets. */
  readonly groups: ReadonlyMap<string, TargetGroup>;
  log(): string;
  stop(): Promise<void>;
}

/** `config` is the YAML of one entry of `consul_sd_configs`. */
export function startDiscovery(program: string, config: string): RunningDiscovery {
  const child: ChildProcess = spawn(program, [config], { stdio: ['ignore', 'pipe', 'pipe'] });
  const groups = new Map<string, TargetGroup>();
  let log = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  if (child.stdout) {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const group = JSON.parse(line) as TargetGroup;
      if ((group.targets ?? []).length === 0) groups.delete(group.source);
      else groups.set(group.source, group);
    });
  }
  return {
    groups,
    log: () => log,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGINT');
      await exited;
    },
  };
}
