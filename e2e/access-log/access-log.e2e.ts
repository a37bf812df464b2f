import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type PortolanProcess, runPortolan, startPortolan } from '../support/portolan-process.ts';
import { startUpstream, type UpstreamService } from '../support/upstream-service.ts';

let folder: string;
let upstream: UpstreamService;
let portolan: PortolanProcess | undefined;
let log: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portolan-access-log-'));
  log = join(folder, 'access.log');
  upstream = await startUpstream('one');
});

afterEach(async () => {
  await portolan?.dispose();
  portolan = undefined;
  await upstream.stop('SIGKILL');
  await rm(folder, { recursive: true });
});

const configure = (accessLog: string): Promise<void> =>
  writeFile(
    join(folder, 'portolan.yaml'),
    [
      `gateway: {accessLog: ${accessLog}}`,
      `services: [{service: web, address: 127.0.0.1, port: ${upstream.port}}]`,
      '',
    ].join('\n'),
  );

async function start(accessLog: string, args: readonly string[] = []): Promise<PortolanProcess> {
  await configure(accessLog);
  portolan = await startPortolan({ dataDir: join(folder, 'data'), cwd: folder, args });
  return portolan;
}

const linesOf = async (path: string): Promise<string[]> =>
  (await readFile(path, 'utf8')).split('\n').slice(0, -1);

test('each request is a line of JSON, and what waits is written at the end', async () => {
  const { gateway, stop } = await start('{path: access.log, headers: [X-Team]}');
  await fetch(`${gateway}/web/a?b=1`, { headers: { 'user-agent': 'probe', 'x-team': 'blue' } });
  await fetch(`${gateway}/nothing`);
  expect(await stop('SIGTERM')).toEqual({ code: 0, signal: null });
  const [found, missing] = (await linesOf(log)).map((line) => JSON.parse(line));
  expect(found).toMatchObject({
    client: '127.0.0.1',
    method: 'GET',
    target: '/web/a?b=1',
    protocol: 'HTTP/1.1',
    status: 200,
    endpoint: `127.0.0.1:${upstream.port}`,
    tries: 1,
    userAgent: 'probe',
    headers: { 'x-team': 'blue' },
  });
  expect(found.durationMs).toBeGreaterThan(0);
  expect(missing).toMatchObject({ status: 404, error: 'NO_ROUTE', tries: 0 });
});

test('in the combined format of web servers, also on standard output', async () => {
  const { gateway, stdout } = await start('{format: combined}');
  await fetch(`${gateway}/web/x`, { headers: { 'user-agent': 'a"b' } });
  await eventually(() =>
    /^127\.0\.0\.1 - - \[\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET \/web\/x HTTP\/1\.1" 200 \d+ "-" "a\\x22b"$/m.test(
      stdout(),
    )
      ? true
      : undefined,
  );
});

test.each([1, 2])(
  'a rotated file loses no line and has none twice, with %i processes',
  async (workers) => {
    const { gateway, child, stderr, stop } = await start('{path: access.log}', [
      '--workers',
      String(workers),
    ]);
    let sent = 0;
    let stopped = false;
    const lanes = Array.from({ length: 8 }, async () => {
      while (!stopped) {
        sent += 1;
        const answer = await fetch(`${gateway}/web/n${sent}`);
        await answer.arrayBuffer();
      }
    });
    for (let turn = 1; turn <= 3; turn++) {
      const before = sent;
      await eventually(() => (sent > before + 200 ? true : undefined));
      await rename(log, `${log}.${turn}`);
      child.kill('SIGHUP');
      const reloads = () => stderr().split('configuration reloaded').length - 1;
      await eventually(() => (reloads() >= turn ? true : undefined));
    }
    stopped = true;
    await Promise.all(lanes);
    await stop('SIGTERM');
    const files = [log, ...[1, 2, 3].map((turn) => `${log}.${turn}`)];
    const lines = (await Promise.all(files.map(linesOf))).flat();
    const targets = lines.map((line) => JSON.parse(line).target);
    expect(targets).toHaveLength(sent);
    expect(new Set(targets).size).toBe(sent);
    expect((await linesOf(log)).length).toBeGreaterThan(0);
  },
);

test('a share is written, but failures always', async () => {
  const { gateway, stop } = await start('{path: access.log, sampling: 0.2}');
  for (let at = 0; at < 200; at++) await (await fetch(`${gateway}/web/`)).arrayBuffer();
  for (let at = 0; at < 20; at++) {
    await (await fetch(`${gateway}/web/status?code=503`, { method: 'POST' })).arrayBuffer();
  }
  await stop('SIGTERM');
  const statuses = (await linesOf(log)).map((line) => JSON.parse(line).status);
  expect(statuses.filter((status) => status === 503)).toHaveLength(20);
  const good = statuses.filter((status) => status === 200).length;
  // Five standard deviations of a binomial draw.
  expect(Math.abs(good - 40)).toBeLessThan(29);
});

test('a file that cannot be written, or a header with credentials, refuses to start in words', async () => {
  await configure('{path: no/such/folder/access.log}');
  const args = ['serve', '--data-dir', 'd', '--control', '127.0.0.1:0', '--gateway', '127.0.0.1:0'];
  const missing = await runPortolan(args, { cwd: folder });
  expect(missing.code).not.toBe(0);
  expect(missing.stderr).toContain(
    'gateway.accessLog.path: no/such/folder/access.log cannot be written (ENOENT)',
  );
  await configure('{headers: [Cookie]}');
  const secret = await runPortolan(args, { cwd: folder });
  expect(secret.code).not.toBe(0);
  expect(secret.stderr).toContain('does not carry credentials');
});
