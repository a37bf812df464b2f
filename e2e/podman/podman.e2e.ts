import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { gracefulService, webServer } from '../docker/containers.ts';
import {
  dockerCommand,
  get,
  instancesOf,
  routable,
  startWithDocker,
} from '../docker/portolan-with-docker.ts';
import { eventually } from '../support/eventually.ts';
import { canRunPodman, type PodmanEngine, startPodmanEngine } from '../support/podman-engine.ts';
import type { PortolanProcess } from '../support/portolan-process.ts';
import { startSteadyLoad } from '../support/steady-load.ts';

const WEB = ['-l', 'portolan.service=web', '-l', 'portolan.port=80'];

describe.runIf(await canRunPodman('e2e/podman'))('Podman’s socket', () => {
  let engine: PodmanEngine;
  let portolan: PortolanProcess | undefined;

  beforeAll(async () => {
    engine = await startPodmanEngine();
  }, 120_000);
  afterEach(async () => {
    await portolan?.dispose();
    portolan = undefined;
    await engine.clear();
  }, 120_000);
  afterAll(() => engine?.dispose(), 120_000);

  test('tells of containers in every network, with the address that works', async () => {
    portolan = await startWithDocker(engine);
    // The network comes after the server, and no event tells of it.
    await engine.podman('network', 'create', 'shop');
    await engine.start('web', ['-l', 'portolan.port=80'], webServer());
    await engine.start('own', ['-l', 'portolan.port=80', '--network', 'shop'], webServer());
    await engine.start(
      'both',
      ['-l', 'portolan.port=80', '-l', 'portolan.network=shop', '--network', 'podman,shop'],
      webServer(),
    );
    await engine.start('front', ['--network', 'shop'], ['sleep', '1000']);
    await engine.start(
      'guest',
      ['-l', 'portolan.port=80', '--network', 'container:front'],
      webServer(),
    );
    for (const name of ['web', 'own', 'both', 'guest']) {
      await routable(portolan, name, 1);
      expect((await get(portolan, `/${name}/`)).status).toBe(200);
    }
    const [own] = await instancesOf(portolan, 'own');
    const [both] = await instancesOf(portolan, 'both');
    const net = (address = '') => address.split('.').slice(0, 3).join('.');
    expect(net(both?.address)).toBe(net(own?.address));
    expect(await dockerCommand(portolan, 'explain', 'both')).toContain('named by a label');
  });

  test('tells of a pod, whose containers share an address', async () => {
    portolan = await startWithDocker(engine);
    const image = ['--infra-image', 'portolan-test/busybox:1', '--infra-command', 'sleep 1000'];
    await engine.podman('pod', 'create', '--name', 'pod', ...image);
    await engine.start(
      'one',
      ['-l', 'portolan.port=81', '--pod', 'pod'],
      webServer(81, 'from one'),
    );
    await engine.start(
      'two',
      ['-l', 'portolan.port=82', '--pod', 'pod'],
      webServer(82, 'from two'),
    );
    await routable(portolan, 'one', 1);
    await routable(portolan, 'two', 1);
    expect((await get(portolan, '/one/')).text).toBe('from one');
    expect((await get(portolan, '/two/')).text).toBe('from two');
  });

  test('drains a container that is told to stop, and has it again when it starts', async () => {
    portolan = await startWithDocker(engine);
    // Ignores SIGTERM as long as it can.
    await engine.start('web', WEB, [
      'sh',
      '-c',
      'trap "" TERM; httpd -f -p 80 -h /www & wait; wait',
    ]);
    await routable(portolan, 'web', 1);
    const server = portolan;
    const stopped = engine.podman('stop', '-t', '4', 'web');
    const draining = await eventually(async () => {
      const [seen] = await instancesOf(server, 'web');
      return seen?.routable === false ? seen : undefined;
    });
    expect(draining).toMatchObject({
      status: 'passing',
      condition: { state: 'draining', reason: 'the container was told to stop' },
    });
    await stopped;
    await eventually(async () =>
      (await instancesOf(server, 'web')).length === 0 ? true : undefined,
    );
    await engine.podman('start', 'web');
    await routable(portolan, 'web', 1);
  });

  test('tells by events of pauses, names, networks, and the end', async () => {
    await engine.podman('network', 'create', 'other');
    portolan = await startWithDocker(engine);
    await engine.start('web', ['-l', 'portolan.port=80'], webServer());
    await routable(portolan, 'web', 1);
    await engine.podman('pause', 'web');
    await routable(portolan, 'web', 0);
    await engine.podman('unpause', 'web');
    await routable(portolan, 'web', 1);
    await engine.podman('rename', 'web', 'shop');
    await routable(portolan, 'shop', 1);
    const [before] = await instancesOf(portolan, 'shop');
    await engine.podman('network', 'connect', 'other', 'shop');
    await engine.podman('network', 'disconnect', 'podman', 'shop');
    const server = portolan;
    await eventually(async () => {
      const [seen] = await instancesOf(server, 'shop');
      return seen?.routable && seen.address !== before?.address ? true : undefined;
    });
    await engine.podman('rm', '-f', '-t', '0', 'shop');
    await eventually(async () =>
      (await instancesOf(server, 'shop')).length === 0 ? true : undefined,
    );
    await eventually(async () =>
      /shop/.test(await dockerCommand(server, 'ps', '--all')) ? undefined : true,
    );
  });

  test('tells of a HEALTHCHECK once something runs it', async () => {
    portolan = await startWithDocker(engine);
    // Podman has systemd run it; here the test does.
    const check = ['--health-cmd', 'test -f /tmp/ready', '--health-interval', 'disable'];
    await engine.start('web', [...WEB, ...check], webServer());
    const server = portolan;
    await eventually(async () => {
      const [seen] = await instancesOf(server, 'web');
      return seen?.condition?.state === 'starting' ? true : undefined;
    });
    await engine.podman('exec', 'web', 'touch', '/tmp/ready');
    await engine.podman('healthcheck', 'run', 'web');
    await routable(portolan, 'web', 1);
  });

  test('costs no request that may be repeated when each container is stopped under load', async () => {
    portolan = await startWithDocker(engine);
    for (const name of ['web-a', 'web-b']) {
      const { options, command } = gracefulService(name, WEB);
      await engine.start(name, options, command);
    }
    await routable(portolan, 'web', 2);
    const load = startSteadyLoad(`${portolan.gateway}/web/`, { lanes: 8 });
    for (const name of ['web-a', 'web-b']) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      await engine.podman('stop', name);
      await engine.podman('start', name);
      await routable(portolan, 'web', 2);
    }
    const tally = await load.stop();
    expect(tally.failures).toEqual([]);
    expect(tally.failed).toBe(0);
    expect([...tally.servedBy.keys()].sort()).toEqual(['web-a', 'web-b']);
  });
});
