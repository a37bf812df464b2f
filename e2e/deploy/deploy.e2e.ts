import { chmod, stat } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerCommand, instancesOf, routable } from '../docker/portolan-with-docker.ts';
import { hasTool } from '../support/debian-tool.ts';
import { canRunEngine, type DockerEngine, startDockerEngine } from '../support/docker-engine.ts';
import { eventually } from '../support/eventually.ts';
import { composeCommand, composeProject } from './compose.ts';
import {
  buildKitDocker,
  buildPortolanImage,
  importProxyImage,
  importSampleImage,
  PORTOLAN_IMAGE,
  PROXY_IMAGE,
  SAMPLE_IMAGE,
} from './images.ts';

interface Started {
  readonly project: (...args: readonly string[]) => Promise<string>;
  /** Of the gateway's container. */
  readonly id: string;
  readonly control: string;
  readonly gateway: string;
}

const SUITE = 'e2e/deploy';
const docker = buildKitDocker();
const compose = composeCommand();
if (docker === undefined) {
  process.stdout.write(`SKIPPED: ${SUITE}: no docker command builds with BuildKit\n`);
}
if (compose === undefined) {
  process.stdout.write(`SKIPPED: ${SUITE}: no compose (apt-get install docker-compose)\n`);
}
const isPossible =
  docker !== undefined &&
  compose !== undefined &&
  hasTool('haproxy', SUITE, 'haproxy') &&
  (await canRunEngine(SUITE));

describe.runIf(isPossible)('what deploy/ holds', () => {
  let engine: DockerEngine;
  const down: (() => Promise<unknown>)[] = [];
  let running: Started | undefined;

  beforeAll(async () => {
    engine = await startDockerEngine();
    await buildPortolanImage(engine, docker ?? '');
    await importProxyImage(engine);
    await importSampleImage(engine);
  }, 180_000);
  afterAll(async () => {
    await takeDown();
    await engine?.dispose();
  }, 120_000);

  async function takeDown(): Promise<void> {
    running = undefined;
    for (const end of down.splice(0)) await end();
  }

  /** The compose file as it is, started once for all tests that only look. */
  async function theProject(): Promise<Started> {
    running ??= await up(['compose.yaml']);
    return running;
  }

  async function up(files: readonly string[], services: readonly string[] = []): Promise<Started> {
    const project = composeProject(engine, compose ?? [], files, {
      PORTOLAN_IMAGE,
      SOCKET_PROXY_IMAGE: PROXY_IMAGE,
      SAMPLE_IMAGE,
      // Free ones of this machine.
      PORTOLAN_GATEWAY_PORT: '0',
      PORTOLAN_CONTROL_PORT: '0',
      DOCKER_SOCKET: engine.socketPath,
      DOCKER_SOCKET_FOLDER: dirname(engine.socketPath),
      DOCKER_GID: await engineGroup(),
    });
    if (down.length === 0) down.push(() => project('down', '--volumes', '--timeout', '5'));
    await project('up', '-d', '--no-build', ...services);
    const id = await project('ps', '-q', 'gateway');
    const origin = async (port: number) => {
      const [line = ''] = (await engine.docker('port', id, String(port))).split('\n');
      return `http://${line.replace('0.0.0.0', '127.0.0.1')}`;
    };
    const health = () => engine.docker('inspect', '-f', '{{.State.Health.Status}}', id);
    await eventually(
      async () => {
        if ((await health()) === 'healthy') return true;
        throw new Error(`not healthy: ${await engine.docker('logs', id)}`);
      },
      40_000,
      250,
    );
    return { project, id, control: await origin(8500), gateway: await origin(8080) };
  }

  async function engineGroup(): Promise<string> {
    return String((await stat(engine.socketPath)).gid);
  }

  /** Sends requests to the sample's host, `lanes` at a time, until `until` says so; counts answers by their text. */
  async function ask(gateway: string, lanes: number, until: (sent: number) => boolean) {
    const agent = new Agent({ keepAlive: true, maxSockets: lanes });
    const texts = new Map<string, number>();
    let sent = 0;
    const one = (): Promise<string> =>
      new Promise((resolve) => {
        const asked = request(
          gateway,
          { agent, headers: { host: 'hello.localhost' } },
          (answer) => {
            let text = '';
            answer.setEncoding('utf8').on('data', (part: string) => {
              text += part;
            });
            answer.on('end', () =>
              resolve(answer.statusCode === 200 ? text.trim() : `${answer.statusCode} ${text}`),
            );
          },
        );
        asked.on('error', (error) => resolve(`error ${error.message}`));
        asked.end();
      });
    const lane = async (): Promise<void> => {
      while (!until(sent)) {
        sent++;
        const text = await one();
        texts.set(text, (texts.get(text) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    agent.destroy();
    return texts;
  }

  test('starts by its compose file, is healthy, finds both versions and splits the traffic', async () => {
    const started = await theProject();
    const found = await routable(started, 'hello', 2);
    expect(found.map(({ metadata }) => metadata.version).sort()).toEqual(['v1', 'v2']);
    expect(await dockerCommand(started, 'ps')).toMatch(/hello-v1.*registered/);

    const texts = await ask(started.gateway, 4, (sent) => sent >= 1_000);
    expect([...texts.keys()].sort()).toEqual(['hello from v1', 'hello from v2']);
    const canaries = texts.get('hello from v2') ?? 0;
    process.stdout.write(`deploy/compose.yaml: ${canaries} of 1000 requests went to the canary\n`);
    expect(canaries).toBeGreaterThan(60);
    expect(canaries).toBeLessThan(140);
  });

  test('loses no request when a version is stopped under load', async () => {
    const started = await theProject();
    await routable(started, 'hello', 2);
    let over = false;
    const asked = ask(started.gateway, 8, () => over);
    await new Promise((resolve) => setTimeout(resolve, 500));
    // The canary: its share goes to the release.
    await started.project('stop', 'hello-v2');
    await routable(started, 'hello', 1);
    await started.project('start', 'hello-v2');
    await routable(started, 'hello', 2);
    over = true;
    const texts = await asked;
    expect([...texts.keys()].sort()).toEqual(['hello from v1', 'hello from v2']);
  });

  test('runs as nobody, without rights, on a root that cannot be written, and keeps its data', async () => {
    const started = await theProject();
    const [seen] = JSON.parse(await engine.docker('inspect', started.id)) as {
      Config: { User: string; StopSignal: string };
      HostConfig: { ReadonlyRootfs: boolean; CapDrop: string[]; SecurityOpt: string[] };
      Mounts: { Destination: string; Source: string }[];
    }[];
    expect(seen?.Config).toMatchObject({ User: '65532:65532', StopSignal: 'SIGTERM' });
    expect(seen?.HostConfig).toMatchObject({
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges:true'],
    });
    expect(seen?.Mounts.map(({ Destination }) => Destination)).toEqual(['/data']);
    const script = `
      const fs = require('node:fs');
      const write = (path) => { try { fs.writeFileSync(path, ''); return 'written'; } catch (e) { return e.code; } };
      const status = fs.readFileSync('/proc/self/status', 'utf8');
      console.log(JSON.stringify({ uid: process.getuid(), root: write('/x'), code: write('/app/x'), data: write('/data/x'),
        rights: /CapEff:\\s*(\\w+)/.exec(status)[1], gains: /NoNewPrivs:\\s*(\\d)/.exec(status)[1] }));`;
    expect(JSON.parse(await engine.docker('exec', started.id, 'node', '-e', script))).toEqual({
      uid: 65_532,
      root: 'EROFS',
      code: 'EROFS',
      data: 'written',
      rights: '0000000000000000',
      gains: '1',
    });

    // What was registered outlives the container.
    const answer = await fetch(`${started.control}/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ service: 'kept', address: '10.1.2.3', port: 80, lease: 'none' }),
    });
    expect(answer.ok).toBe(true);
    const before = performance.now();
    await started.project('stop', 'gateway');
    expect(performance.now() - before).toBeLessThan(15_000);
    expect(await engine.docker('inspect', '-f', '{{.State.ExitCode}}', started.id)).toBe('0');
    await started.project('rm', '-f', 'gateway');
    const again = await up(['compose.yaml']);
    running = again;
    expect(again.id).not.toBe(started.id);
    expect(await instancesOf(again, 'kept')).toHaveLength(1);
  });

  test('has a proxy that lets the engine be read, and nothing else', async () => {
    const { id } = await theProject();
    const script = `
      const ask = async (method, path) => (await fetch('http://socket-proxy:2375' + path, { method })).status;
      (async () => console.log(JSON.stringify([
        await ask('GET', '/version'), await ask('GET', '/v1.41/containers/json?all=1'),
        await ask('GET', '/v1.41/containers/${id}/json'), await ask('GET', '/networks'),
        await ask('POST', '/containers/create'), await ask('DELETE', '/containers/${id}'),
        await ask('GET', '/containers/${id}/logs?stdout=1'), await ask('GET', '/containers/${id}/archive?path=/data'),
        await ask('GET', '/images/json'), await ask('GET', '/v1.41/containers/%2e%2e/images/json'),
        await ask('POST', '/version'), await ask('GET', '/secrets'),
      ])))();`;
    expect(JSON.parse(await engine.docker('exec', id, 'node', '-e', script))).toEqual([
      200, 200, 200, 200, 403, 403, 403, 403, 403, 403, 403, 403,
    ]);
  });

  test('is unhealthy when it is not ready', async () => {
    const { id } = await theProject();
    const script = ['exec', '-e', 'PORTOLAN_CONTROL=0.0.0.0:8599', id, 'node'];
    await expect(engine.docker(...script, '/app/bin/healthcheck.mjs')).rejects.toThrow();
    expect(await engine.docker('exec', id, 'node', '/app/bin/healthcheck.mjs')).toBe('readyz 200');
  });

  test('follows the socket itself where its folder is mounted, as a member of its group', async () => {
    await takeDown();
    // The tests' folder is closed to all but root; the socket is open to its group.
    await chmod(dirname(engine.socketPath), 0o711);
    const started = await up(
      ['compose.yaml', 'compose.socket.yaml'],
      ['gateway', 'hello-v1', 'hello-v2'],
    );
    await routable(started, 'hello', 2);
    expect((await engine.docker('ps', '--format', '{{.Names}}')).split('\n')).toHaveLength(3);
    const seen = 'console.log(JSON.stringify([process.getuid(), ...process.getgroups()].sort()))';
    const said = JSON.parse(await engine.docker('exec', started.id, 'node', '-e', seen));
    expect(said).toEqual([65_532, 65_532, Number(await engineGroup())].sort());
    await started.project('stop', 'hello-v2');
    await routable(started, 'hello', 1);
  });
});
