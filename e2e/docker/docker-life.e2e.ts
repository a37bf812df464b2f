import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { canRunEngine, type DockerEngine, startDockerEngine } from '../support/docker-engine.ts';
import { eventually } from '../support/eventually.ts';
import { type PortolanProcess, startPortolan } from '../support/portolan-process.ts';
import { call, register } from '../support/registry-api.ts';
import { startSteadyLoad } from '../support/steady-load.ts';
import { startUpstream } from '../support/upstream-service.ts';
import { gracefulService, webServer } from './containers.ts';
import {
  dockerCommand,
  get,
  instancesOf,
  routable,
  startWithDocker,
} from './portolan-with-docker.ts';

const WEB = ['-l', 'portolan.service=web', '-l', 'portolan.port=80'];

describe.runIf(await canRunEngine('e2e/docker life cycle'))('the life of a container', () => {
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

  async function theOne(server: PortolanProcess) {
    const [instance] = await instancesOf(server, 'web');
    return instance;
  }

  test('goes from its start over ready and draining to gone', async () => {
    portolan = await startWithDocker(engine);
    // Ignores SIGTERM as long as it can.
    await engine.start('web', WEB, [
      'sh',
      '-c',
      'trap "" TERM; httpd -f -p 80 -h /www & wait; wait',
    ]);
    await routable(portolan, 'web', 1);
    const server = portolan;
    const stopped = engine.docker('stop', '-t', '2', 'web');
    const draining = await eventually(async () => {
      const seen = await theOne(server);
      return seen?.routable === false ? seen : undefined;
    });
    expect(draining).toMatchObject({
      status: 'passing',
      condition: { state: 'draining', reason: 'the container was told to stop (SIGTERM)' },
      owner: 'docker',
    });
    await stopped;
    await eventually(async () => ((await theOne(server)) === undefined ? true : undefined));
    await engine.docker('start', 'web');
    await routable(portolan, 'web', 1);
  });

  test('is not ready before its HEALTHCHECK and our own check pass', async () => {
    portolan = await startWithDocker(engine);
    const check = [
      '--health-cmd',
      'test -f /tmp/ready',
      '--health-interval',
      '500ms',
      '--health-retries',
      '2',
    ];
    await engine.start(
      'web',
      [...WEB, ...check],
      ['sh', '-c', 'sleep 1; touch /tmp/ready; sleep 1; httpd -f -p 80 -h /www'],
    );
    const server = portolan;
    await eventually(async () => {
      const seen = await theOne(server);
      return seen?.condition?.state === 'starting' && !seen.routable ? true : undefined;
    });
    await routable(portolan, 'web', 1);
    await engine.docker('exec', 'web', 'rm', '/tmp/ready');
    await eventually(async () => {
      const seen = await theOne(server);
      return seen?.condition?.state === 'unhealthy' && !seen.routable ? true : undefined;
    });
    await engine.docker('exec', 'web', 'touch', '/tmp/ready');
    await routable(portolan, 'web', 1);
  });

  test('follows pause, rename and networks', async () => {
    await engine.docker('network', 'create', 'other');
    portolan = await startWithDocker(engine);
    await engine.start('web', ['-l', 'portolan.port=80'], webServer());
    await routable(portolan, 'web', 1);
    await engine.docker('pause', 'web');
    await routable(portolan, 'web', 0);
    await engine.docker('unpause', 'web');
    await routable(portolan, 'web', 1);
    await engine.docker('rename', 'web', 'shop');
    await routable(portolan, 'shop', 1);
    await routable(portolan, 'web', 0);
    const [before] = await instancesOf(portolan, 'shop');
    await engine.docker('network', 'connect', 'other', 'shop');
    await engine.docker('network', 'disconnect', 'bridge', 'shop');
    const server = portolan;
    await eventually(async () => {
      const [seen] = await instancesOf(server, 'shop');
      return seen?.routable && seen.address !== before?.address ? true : undefined;
    });
    expect((await get(portolan, '/shop/')).status).toBe(200);
    await engine.docker('network', 'disconnect', 'other', 'shop');
    await routable(portolan, 'shop', 0);
    expect(await dockerCommand(portolan, 'ps')).toMatch(/shop.*unroutable/);
  });

  test('that starts and dies again and again is held back, and let in when it stays', async () => {
    portolan = await startWithDocker(engine);
    // Dies four times, then stays.
    const script =
      'echo x >> /tmp/starts; [ "$(cat /tmp/starts)" = "$(printf "x\\nx\\nx\\nx\\nx")" ] && exec httpd -f -p 80 -h /www; sleep 0.3; exit 1';
    await engine.start('web', [...WEB, '--restart', 'always'], ['sh', '-c', script]);
    const server = portolan;
    await eventually(
      async () => {
        const text = await dockerCommand(server, 'ps', '--all');
        return /web.*it died 3 times within 60 s/.test(text) ? true : undefined;
      },
      20_000,
      200,
    );
    await routable(portolan, 'web', 1, 40_000);
  });

  test('costs no request when it is stopped under load, one after the other', async () => {
    portolan = await startWithDocker(engine);
    for (const name of ['web-a', 'web-b', 'web-c']) {
      const { options, command } = gracefulService(name, WEB);
      await engine.start(name, options, command);
    }
    await routable(portolan, 'web', 3);
    const load = startSteadyLoad(`${portolan.gateway}/web/`, { lanes: 16 });
    for (const name of ['web-a', 'web-b', 'web-c']) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      await engine.docker('stop', name);
      await engine.docker('start', name);
      await routable(portolan, 'web', 3);
    }
    const tally = await load.stop();
    expect(tally.failures).toEqual([]);
    expect(tally.failed).toBe(0);
    expect(tally.sent).toBeGreaterThan(500);
    expect([...tally.servedBy.keys()].sort()).toEqual(['web-a', 'web-b', 'web-c']);
  });

  test('goes on while the daemon is away, and is caught up with when it is back', async () => {
    portolan = await startWithDocker(engine);
    await engine.start('web', [...WEB, '--restart', 'always'], webServer());
    await routable(portolan, 'web', 1);
    const server = portolan;
    // Killed, it leaves its containers running.
    await engine.stopDaemon('SIGKILL');
    await eventually(
      async () => {
        const metrics = await (await fetch(`${server.control}/metrics`)).text();
        const stale = /portolan_discovery_stale_seconds\{[^}]*\} ([\d.]+)/.exec(metrics)?.[1];
        return Number(stale) > 1 ? true : undefined;
      },
      15_000,
      100,
    );
    expect((await get(portolan, '/web/')).status).toBe(200);
    expect(await dockerCommand(portolan, 'explain', 'web')).toContain('does not answer');
    await engine.startDaemon();
    await engine.start('more', ['-l', 'portolan.port=80'], webServer());
    await routable(portolan, 'more', 1, 30_000);
    await routable(portolan, 'web', 1);
  });

  test('that ended while the server was away is cleared up, and nothing else is', async () => {
    const upstream = await startUpstream('mine');
    try {
      portolan = await startWithDocker(engine);
      await engine.start('stays', ['-l', 'portolan.port=80'], webServer());
      await engine.start(
        'goes',
        ['-l', 'portolan.port=80', '-l', 'portolan.route.host=goes.example'],
        webServer(),
      );
      await routable(portolan, 'stays', 1);
      await routable(portolan, 'goes', 1);
      await register(portolan.control, 'mine', upstream.port);
      const [kept] = await instancesOf(portolan, 'stays');
      await call(portolan.control, 'PUT', `/api/v1/instances/${kept?.id}/intent`, {
        maintenance: { reason: 'operator' },
      });
      await portolan.stop();
      await engine.docker('rm', '-f', 'goes');

      // Without the engine nothing is known, so nothing is removed.
      const dataDir = portolan.dataDir;
      const blind = await startPortolan({
        dataDir,
        args: ['--docker', 'unix:///nowhere/docker.sock'],
      });
      expect((await instancesOf(blind)).map(({ service }) => service).sort()).toEqual([
        'goes',
        'mine',
        'stays',
      ]);
      await blind.stop();

      const again = await startWithDocker(engine, { dataDir });
      expect((await instancesOf(again)).map(({ service }) => service).sort()).toEqual([
        'mine',
        'stays',
      ]);
      expect((await call(again.control, 'GET', '/api/v1/routes')).body.routes).toEqual([]);
      expect((await instancesOf(again, 'stays'))[0]).toMatchObject({ routable: false });
      await again.stop();
    } finally {
      await upstream.stop();
    }
  });
});
