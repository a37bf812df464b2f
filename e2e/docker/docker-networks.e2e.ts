import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { canRunEngine, type DockerEngine, startDockerEngine } from '../support/docker-engine.ts';
import { eventually } from '../support/eventually.ts';
import type { PortolanProcess } from '../support/portolan-process.ts';
import { webServer } from './containers.ts';
import { startGatewayContainer } from './gateway-container.ts';
import { dockerCommand, get, routable, startWithDocker } from './portolan-with-docker.ts';

const PORT = ['-l', 'portolan.port=80'];

describe.runIf(await canRunEngine('e2e/docker networks'))('addresses of containers', () => {
  let engine: DockerEngine;
  let portolan: PortolanProcess | undefined;

  beforeAll(async () => {
    engine = await startDockerEngine();
  });
  afterEach(async () => {
    await portolan?.dispose();
    portolan = undefined;
    await engine.clear();
  });
  afterAll(() => engine.dispose(), 120_000);

  describe('for a gateway on the host', () => {
    test('in the default bridge, with a published port and without', async () => {
      portolan = await startWithDocker(engine);
      await engine.start('one', PORT, webServer());
      await engine.start('two', ['-p', '80', '-l', 'portolan.enable=true'], webServer());
      await routable(portolan, 'one', 1);
      await routable(portolan, 'two', 1);
      expect((await get(portolan, '/one/')).status).toBe(200);
      expect((await get(portolan, '/two/')).status).toBe(200);
      expect(await dockerCommand(portolan, 'explain', 'two')).toMatch(
        /service two: [\d.]+:80[\s\S]*port: the only exposed port\n\s+address: network bridge \(bridge\), reached from the machine/,
      );
    });

    test('in networks of compose, by the network that a label names, else by name', async () => {
      await engine.docker('network', 'create', 'shop_back');
      await engine.docker('network', 'create', 'shop_front');
      const compose = (service: string) => [
        ...PORT,
        '-l',
        'com.docker.compose.project=shop',
        '-l',
        `com.docker.compose.service=${service}`,
      ];
      await engine.start('shop-a-1', ['--network', 'shop_front', ...compose('a')], webServer());
      await engine.docker('network', 'connect', 'shop_back', 'shop-a-1');
      const named = ['-l', 'portolan.network=front'];
      await engine.start(
        'shop-b-1',
        ['--network', 'shop_back', ...compose('b'), ...named],
        webServer(),
      );
      await engine.docker('network', 'connect', 'shop_front', 'shop-b-1');
      portolan = await startWithDocker(engine);
      const [a] = await routable(portolan, 'a-shop', 1);
      const [b] = await routable(portolan, 'b-shop', 1);
      const address = (container: string, network: string) =>
        engine.docker(
          'inspect',
          '-f',
          `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`,
          container,
        );
      expect(a?.address).toBe(await address('shop-a-1', 'shop_back'));
      expect(b?.address).toBe(await address('shop-b-1', 'shop_front'));
      expect((await get(portolan, '/b-shop/')).status).toBe(200);
      // The same again, however often it is looked at.
      for (let turn = 0; turn < 3; turn++) {
        await engine.docker('update', '--restart=no', 'shop-a-1');
        await engine.docker('pause', 'shop-b-1');
        await engine.docker('unpause', 'shop-b-1');
      }
      await routable(portolan, 'b-shop', 1);
      expect((await routable(portolan, 'a-shop', 1))[0]?.address).toBe(a?.address);
    });

    test('in the network of the machine', async () => {
      portolan = await startWithDocker(engine);
      await engine.start(
        'onhost',
        ['--network', 'host', '-l', 'portolan.port=18733'],
        webServer(18_733),
      );
      await routable(portolan, 'onhost', 1);
      expect((await get(portolan, '/onhost/')).status).toBe(200);
    });

    test('in the network of another container, whose life it shares', async () => {
      portolan = await startWithDocker(engine);
      await engine.start('main', PORT, webServer());
      await engine.start(
        'sidecar',
        ['--network', 'container:main', '-l', 'portolan.port=81'],
        webServer(81, 'sidecar'),
      );
      await routable(portolan, 'sidecar', 1);
      expect((await get(portolan, '/sidecar/')).text).toBe('sidecar');
      await engine.docker('stop', '-t', '1', 'main');
      await routable(portolan, 'sidecar', 0);
      expect(await dockerCommand(portolan, 'ps')).toMatch(
        /sidecar.*unroutable.*it uses the network of container main, which is exited/,
      );
    });

    test('without a network are listed with the reason', async () => {
      portolan = await startWithDocker(engine);
      await engine.start('alone', ['--network', 'none', ...PORT], ['sleep', '600']);
      await eventually(async () => {
        const text = await dockerCommand(portolan as PortolanProcess, 'ps');
        return text.includes('no network (network_mode: none)') ? true : undefined;
      });
    });

    test('in a macvlan network, which a machine does not reach: the reason, and a published port', async (context) => {
      try {
        await engine.docker(
          'network',
          'create',
          '-d',
          'macvlan',
          '--subnet',
          '192.168.77.0/24',
          'lan',
        );
      } catch (error) {
        process.stdout.write(
          `SKIPPED: e2e/docker macvlan: this kernel makes no such network (${String(error).split('\n')[0]?.slice(-80)})\n`,
        );
        return context.skip();
      }
      portolan = await startWithDocker(engine);
      await engine.start('child', ['--network', 'lan', ...PORT], ['sleep', '600']);
      await eventually(async () => {
        const text = await dockerCommand(portolan as PortolanProcess, 'explain', 'child');
        return text.includes('a machine does not reach its own macvlan containers')
          ? true
          : undefined;
      });
    });
  });

  describe('for a gateway in a container', () => {
    test('in a network that both share, with nothing published', async () => {
      await engine.docker('network', 'create', 'edge');
      await engine.docker('network', 'create', 'yard');
      await engine.start('web', ['--network', 'yard', ...PORT], webServer(80, 'web'));
      await engine.docker('network', 'connect', 'edge', 'web');
      await engine.start('hidden', ['--network', 'yard', ...PORT], webServer());
      const inside = await startGatewayContainer(engine, ['--network', 'edge']);
      await routable(inside, 'web', 1);
      expect((await get(inside, '/web/')).text).toBe('web');
      const told = await dockerCommand(inside, 'explain', 'web');
      expect(told).toContain('gateway on container: this process runs in container gateway');
      expect(told).toContain('network edge (bridge), shared with the gateway');
      expect(await dockerCommand(inside, 'explain', 'hidden')).toContain(
        'the gateway’s container is not in this network',
      );
      // As soon as it joins, it is there.
      await engine.docker('network', 'connect', 'edge', 'hidden');
      await routable(inside, 'hidden', 1);
      // And when the gateway itself joins another network, that one counts as well.
      await engine.docker('network', 'connect', 'yard', 'gateway');
      await engine.start('late', ['--network', 'yard', ...PORT], webServer());
      await routable(inside, 'late', 1);
    });

    test('by the machine, for a published port and for network_mode: host', async () => {
      await engine.docker('network', 'create', 'edge');
      const inside = await startGatewayContainer(engine, ['--network', 'edge']);
      await engine.start(
        'published',
        ['-p', '18734:80', '-l', 'portolan.enable=true'],
        webServer(),
      );
      await engine.start(
        'onhost',
        ['--network', 'host', '-l', 'portolan.port=18735'],
        webServer(18_735),
      );
      await engine.start(
        'inward',
        ['-p', '127.0.0.1:18736:80', '-l', 'portolan.enable=true'],
        webServer(),
      );
      await routable(inside, 'published', 1);
      await routable(inside, 'onhost', 1);
      expect((await get(inside, '/published/')).status).toBe(200);
      expect((await get(inside, '/onhost/')).status).toBe(200);
      expect(await dockerCommand(inside, 'explain', 'published')).toContain(
        'port 18734 published by the machine',
      );
      expect(await dockerCommand(inside, 'explain', 'inward')).toContain(
        'only the machine itself reaches its loopback address',
      );
    });
  });
});
