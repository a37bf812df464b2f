import { execFile, execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { DockerEngine } from '../support/docker-engine.ts';

const run = promisify(execFile);

export const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

/** The image as its Dockerfile makes it. */
export const PORTOLAN_IMAGE = 'portolan-test/portolan:1';
/** HAProxy of this machine, in place of its official image. */
export const PROXY_IMAGE = 'portolan-test/haproxy:1';

/** BusyBox of this machine, laid out as its official image is. */
export const SAMPLE_IMAGE = 'portolan-test/sample:1';

const NODE_IMAGE = 'portolan-test/node:1';
const APP_IMAGE = 'portolan-test/app:1';

/** A docker command that builds with BuildKit, which leaves out stages that are not needed; undefined when there is none. */
export function buildKitDocker(): string | undefined {
  const can = (command: string, ...args: string[]): boolean => {
    try {
      execFileSync(command, args, { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  };
  if (can('docker', 'buildx', 'version')) return 'docker';
  // Until 20.10 the command brought it along.
  return ['docker', '/usr/bin/docker'].find((command) => {
    try {
      const said = execFileSync(command, ['--version'], { encoding: 'utf8' });
      return /version (?:19|20)\./.test(said);
    } catch {
      return false;
    }
  });
}

/**
 * Builds the image by its real Dockerfile. Nothing can be pulled here: what it runs on is made of this machine's Node and the
 * libraries that one needs, and what its first stage would build was built before the tests.
 */
export async function buildPortolanImage(engine: DockerEngine, docker: string): Promise<void> {
  await importImage(engine, NODE_IMAGE, (root) => {
    copyProgram(process.execPath, root, '/usr/local/bin/node');
    makeTmp(root);
    mkdirSync(join(root, 'etc'), { recursive: true });
    writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/:/none\n');
  });
  await importImage(engine, APP_IMAGE, (root) => {
    const collect = join(REPOSITORY, 'deploy/docker/collect-app.mjs');
    execFileSync(process.execPath, [collect, join(root, 'out/app')], { stdio: 'pipe' });
    mkdirSync(join(root, 'out/data'), { mode: 0o700 });
  });
  const dockerfile = join(REPOSITORY, 'deploy/docker/Dockerfile');
  const from = [`BASE=${NODE_IMAGE}`, `APP=${APP_IMAGE}`].flatMap((arg) => ['--build-arg', arg]);
  await run(
    docker,
    ['-H', engine.host, 'build', '-f', dockerfile, '-t', PORTOLAN_IMAGE, ...from, REPOSITORY],
    { env: { ...process.env, DOCKER_BUILDKIT: '1' }, maxBuffer: 16 * 1024 ** 2 },
  );
}

export async function importProxyImage(engine: DockerEngine): Promise<void> {
  await importImage(engine, PROXY_IMAGE, (root) => {
    const path = execFileSync('which', ['haproxy'], { encoding: 'utf8' }).trim();
    copyProgram(path, root, '/usr/sbin/haproxy');
  });
}

export async function importSampleImage(engine: DockerEngine): Promise<void> {
  await importImage(engine, SAMPLE_IMAGE, (root) => {
    mkdirSync(join(root, 'bin'));
    makeTmp(root);
    copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
    for (const name of ['sh', 'httpd']) symlinkSync('busybox', join(root, 'bin', name));
  });
}

/** Everybody's, as in other images: a tmpfs that is mounted there takes that over. */
function makeTmp(root: string): void {
  mkdirSync(join(root, 'tmp'));
  chmodSync(join(root, 'tmp'), 0o1777);
}

async function importImage(
  engine: DockerEngine,
  tag: string,
  fill: (root: string) => void,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'portolan-image-'));
  try {
    const root = join(folder, 'root');
    mkdirSync(root);
    fill(root);
    chmodSync(root, 0o755);
    const archive = join(folder, 'image.tar');
    await run('tar', ['-C', root, '--owner=0', '--group=0', '-cf', archive, '.']);
    await engine.docker('import', archive, tag);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A program and the libraries that it names, at the places where it looks for them. */
function copyProgram(program: string, root: string, at: string): void {
  const put = (from: string, to: string): void => {
    mkdirSync(dirname(join(root, to)), { recursive: true });
    copyFileSync(realpathSync(from), join(root, to));
    chmodSync(join(root, to), 0o755);
  };
  put(program, at);
  const libraries = execFileSync('ldd', [program], { encoding: 'utf8' });
  for (const [path] of libraries.matchAll(/\/\S+(?= \(0x)/g)) {
    const isLoader = basename(path).startsWith('ld-');
    // The loader looks in /lib and /usr/lib without being told to.
    if (existsSync(path)) put(path, isLoader ? path : `/lib/${basename(path)}`);
  }
}
