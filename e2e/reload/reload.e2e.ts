import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type PortolanProcess, runPortolan, startPortolan } from '../support/portolan-process.ts';
import { call } from '../support/registry-api.ts';
import { startSteadyLoad } from '../support/steady-load.ts';
import { startUpstream, type UpstreamService } from '../support/upstream-service.ts';

let folder: string;
let upstreams: UpstreamService[];
let portolan: PortolanProcess | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portolan-reload-'));
  upstreams = [await startUpstream('one'), await startUpstream('two')];
});

afterEach(async () => {
  await portolan?.dispose();
  portolan = undefined;
  await Promise.all(upstreams.map((upstream) => upstream.stop('SIGKILL')));
  await rm(folder, { recursive: true });
});

const write = (lines: readonly string[]) =>
  writeFile(join(folder, 'portolan.yaml'), `${lines.join('\n')}\n`);
const service = (name: string, at: number) =>
  `  - {service: ${name}, address: 127.0.0.1, port: ${upstreams[at]?.port}}`;
const route = (name: string, to: string) =>
  `  - {name: ${name}, match: {path: /${name}}, to: [{service: ${to}}]}`;
const start = async (): Promise<PortolanProcess> => {
  portolan = await startPortolan({ dataDir: join(folder, 'data'), cwd: folder });
  return portolan;
};

test('a changed file moves its services and routes without a failed request', async () => {
  await write(['services:', service('a', 0), service('b', 1), 'routes:', route('shop', 'a')]);
  const { gateway, stderr } = await start();
  expect((await call(gateway, 'GET', '/shop')).body).toContain('one ');
  const load = startSteadyLoad(`${gateway}/shop`, { lanes: 8 });
  await write(['services:', service('a', 0), service('b', 1), 'routes:', route('shop', 'b')]);
  await eventually(() => (load.tally.servedBy.get('two') ?? 0) > 50 || undefined);
  const tally = await load.stop();
  expect(tally.failures).toEqual([]);
  expect((await call(gateway, 'GET', '/shop')).body).toContain('two ');
  expect(stderr()).toContain('configuration reloaded');
});

test('a file with a problem changes nothing and is named with its line', async () => {
  await write(['services:', service('a', 0)]);
  const { child, gateway, stderr } = await start();
  await write(['services:', service('a', 0), service('b', 70), 'logg: {}']);
  child.kill('SIGHUP');
  await eventually(() => stderr().includes('portolan.yaml:4:1: logg') || undefined);
  expect((await call(gateway, 'GET', '/a/')).status).toBe(200);
  expect((await call(gateway, 'GET', '/b/')).status).toBe(404);
  const fresh = await runPortolan(['serve'], { cwd: folder });
  expect([fresh.code, fresh.stdout]).toEqual([78, '']);
  expect(fresh.stderr).not.toContain('    at ');
});

test('what the API made or changed stays, what leaves the file leaves the registry, also over a restart', async () => {
  await write(['services:', service('a', 0), 'routes:', route('shop', 'a'), route('old', 'a')]);
  const { control, stop } = await start();
  const changed = { match: { path: '/elsewhere' }, to: [{ service: 'a' }] };
  await call(control, 'PUT', '/api/v1/routes/shop', changed);
  await stop();
  await write(['services:', service('b', 1), 'routes:', route('shop', 'b')]);
  const again = await start();
  const routes = (await call(again.control, 'GET', '/api/v1/routes')).body.routes;
  expect(routes.map((item: { name: string }) => item.name)).toEqual(['shop']);
  expect(routes[0].match).toEqual([{ path: { prefix: '/elsewhere' } }]);
  const { instances } = (await call(again.control, 'GET', '/api/v1/instances')).body;
  expect(instances.map((item: { service: string }) => item.service)).toEqual(['b']);
  expect(again.stderr()).toContain('made or changed through the API');
});

test('the gateway takes a new time limit, for requests from then on', async () => {
  await write(['services:', service('a', 0)]);
  const { gateway, child, stderr } = await start();
  const before = call(gateway, 'GET', '/a/?delayMs=1500');
  await write(['services:', service('a', 0), 'gateway: {timeouts: {request: 300ms}}']);
  child.kill('SIGHUP');
  await eventually(() => stderr().includes('gateway.timeouts.request') || undefined);
  const after = await call(gateway, 'GET', '/a/?delayMs=1500');
  expect([after.status, (await before).status]).toEqual([504, 200]);
});

test('what only a restart can change is named and not in force', async () => {
  await write(['log: {level: info}']);
  const { gateway, child, stderr } = await start();
  await write(['gateway: {timeouts: {connect: 1s}}']);
  child.kill('SIGHUP');
  await eventually(() => /need a restart/.test(stderr()) || undefined);
  expect(stderr()).toContain('gateway.timeouts.connect');
  expect((await call(gateway, 'GET', '/nobody/')).status).toBe(404);
});

test('a reload asked for at any moment of the start ends nothing, and what the file then holds is in force', async () => {
  for (let round = 0; round < 5; round++) {
    const dataDir = join(folder, `data-${round}`);
    await write(['services:', service('a', 0), 'routes:', route('shop', 'a')]);
    let storm: Promise<void> | undefined;
    portolan = await startPortolan({
      dataDir,
      cwd: folder,
      onSpawn: (child) => {
        storm = (async () => {
          // From when it has read its configuration: it opens its store with it.
          await eventually(() => existsSync(dataDir) || undefined, 20_000, 1);
          await write(['services:', service('b', 1), 'routes:', route('shop', 'b')]);
          for (let at = 0; at < 100; at++) {
            child.kill('SIGHUP');
            await sleep(Math.random() * 4);
          }
        })();
      },
    });
    const { gateway } = portolan;
    await storm;
    const served = async () => (await call(gateway, 'GET', '/shop')).body as string;
    await eventually(async () => (await served()).includes('two ') || undefined);
    expect(await portolan.stop()).toEqual({ code: 0, signal: null });
  }
});
