import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readFile,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BIN, runPortolan, startPortolan } from '../support/portolan-process.ts';
import { call, register } from '../support/registry-api.ts';

const NOBODY = 65_534;
const LISTEN = ['--control', '127.0.0.1:0', '--gateway', '127.0.0.1:0'];

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portolan-folder-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Serves on a folder that it must refuse, to its end. */
function refusedServe(dataDir: string) {
  return runPortolan(['serve', '--data-dir', dataDir, ...LISTEN]);
}

/** A folder that a server has used and left, holding one instance and one route. */
async function usedFolder(name = 'used'): Promise<string> {
  const dataDir = join(folder, name);
  const portolan = await startPortolan({ dataDir, cwd: folder });
  await register(portolan.control, 'kept', 4_001, { id: 'kept-1' });
  const route = { to: [{ service: 'kept' }] };
  expect((await call(portolan.control, 'PUT', '/api/v1/routes/kept', route)).status).toBe(201);
  expect(await portolan.stop()).toEqual({ code: 0, signal: null });
  return dataDir;
}

function skipped(reason: string): void {
  process.stdout.write(`SKIPPED: ${reason}\n`);
}

test('a second process on the same folder is refused, names the folder, and leaves the first alone', async () => {
  const dataDir = join(folder, 'shared');
  const first = await startPortolan({ dataDir, cwd: folder });
  const second = await refusedServe(dataDir);
  expect(second.code).toBe(1);
  expect(second.stderr).toContain(dataDir);
  expect(second.stderr).toMatch(/another process|already|uses/i);
  expect(second.stdout).not.toContain('ready');
  await register(first.control, 'still', 4_002);
  expect(await first.stop()).toEqual({ code: 0, signal: null });
  const third = await startPortolan({ dataDir, cwd: folder });
  expect(
    (await call(third.control, 'GET', '/api/v1/services/still/instances')).body.instances,
  ).toHaveLength(1);
  await third.dispose();
});

test('a lock left by a killed process does not keep the next one out', async () => {
  const dataDir = join(folder, 'killed');
  const first = await startPortolan({ dataDir, cwd: folder });
  await first.stop('SIGKILL');
  const second = await startPortolan({ dataDir, cwd: folder });
  await second.dispose();
});

test('a path that is a file is refused as such, and the file is left as it was', async () => {
  const path = join(folder, 'a-file');
  await writeFile(path, 'precious');
  for (const dataDir of [path, join(path, 'below')]) {
    const { code, stderr, stdout } = await refusedServe(dataDir);
    expect(code).toBe(1);
    expect(stderr).toContain(path);
    expect(stderr).toMatch(/file/);
    expect(stdout).not.toContain('ready');
  }
  expect(await readFile(path, 'utf8')).toBe('precious');
});

test('a folder without permission is refused with what to do', async () => {
  const dataDir = join(folder, 'forbidden');
  await mkdir(dataDir);
  await chmod(dataDir, 0o500);
  const isRoot = process.getuid?.() === 0;
  if (isRoot && spawnSync('setpriv', ['--version']).status !== 0) {
    return skipped(
      'as root every folder can be written, and there is no setpriv to be somebody else',
    );
  }
  await chmod(folder, 0o755);
  if (isRoot) await chown(dataDir, NOBODY, NOBODY);
  const [command = '', ...args] = isRoot
    ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', process.execPath]
    : [process.execPath];
  if (isRoot && spawnSync(command, [...args, '--version']).status !== 0) {
    return skipped('another user cannot run this Node');
  }
  const child = spawn(command, [...args, BIN, 'serve', '--data-dir', dataDir, ...LISTEN], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = await once(child, 'close');
  if (/Cannot find module|EACCES.*packages.server/.test(stderr)) {
    return skipped('another user cannot read this checkout');
  }
  expect(code).toBe(1);
  expect(stderr).toContain(dataDir);
  expect(stderr).toMatch(/permission/i);
  expect(stderr).toContain('--data-dir');
});

test.each([
  ['overwritten with something else', (path: string) => writeFile(path, 'x'.repeat(65_536))],
  ['cut to nothing', (path: string) => truncate(path, 0)],
  ['gone', (path: string) => rm(path)],
])('a store whose log is %s is refused and left as it is', async (_how, damage) => {
  const dataDir = await usedFolder();
  const path = join(dataDir, 'registry-00000001.log');
  await damage(path);
  const before = await stat(path).then(
    ({ size }) => size,
    () => undefined,
  );
  const { code, stderr, stdout } = await refusedServe(dataDir);
  expect(code).toBe(1);
  expect(stderr).toContain(dataDir);
  expect(stderr).toMatch(/damaged/);
  expect(stderr).toMatch(/snapshot restore|backup/);
  expect(stdout).not.toContain('ready');
  const after = await stat(path).then(
    ({ size }) => size,
    () => undefined,
  );
  expect(after).toBe(before);
});

test('a full disk refuses writes by name, keeps serving, and takes them again when there is room', async () => {
  const mount = join(folder, 'small');
  await mkdir(mount);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', mount]);
  if (mounted.status !== 0) {
    return skipped(`no small disk can be mounted here: ${String(mounted.stderr).trim()}`);
  }
  try {
    const portolan = await startPortolan({ dataDir: join(mount, 'data'), cwd: folder });
    const ballast = join(mount, 'ballast');
    let refused: Awaited<ReturnType<typeof call>> | undefined;
    let taken = 0;
    for (let at = 0; at < 20_000 && refused === undefined; at++) {
      const answer = await call(portolan.control, 'POST', '/register', {
        service: `full-${at}`,
        address: '127.0.0.1',
        port: 1 + at,
        lease: 'none',
        metadata: { ballast: 'x'.repeat(500), more: 'y'.repeat(500), evenMore: 'z'.repeat(500) },
      });
      if (answer.status === 201) taken++;
      else refused = answer;
      if (at === 50) await writeFile(ballast, 'x'.repeat(600_000)).catch(() => undefined);
    }
    expect(refused?.status).toBe(507);
    expect(refused?.body.code).toBe('STORE_FULL');
    expect(refused?.body.detail).toContain(mount);
    const listed = await call(portolan.control, 'GET', '/api/v1/services');
    expect(listed.body.services).toHaveLength(taken);
    await rm(ballast);
    await register(portolan.control, 'after', 4_003);
    const ended = await portolan.stop();
    expect(ended, portolan.stderr()).toEqual({ code: 0, signal: null });
    const again = await startPortolan({ dataDir: join(mount, 'data'), cwd: folder });
    const after = await call(again.control, 'GET', '/api/v1/services');
    expect(after.body.services).toHaveLength(taken + 1);
    await again.dispose();
  } finally {
    spawnSync('umount', ['-l', mount]);
  }
});

/** What a registry holds, without what belongs to this life of it. */
async function contents(control: string): Promise<unknown> {
  const { body: instances } = await call(control, 'GET', '/api/v1/instances?namespace=*');
  const { body: routes } = await call(control, 'GET', '/api/v1/routes?namespace=*');
  const { body: webhooks } = await call(control, 'GET', '/api/v1/webhooks');
  const { body: namespaces } = await call(control, 'GET', '/api/v1/namespaces');
  const strip = ({ createRevision: _c, modifyRevision: _m, ...rest }: Record<string, unknown>) =>
    rest;
  return {
    instances: instances.instances.map(strip),
    routes: routes.routes.map(strip),
    webhooks: webhooks.webhooks.map(strip),
    namespaces: namespaces.namespaces,
  };
}

/** One of everything that can be stored. */
async function fill(control: string): Promise<void> {
  const id = await register(control, 'moved', 4_010, {
    tags: ['version:v1'],
    metadata: { zone: 'a' },
  });
  await register(control, 'leased', 4_011, { lease: 'fast', namespace: 'prod', group: 'blue' });
  await register(control, 'down', 4_012, { status: 'DOWN' });
  const writes: [string, string, unknown][] = [
    [
      'PUT',
      `/api/v1/instances/${id}/intent`,
      { enabled: false, weight: 7, maintenance: { reason: 'x' } },
    ],
    [
      'PUT',
      '/api/v1/routes/r',
      { to: [{ service: 'moved', labels: { version: 'v1' } }], timeout: '3s' },
    ],
    ['PUT', '/api/v1/namespaces/empty', undefined],
    [
      'PUT',
      '/api/v1/webhooks/hook',
      { url: 'http://127.0.0.1:9/', secret: 'a-long-shared-secret', service: 'none' },
    ],
  ];
  for (const [method, path, body] of writes) {
    expect((await call(control, method, path, body)).status).toBeLessThan(300);
  }
}

test('a snapshot moves everything: saved and restored over the API and by the command line, online and offline', async () => {
  const source = await startPortolan({ dataDir: join(folder, 'source'), cwd: folder });
  await fill(source.control);
  const expected = await contents(source.control);
  const revision = (await call(source.control, 'GET', '/api/v1/status')).body.revision;

  const overApi = await call(source.control, 'GET', '/api/v1/snapshot');
  const online = join(folder, 'online.ndjson');
  const saved = await runPortolan(['snapshot', 'save', online, '--registry', source.control]);
  expect([saved.code, saved.stderr]).toEqual([0, expect.stringContaining('saved')]);
  const lines = (text: string): string[] => text.trim().split('\n').slice(1, -1);
  expect(lines(await readFile(online, 'utf8'))).toEqual(lines(overApi.body));
  expect((await stat(online)).mode & 0o077).toBe(0);

  // Offline a folder in use is refused.
  const offline = join(folder, 'offline.ndjson');
  const early = await runPortolan(['snapshot', 'save', offline, '--data-dir', source.dataDir]);
  expect(early.code).not.toBe(0);
  expect(early.stderr).toContain(source.dataDir);
  expect(await source.stop()).toEqual({ code: 0, signal: null });
  const late = await runPortolan(['snapshot', 'save', offline, '--data-dir', source.dataDir]);
  expect([late.code, late.stderr]).toEqual([0, expect.stringContaining('saved')]);

  // Over the API into a running, empty registry; a second time it is refused.
  const first = await startPortolan({ dataDir: join(folder, 'first'), cwd: folder });
  const ndjson = { 'content-type': 'application/x-ndjson' };
  const restored = await call(first.control, 'POST', '/api/v1/snapshot', overApi.body, ndjson);
  expect(restored.status).toBe(200);
  expect(await contents(first.control)).toEqual(expected);
  expect(restored.body.revision).toBeGreaterThan(revision);
  const again = await call(first.control, 'POST', '/api/v1/snapshot', overApi.body, ndjson);
  expect([again.status, again.body.code]).toEqual([409, 'CONFLICT']);
  // A damaged one changes nothing.
  const cut = overApi.body.replace('4010', '4099');
  const faulty = await call(first.control, 'POST', '/api/v1/snapshot?mode=replace', cut, ndjson);
  expect([faulty.status, faulty.body.code]).toEqual([400, 'SNAPSHOT_INVALID']);
  expect(await contents(first.control)).toEqual(expected);
  await first.dispose();

  // By the command line, online, over what is there already.
  const second = await startPortolan({ dataDir: join(folder, 'second'), cwd: folder });
  await register(second.control, 'in-the-way', 4_020);
  const args = ['snapshot', 'restore', online, '--registry', second.control];
  const timid = await runPortolan(args);
  expect(timid.code).not.toBe(0);
  expect(timid.stderr).toContain('--force');
  expect((await runPortolan([...args, '--force'])).code).toBe(0);
  expect(await contents(second.control)).toEqual(expected);
  await second.dispose();

  // By the command line, offline, into a folder that does not exist yet.
  const third = join(folder, 'third');
  const back = await runPortolan(['snapshot', 'restore', offline, '--data-dir', third]);
  expect([back.code, back.stderr]).toEqual([0, expect.stringContaining('restored')]);
  const served = await startPortolan({ dataDir: third, cwd: folder });
  expect(await contents(served.control)).toEqual(expected);
  await served.dispose();
}, 180_000);
