import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  canRunEngine,
  type DockerEngine,
  IMAGE,
  startDockerEngine,
} from '../support/docker-engine.ts';
import { eventually } from '../support/eventually.ts';
import type { PortolanProcess } from '../support/portolan-process.ts';
import { startSteadyLoad } from '../support/steady-load.ts';
import { gracefulService, webServer } from './containers.ts';
import { startGatewayContainer } from './gateway-container.ts';
import { dockerCommand, get, routable, startWithDocker } from './portolan-with-docker.ts';

describe.runIf(await canRunEngine('e2e/docker swarm'))('services of a swarm', () => {
  let engine: DockerEngine;
  let portolan: PortolanProcess | undefined;

  beforeAll(async () => {
    engine = await startDockerEngine();
  });
  beforeEach(async () => {
    await engine.docker('swarm', 'init', '--advertise-addr', '127.0.0.1');
    await engine.docker('network', 'create', '-d', 'overlay', '--attachable', 'mesh');
  });
  afterEach(async () => {
    await portolan?.dispose();
    portolan = undefined;
    await engine.clear();
  });
  afterAll(() => engine.dispose(), 120_000);

  function create(name: string, options: readonly string[], command = webServer()) {
    return engine.docker(
      'service',
      'create',
      '-d',
      '--no-resolve-image',
      '--name',
      name,
      '--network',
      'mesh',
      '--label',
      'portolan.port=80',
      ...options,
      IMAGE,
      ...command,
    );
  }

  test('are their tasks, in either endpoint mode, for a gateway in their network', async () => {
    await create('vip', ['--replicas', '2']);
    await create('rr', ['--replicas', '2', '--endpoint-mode', 'dnsrr']);
    const inside = await startGatewayContainer(engine, ['--network', 'mesh']);
    for (const service of ['vip', 'rr']) {
      const found = await routable(inside, service, 2, 30_000);
      expect(new Set(found.map(({ address }) => address)).size).toBe(2);
      const seen = new Set<string>();
      for (let at = 0; at < 10; at++) seen.add((await get(inside, `/${service}/`)).text);
      expect(seen.size).toBe(2);
      expect(await dockerCommand(inside, 'explain', service)).toContain(
        'address of the task in network mesh',
      );
    }
    await engine.docker('service', 'scale', '-d', 'vip=3');
    await routable(inside, 'vip', 3);
    await engine.docker('service', 'scale', '-d', 'vip=1');
    await routable(inside, 'vip', 1);
    await engine.docker('service', 'rm', 'rr');
    await routable(inside, 'rr', 0);
  });

  test('have one address for all tasks where a label asks for it', async (context) => {
    await create('one', ['--replicas', '2', '--label', 'portolan.swarm.vip=true']);
    const inside = await startGatewayContainer(engine, ['--network', 'mesh']);
    const told = await eventually(async () => {
      const text = await dockerCommand(inside, 'explain', 'one');
      return text.includes('virtual address of the service') ? text : undefined;
    }, 30_000);
    const address = /service one: ([\d.]+):80/.exec(told)?.[1] ?? '';
    expect(address).toBe(
      (
        await engine.docker(
          'service',
          'inspect',
          '-f',
          '{{range .Endpoint.VirtualIPs}}{{.Addr}} {{end}}',
          'one',
        )
      )
        .split('/')
        .at(0),
    );
    await engine.start('asker', ['--network', 'mesh'], ['sleep', '600']);
    try {
      await eventually(
        () => engine.docker('exec', 'asker', 'wget', '-T', '2', '-qO-', `http://${address}/`),
        10_000,
        500,
      );
    } catch {
      process.stdout.write(
        'SKIPPED: e2e/docker swarm: virtual addresses carry no traffic here (the kernel has no IPVS)\n',
      );
      return context.skip();
    }
    await routable(inside, 'one', 1);
    expect((await get(inside, '/one/')).status).toBe(200);
  });

  test('are reached one by one from the machine of their tasks, and published ones too', async () => {
    await create('api', ['--replicas', '2', '--label', 'portolan.route.host=api.example']);
    await create('pub', ['--publish', 'published=18741,target=80']);
    portolan = await startWithDocker(engine);
    await routable(portolan, 'api', 2, 30_000);
    await routable(portolan, 'pub', 1, 30_000);
    expect((await get(portolan, '/', 'api.example')).status).toBe(200);
    expect((await get(portolan, '/pub/')).status).toBe(200);
    expect(await dockerCommand(portolan, 'explain', 'api')).toContain('network docker_gwbridge');
  });

  test('that appear only after the server are found, also when the engine joins a swarm later', async () => {
    await engine.docker('swarm', 'leave', '--force');
    portolan = await startWithDocker(engine);
    await engine.docker('swarm', 'init', '--advertise-addr', '127.0.0.1');
    await engine.docker('network', 'create', '-d', 'overlay', '--attachable', 'mesh');
    await create('api', ['--replicas', '2']);
    await routable(portolan, 'api', 2, 60_000);
  });

  test.each(['start-first', 'stop-first'])(
    'cost no request when they are updated one task after the other, %s',
    async (order) => {
      const { options, command } = gracefulService('v1');
      const create = async (): Promise<string> => {
        const mounts = options.flatMap((option, at) => {
          if (option !== '-v') return [];
          const [source, target] = (options[at + 1] ?? '').split(':');
          return ['--mount', `type=bind,source=${source},target=${target},readonly`];
        });
        return engine.docker(
          'service',
          'create',
          '-d',
          '--no-resolve-image',
          '--name',
          'api',
          '--network',
          'mesh',
          '--replicas',
          '3',
          '--label',
          'portolan.port=80',
          '--env',
          'NAME=v1',
          '--update-order',
          order,
          '--update-delay',
          '1s',
          ...mounts,
          IMAGE,
          ...command,
        );
      };
      await create();
      portolan = await startWithDocker(engine);
      await routable(portolan, 'api', 3, 30_000);
      const load = startSteadyLoad(`${portolan.gateway}/api/`, { lanes: 8 });
      await engine.docker('service', 'update', '-d', '--env-add', 'NAME=v2', 'api');
      await eventually(
        async () => {
          const state = await engine.docker(
            'service',
            'inspect',
            '-f',
            '{{.UpdateStatus.State}}',
            'api',
          );
          return state === 'completed' ? true : undefined;
        },
        90_000,
        200,
      );
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      const tally = await load.stop();
      expect(tally.failures).toEqual([]);
      expect(tally.failed).toBe(0);
      expect([...tally.servedBy.keys()].sort()).toEqual(['v1', 'v2']);
      expect((await get(portolan, '/api/')).text).toBe('v2');
      await routable(portolan, 'api', 3);
    },
  );

  test('leave a node that is drained before their tasks end', async () => {
    await create(
      'api',
      ['--replicas', '2', '--stop-grace-period', '5s'],
      ['sh', '-c', 'trap "" TERM; httpd -f -p 80 -h /www & wait; wait'],
    );
    portolan = await startWithDocker(engine);
    await routable(portolan, 'api', 2, 30_000);
    const node = await engine.docker('node', 'ls', '-q');
    await engine.docker('node', 'update', '--availability', 'drain', node);
    await routable(portolan, 'api', 0, 4_000);
    await engine.docker('node', 'update', '--availability', 'active', node);
    await routable(portolan, 'api', 2, 40_000);
  });
});
