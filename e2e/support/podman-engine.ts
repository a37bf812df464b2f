import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { archiveTestImage, IMAGE, unmountBelow } from './docker-engine.ts';
import { eventually } from './eventually.ts';

const run = promisify(execFile);

/** Podman with storage of its own, and its Docker-compatible service on a private socket. */
export interface PodmanEngine {
  /** `unix://…` */
  readonly host: string;
  /** Runs `podman` with these arguments, beside the service and on the same storage. */
  podman(...args: readonly string[]): Promise<string>;
  /** Starts a container and gives its id. */
  start(name: string, options: readonly string[], command: readonly string[]): Promise<string>;
  clear(): Promise<void>;
  dispose(): Promise<void>;
}

/** Whether Podman runs containers here; says once why not. */
export async function canRunPodman(what: string): Promise<boolean> {
  const reason = await whyNoPodman();
  if (reason !== undefined) process.stdout.write(`SKIPPED: ${what}: no Podman: ${reason}\n`);
  return reason === undefined;
}

async function whyNoPodman(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'it takes Linux';
  if (process.getuid?.() !== 0) return 'its networks take root';
  try {
    execFileSync('which', ['podman'], { stdio: 'ignore' });
  } catch {
    return 'podman is not installed (apt-get install podman netavark)';
  }
  let engine: PodmanEngine | undefined;
  try {
    engine = await startPodmanEngine();
    await engine.start('probe', [], ['sleep', '60']);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await engine?.dispose();
  }
}

/**
 * Starts the service on storage of its own. Limits are those that this process may set, since Podman asks for more by
 * default; runc, because crun refuses machines with both versions of control groups.
 */
export async function startPodmanEngine(): Promise<PodmanEngine> {
  const folder = await mkdtemp(join(tmpdir(), 'portolan-podman-'));
  const socket = join(folder, 'podman.sock');
  const files = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim();
  const settings = join(folder, 'containers.conf');
  await writeFile(
    settings,
    `[containers]\ndefault_ulimits = ["nofile=${files}:${files}", "nproc=32768:32768"]\n`,
  );
  const environment = { ...process.env, CONTAINERS_CONF: settings };
  const places = ['--root', 'root', '--runroot', 'run', '--tmpdir', 'tmp'];
  const flags = [
    ...places.map((word) => (word.startsWith('--') ? word : join(folder, word))),
    '--network-config-dir',
    join(folder, 'networks'),
    '--storage-driver=vfs',
    '--cgroup-manager=cgroupfs',
    '--events-backend=file',
    '--runtime=runc',
  ];

  async function podman(...args: readonly string[]): Promise<string> {
    try {
      const { stdout } = await run('podman', [...flags, ...args], {
        env: environment,
        maxBuffer: 16 * 1024 ** 2,
      });
      return stdout.trim();
    } catch (error) {
      const { stderr } = error as { stderr?: string };
      throw new Error(`podman ${args.join(' ')}: ${(stderr ?? String(error)).trim()}`);
    }
  }

  const log = openSync(join(folder, 'log'), 'a');
  const service = spawn('podman', [...flags, 'system', 'service', '--time=0', `unix://${socket}`], {
    env: environment,
    stdio: ['ignore', log, log],
  });
  const ended = once(service, 'exit');

  const engine: PodmanEngine = {
    host: `unix://${socket}`,
    podman,
    start: (name, options, command) =>
      podman('run', '-d', '--name', name, ...options, IMAGE, ...command),
    async clear() {
      await podman('pod', 'rm', '-f', '-a', '-t', '0').catch(() => undefined);
      const all = ['rm', '-f', '-a', '-t', '0'] as const;
      // One whose network another one uses goes after that one only.
      await podman(...all).catch(() => podman(...all));
      await podman('network', 'prune', '-f');
    },
    async dispose() {
      await engine.clear().catch(() => undefined);
      if (service.exitCode === null && service.signalCode === null) service.kill('SIGTERM');
      const late = setTimeout(() => service.kill('SIGKILL'), 10_000);
      await ended;
      clearTimeout(late);
      await unmountBelow(folder);
      await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
  };
  try {
    const archive = await archiveTestImage(folder);
    await podman('import', archive, IMAGE);
    await rm(archive);
    await eventually(async () => {
      if (service.exitCode !== null) {
        throw new Error(`podman ended: ${await readFile(join(folder, 'log'), 'utf8')}`);
      }
      await run('podman', ['--remote', '--url', `unix://${socket}`, 'version']);
      return true;
    }, 20_000);
    return engine;
  } catch (error) {
    await engine.dispose().catch(() => undefined);
    throw error;
  }
}
