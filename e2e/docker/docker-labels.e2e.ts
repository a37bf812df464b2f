import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import {
  createServer,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestAuthority } from '@portolan/testing/certificates/test-authority';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { canRunEngine, type DockerEngine, startDockerEngine } from '../support/docker-engine.ts';
import { eventually } from '../support/eventually.ts';
import { type PortolanProcess, runPortolan, startPortolan } from '../support/portolan-process.ts';
import { call } from '../support/registry-api.ts';
import { webServer } from './containers.ts';
import {
  dockerCommand,
  get,
  instancesOf,
  routable,
  startWithDocker,
} from './portolan-with-docker.ts';

describe.runIf(await canRunEngine('e2e/docker labels'))('labels of containers', () => {
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

  test('make routes that come and go with their containers', async () => {
    portolan = await startWithDocker(engine);
    await engine.start(
      'api',
      [
        '-l',
        'portolan.port=80',
        '-l',
        'portolan.route.host=api.example',
        '-l',
        'portolan.route.path=/v1',
        '-l',
        'portolan.route.strip=true',
      ],
      webServer(80, 'api'),
    );
    await routable(portolan, 'api', 1);
    expect(await get(portolan, '/v1/', 'api.example')).toEqual({ status: 200, text: 'api' });
    expect((await get(portolan, '/v2/', 'api.example')).status).toBe(404);
    const { body } = await call(portolan.control, 'GET', '/api/v1/routes');
    expect(body.routes).toMatchObject([{ owner: 'docker', hosts: ['api.example'] }]);
    await engine.docker('rm', '-f', 'api');
    const server = portolan;
    await eventually(async () => {
      const left = (await call(server.control, 'GET', '/api/v1/routes')).body.routes.length;
      return left === 0 ? true : undefined;
    });
  });

  test('of Traefik work as they are', async () => {
    portolan = await startWithDocker(engine);
    await engine.start(
      'shop',
      [
        '-l',
        'traefik.enable=true',
        '-l',
        'traefik.http.routers.shop.rule=Host(`shop.example`) && PathPrefix(`/`)',
        '-l',
        'traefik.http.services.shop.loadbalancer.server.port=80',
      ],
      webServer(80, 'shop'),
    );
    await engine.start('off', ['-l', 'traefik.enable=false'], webServer());
    await routable(portolan, 'shop', 1);
    expect(await get(portolan, '/', 'shop.example')).toEqual({ status: 200, text: 'shop' });
    expect(await dockerCommand(portolan, 'ps', '--all')).toMatch(
      /off.*ignored.*traefik.enable=false/,
    );
  });

  test('and variables of Registrator work as they are', async () => {
    portolan = await startWithDocker(engine);
    await engine.start(
      'old',
      [
        '-p',
        '80',
        '-e',
        'SERVICE_NAME=orders',
        '-e',
        'SERVICE_TAGS=a,b',
        '-l',
        'SERVICE_80_CHECK_HTTP=/',
      ],
      webServer(80, 'orders'),
    );
    const [orders] = await routable(portolan, 'orders', 1);
    expect(orders?.tags).toEqual(['a', 'b']);
    expect((await get(portolan, '/orders/')).text).toBe('orders');
  });

  test('share a route between a release and its canary', async () => {
    portolan = await startWithDocker(engine);
    const web = ['-l', 'portolan.service=web', '-l', 'portolan.port=80'];
    await engine.start(
      'stable',
      [...web, '-l', 'portolan.route.host=web.example'],
      webServer(80, 'stable'),
    );
    await engine.start(
      'canary',
      [...web, '-l', 'portolan.canary=20%', '-l', 'portolan.version=v2'],
      webServer(80, 'canary'),
    );
    await routable(portolan, 'web', 2);
    const seen = { stable: 0, canary: 0 };
    for (let at = 0; at < 300; at++) {
      const { text } = await get(portolan, '/', 'web.example');
      seen[text as keyof typeof seen] += 1;
    }
    expect(seen.stable + seen.canary).toBe(300);
    expect(seen.canary).toBeGreaterThan(30);
    expect(seen.canary).toBeLessThan(100);
    await engine.docker('rm', '-f', 'canary');
    await routable(portolan, 'web', 1);
    for (let at = 0; at < 20; at++) {
      expect((await get(portolan, '/', 'web.example')).text).toBe('stable');
    }
  });

  test('that are wrong are listed, and change nothing', async () => {
    portolan = await startWithDocker(engine);
    await engine.start(
      'bad',
      ['-l', 'portolan.port=eighty', '-l', 'portolan.routes=x'],
      webServer(),
    );
    const server = portolan;
    const told = await eventually(async () => {
      const text = await dockerCommand(server, 'explain', 'bad');
      return text.includes('unroutable') ? text : undefined;
    });
    expect(told).toContain(
      'label portolan.port has to be a whole number from 1 to 65535, found "eighty"',
    );
    expect(told).toContain('label portolan.routes is none of those there are');
    expect(await instancesOf(portolan)).toEqual([]);
    // Held against the API document.
    const listed = await call(portolan.control, 'GET', '/api/v1/docker/containers');
    expect(listed.body).toMatchObject({ connected: true, gateway: { on: 'host' } });
    const unknown = await runPortolan([
      'docker',
      'explain',
      'nobody',
      '--registry',
      portolan.control,
    ]);
    expect(unknown.code).not.toBe(0);
    expect(unknown.stderr).toContain('No container or Swarm service "nobody"');
  });

  test('do not bring back what an operator took out, nor touch an application that registers itself', async () => {
    portolan = await startWithDocker(engine);
    await engine.start('web', ['-l', 'portolan.port=80'], webServer());
    const [found] = await routable(portolan, 'web', 1);
    await call(portolan.control, 'PUT', `/api/v1/instances/${found?.id}/intent`, {
      enabled: false,
    });
    await engine.docker('restart', '-t', '1', 'web');
    const server = portolan;
    await eventually(async () => {
      const [again] = await instancesOf(server, 'web');
      return again?.status === 'passing' ? true : undefined;
    });
    expect((await instancesOf(portolan, 'web'))[0]?.routable).toBe(false);
    await call(portolan.control, 'POST', '/register', {
      service: 'web',
      id: 'own',
      address: (await instancesOf(portolan, 'web'))[0]?.address,
      port: 80,
      lease: 'none',
    });
    await engine.docker('pause', 'web');
    await engine.docker('unpause', 'web');
    expect((await instancesOf(portolan, 'web')).map(({ id }) => id)).toEqual(['own']);
    expect(await dockerCommand(portolan, 'explain', 'web')).toContain('is instance own already');
  });
});

describe.runIf(await canRunEngine('e2e/docker access'))('ways to an engine', () => {
  let engine: DockerEngine;
  let portolan: PortolanProcess | undefined;
  let proxy: Server | undefined;

  beforeAll(async () => {
    engine = await startDockerEngine();
  });
  afterEach(async () => {
    await portolan?.dispose();
    portolan = undefined;
    proxy?.closeAllConnections();
    proxy?.close();
    await engine.clear();
  });
  afterAll(() => engine.dispose(), 120_000);

  const ALLOWED =
    /^(?:\/v[\d.]+)?\/(?:version|_ping|info|containers\/.*|events|networks|networks\/.*|services|tasks|nodes)(?:\?|$)/;

  /** Lets through what a read-only proxy in front of the socket does. */
  function forward(seen: Set<string>, refused: string[]) {
    return (asked: IncomingMessage, answer: ServerResponse): void => {
      const url = asked.url ?? '';
      seen.add(
        `${asked.method} ${url.replace(/^\/v[\d.]+/, '').replace(/[?].*|[0-9a-f]{64}/g, '')}`,
      );
      if (asked.method !== 'GET' || !ALLOWED.test(url)) {
        refused.push(`${asked.method} ${url}`);
        answer.writeHead(403).end();
        return;
      }
      const outgoing = request({ socketPath: engine.socketPath, path: url }, (came) => {
        answer.writeHead(came.statusCode ?? 502, came.headers);
        answer.flushHeaders();
        came.pipe(answer);
      });
      outgoing.on('error', () => answer.destroy());
      answer.on('close', () => outgoing.destroy());
      outgoing.end();
    };
  }

  async function listening(server: Server): Promise<number> {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  }

  test('through a read-only proxy that permits nothing but reading', async () => {
    const seen = new Set<string>();
    const refused: string[] = [];
    proxy = createServer(forward(seen, refused));
    const port = await listening(proxy);
    portolan = await startPortolan({ env: { PORTOLAN_DOCKER: `tcp://127.0.0.1:${port}` } });
    await engine.start('web', ['-l', 'portolan.port=80'], webServer());
    await routable(portolan, 'web', 1);
    await engine.docker('stop', '-t', '1', 'web');
    await routable(portolan, 'web', 0);
    expect(refused).toEqual([]);
    expect([...seen].every((one) => one.startsWith('GET '))).toBe(true);
  });

  test('by TLS with the files of DOCKER_CERT_PATH, and DOCKER_HOST', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'portolan-certs-'));
    try {
      const authority = await TestAuthority.create();
      const server = await authority.issue({ names: ['localhost'] });
      const client = await authority.issue({ names: ['client'] });
      await writeFile(join(folder, 'ca.pem'), authority.certPem);
      await writeFile(join(folder, 'cert.pem'), client.certPem);
      await writeFile(join(folder, 'key.pem'), client.keyPem);
      proxy = createTlsServer(
        {
          cert: server.certPem,
          key: server.keyPem,
          ca: authority.certPem,
          requestCert: true,
          rejectUnauthorized: true,
        },
        forward(new Set(), []),
      );
      const port = await listening(proxy);
      portolan = await startPortolan({
        args: ['--docker'],
        env: {
          DOCKER_HOST: `tcp://localhost:${port}`,
          DOCKER_TLS_VERIFY: '1',
          DOCKER_CERT_PATH: folder,
        },
      });
      await engine.start('web', ['-l', 'portolan.port=80'], webServer());
      await routable(portolan, 'web', 1);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('that are none are refused before anything starts', async () => {
    const { code, stderr } = await runPortolan(['serve', '--docker', 'ssh://host']);
    expect(code).toBe(78);
    expect(stderr).toContain('docker.engine');
    expect(stderr).toContain('expected auto, off, unix:///PATH');
  });
});
