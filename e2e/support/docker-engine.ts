import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, copyFileSync, existsSync, mkdirSync, openSync, symlinkSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The image that every test container is made of: BusyBox, and room for the machine's own libraries. */
export const IMAGE = 'portolan-test/busybox:1';

const TURN_LIMIT_MS = 900_000;
const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const NODE_FOLDER = dirname(process.execPath);

/** Options of `docker run` with which a container has this Node as `/node/node`, and the repository. */
export const WITH_NODE: readonly string[] = [
  '-v',
  '/usr:/usr:ro',
  '-v',
  `${NODE_FOLDER}:/node:ro`,
  '-v',
  `${REPOSITORY}:${REPOSITORY}:ro`,
];

/** A real Docker Engine of its own, on a private socket. */
export interface DockerEngine {
  /** `unix://…` */
  readonly host: string;
  readonly socketPath: string;
  /** Runs `docker` with these arguments and gives what it printed; rejects with what it complained of. */
  docker(...args: readonly string[]): Promise<string>;
  /** Starts a container and gives its id. */
  start(name: string, options: readonly string[], command: readonly string[]): Promise<string>;
  /** Removes every container, service and network of the tests, and leaves the swarm. */
  clear(): Promise<void>;
  /** Stops the daemon, as an upgrade does, or kills it. */
  stopDaemon(signal?: NodeJS.Signals): Promise<void>;
  startDaemon(): Promise<void>;
  dispose(): Promise<void>;
}

/** Why no engine can run here; undefined when one can. */
export function whyNoEngine(): string | undefined {
  if (process.platform !== 'linux') return 'it takes Linux';
  if (process.getuid?.() !== 0) return 'starting dockerd takes root';
  for (const [tool, from] of [
    ['dockerd', 'docker.io'],
    ['docker', 'docker.io'],
    ['iptables', 'iptables'],
  ] as const) {
    try {
      execFileSync('which', [tool], { stdio: 'ignore' });
    } catch {
      return `${tool} is not installed (apt-get install ${from})`;
    }
  }
  return existsSync('/bin/busybox') ? undefined : 'busybox is not installed (busybox-static)';
}

let turn: Promise<void> | undefined;

/** Engines share docker0 and iptables' chains: one process at a time has one. A socket without a file ends with its process. */
function takeTurn(): Promise<void> {
  turn ??= (async () => {
    for (const endMs = performance.now() + TURN_LIMIT_MS; ; ) {
      const server = createServer();
      const taken = await new Promise<boolean>((resolve) => {
        server.once('error', () => resolve(false));
        server.listen('\0portolan-docker-engine', () => resolve(true));
      });
      server.unref();
      if (taken) return;
      if (performance.now() > endMs) throw new Error('another process keeps its engine running');
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  })();
  return turn;
}

/** A daemon of somebody else would lose the rules of its published ports to ours. */
async function findOtherDaemon(): Promise<string | undefined> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
    if (name.trim() === 'dockerd') return pid;
  }
  return undefined;
}

let probed: Promise<string | undefined> | undefined;

/** Whether an engine really starts here; says once why not. */
export async function canRunEngine(what: string): Promise<boolean> {
  probed ??= probe();
  const reason = await probed;
  if (reason !== undefined) process.stdout.write(`SKIPPED: ${what}: no Docker Engine: ${reason}\n`);
  return reason === undefined;
}

async function probe(): Promise<string | undefined> {
  const reason = whyNoEngine();
  if (reason !== undefined) return reason;
  try {
    await takeTurn();
    const other = await findOtherDaemon();
    if (other !== undefined) {
      return `another dockerd runs here (process ${other}), whose iptables rules a second one would flush`;
    }
    await (await startDockerEngine()).dispose();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** A default bridge of its own, so that no other engine's containers have the same addresses; undefined: docker0 it is. */
async function addBridge(): Promise<string | undefined> {
  const number = process.pid % 10_000;
  const name = `ptl${number}`;
  const address = `10.${100 + Math.floor(number / 100)}.${100 + (number % 100)}.1/24`;
  try {
    await run('ip', ['link', 'add', name, 'type', 'bridge']);
    await run('ip', ['addr', 'add', address, 'dev', name]);
    await run('ip', ['link', 'set', name, 'up']);
    return name;
  } catch {
    await run('ip', ['link', 'del', name]).catch(() => undefined);
    return undefined;
  }
}

/** What a daemon leaves mounted keeps its folder from being removed. */
export async function unmountBelow(folder: string): Promise<void> {
  const mounts = await readFile('/proc/self/mountinfo', 'utf8');
  const paths = mounts.split('\n').flatMap((line) => line.split(' ')[4] ?? []);
  for (const path of paths.filter((one) => one.startsWith(`${folder}/`)).reverse()) {
    await run('umount', ['-l', path]).catch(() => undefined);
  }
}

/** Packs the tests' image into the folder and gives the archive's path. */
export async function archiveTestImage(folder: string): Promise<string> {
  const root = join(folder, 'image');
  for (const path of ['bin', 'tmp', 'www', 'usr', 'node']) {
    mkdirSync(join(root, path), { recursive: true });
  }
  // Where the machine's libraries are mounted, programs look for them.
  symlinkSync('usr/lib', join(root, 'lib'));
  symlinkSync('usr/lib64', join(root, 'lib64'));
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
  for (const name of [
    'sh',
    'httpd',
    'sleep',
    'ls',
    'cat',
    'wget',
    'hostname',
    'kill',
    'rm',
    'touch',
  ]) {
    symlinkSync('busybox', join(root, 'bin', name));
  }
  const archive = join(folder, 'image.tar');
  await run('tar', ['-C', root, '-cf', archive, '.']);
  await rm(root, { recursive: true });
  return archive;
}

/** Starts dockerd with folders of its own and imports the image. */
export async function startDockerEngine(): Promise<DockerEngine> {
  await takeTurn();
  const folder = await mkdtemp(join(tmpdir(), 'portolan-docker-'));
  const socketPath = join(folder, 'docker.sock');
  const host = `unix://${socketPath}`;
  let daemon: ReturnType<typeof spawn> | undefined;
  let bridge: string | undefined;

  async function docker(...args: readonly string[]): Promise<string> {
    try {
      const { stdout } = await run('docker', ['-H', host, ...args], { maxBuffer: 64 * 1024 ** 2 });
      return stdout.trim();
    } catch (error) {
      const { stderr } = error as { stderr?: string };
      throw new Error(`docker ${args.join(' ')}: ${stderr ?? String(error)}`);
    }
  }

  /** Restarts a daemon that ends before it serves, as systemd would: its own wait for containerd is short for a busy machine. */
  async function startDaemon(): Promise<void> {
    bridge ??= await addBridge();
    for (let attempt = 1; ; attempt++) {
      try {
        await spawnDaemon();
        return;
      } catch (error) {
        await stopDaemon('SIGKILL');
        if (attempt < 3) continue;
        const said = await readFile(join(folder, 'log'), 'utf8');
        throw new Error(`dockerd does not start: ${said.trim().split('\n').at(-1)}`, {
          cause: error,
        });
      }
    }
  }

  async function spawnDaemon(): Promise<void> {
    const log = openSync(join(folder, 'log'), 'a');
    const started = spawn(
      'dockerd',
      [
        `--data-root=${folder}/data`,
        `--exec-root=${folder}/exec`,
        `--pidfile=${folder}/pid`,
        '--live-restore=false',
        ...(bridge === undefined ? [] : ['-b', bridge]),
        '-H',
        host,
      ],
      { stdio: ['ignore', log, log], detached: true },
    );
    closeSync(log);
    daemon = started;
    const deadline = Date.now() + 30_000;
    for (;;) {
      try {
        await docker('version');
        return;
      } catch (error) {
        if (started.exitCode !== null) throw new Error(`dockerd ended with ${started.exitCode}`);
        if (Date.now() > deadline) throw error;
        await delay(100);
      }
    }
  }

  async function stopDaemon(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const ending = daemon;
    daemon = undefined;
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return;
    const exit = once(ending, 'exit');
    ending.kill(signal);
    const late = setTimeout(() => ending.kill('SIGKILL'), 20_000);
    await exit;
    clearTimeout(late);
  }

  async function importImage(): Promise<void> {
    const archive = await archiveTestImage(folder);
    await docker('import', archive, IMAGE);
    await rm(archive);
  }

  async function clear(): Promise<void> {
    await docker('swarm', 'leave', '--force').catch(() => undefined);
    const ids = await docker('ps', '-aq');
    if (ids !== '') await docker('rm', '-f', '-v', ...ids.split('\n'));
    await docker('network', 'prune', '-f');
  }

  const engine: DockerEngine = {
    host,
    socketPath,
    docker,
    start: (name, options, command) =>
      docker('run', '-d', '--name', name, ...options, IMAGE, ...command),
    clear,
    stopDaemon,
    startDaemon,
    async dispose() {
      await clear().catch(() => undefined);
      await stopDaemon();
      await unmountBelow(folder);
      if (bridge !== undefined) await run('ip', ['link', 'del', bridge]).catch(() => undefined);
      await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
  };
  try {
    await startDaemon();
    await importImage();
    return engine;
  } catch (error) {
    await engine.dispose().catch(() => undefined);
    throw error;
  }
}
