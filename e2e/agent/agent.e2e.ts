import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, isPortolanError, type PortolanClient } from '@portolan/client';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type CheckingProxy, startCheckingProxy } from '../support/checking-proxy.ts';
import { eventually } from '../support/eventually.ts';
import { type PortolanProcess, startPortolan } from '../support/portolan-process.ts';
import { type AgentProcess, freePort, startAgent } from './agent-process.ts';

let portolan: PortolanProcess;
/** What agents talk to: every answer they get is checked against the API document. */
let registry: CheckingProxy;
let client: PortolanClient;
let port = 0;
const agents: AgentProcess[] = [];

beforeAll(async () => {
  portolan = await startPortolan();
  registry = await startCheckingProxy(portolan.control);
  client = createClient({ url: registry.origin });
});
afterAll(async () => {
  await portolan?.dispose();
  await registry?.close();
});
afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.dispose();
  await client.instances.deregister(`web-127.0.0.1-${port}`).catch(() => undefined);
});

async function start(options: Partial<Parameters<typeof startAgent>[0]> = {}) {
  port = await freePort();
  const agent = startAgent({ registry: registry.origin, port, ...options });
  agents.push(agent);
  return agent;
}

const instance = () =>
  client.instances.get(`web-127.0.0.1-${port}`).catch((error: unknown) => {
    if (isPortolanError(error) && error.code === 'INSTANCE_NOT_FOUND') return undefined;
    throw error;
  });
const serves = () =>
  fetch(`http://127.0.0.1:${port}/`).then(
    (answer) => answer.ok,
    () => false,
  );

describe('portolan agent', () => {
  test('registers only when the application answers, and keeps its metadata', async () => {
    const agent = await start({
      env: { START_MS: '700' },
      args: ['--meta', 'version=v1', '--check', 'http=/', '--interval', '1s'],
    });
    await agent.until(/app pid/);
    expect(await instance()).toBeUndefined();
    await agent.until(/portolan agent: registered web-127\.0\.0\.1-\d+/);
    expect(agent.said().indexOf('app listens')).toBeLessThan(agent.said().indexOf('registered'));
    const found = await eventually(async () => {
      const present = await instance();
      return present?.status === 'passing' ? present : undefined;
    });
    expect(found.labels).toEqual({ version: 'v1' });
  });

  test('on SIGTERM deregisters, drains, passes the signal on and exits with its code', async () => {
    const agent = await start({ env: { EXIT: '7' }, args: ['--drain', '800ms'] });
    await agent.until(/registered web/);
    agent.child.kill('SIGTERM');
    await eventually(async () => ((await instance()) ? undefined : true));
    expect(await serves()).toBe(true);
    expect(agent.said()).not.toContain('app SIGTERM');
    expect(await agent.ended).toBe(7);
    expect(agent.said()).toContain('app SIGTERM');
  });

  test('exits with 0, a code, or 128 + n as the application ends', async () => {
    const graceful = await start({ args: ['--drain', '0s'] });
    await graceful.until(/registered web/);
    graceful.child.kill('SIGINT');
    // The application does not listen for SIGINT, so it dies of it.
    expect(await graceful.ended).toBe(130);

    const clean = await start({ args: ['--drain', '0s'] });
    await clean.until(/registered web/);
    clean.child.kill('SIGTERM');
    expect(await clean.ended).toBe(0);

    const early = await start({ command: [process.execPath, '-e', 'process.exit(3)'] });
    expect(await early.ended).toBe(3);
    expect(early.said()).toContain('never registered');

    const missing = await start({ command: ['/nonexistent/program'] });
    expect(await missing.ended).toBe(127);
  });

  test('kills an application that ignores the signal, after its grace time', async () => {
    const agent = await start({
      env: { STUBBORN: '1' },
      args: ['--drain', '0s', '--grace', '500ms'],
    });
    await agent.until(/registered web/);
    agent.child.kill('SIGTERM');
    await agent.until(/app SIGTERM/);
    expect(await agent.ended).toBe(137);
    expect(agent.said()).toContain('SIGKILL');
  });

  test('does not wait at a second signal', async () => {
    const agent = await start({ args: ['--drain', '60s'] });
    await agent.until(/registered web/);
    agent.child.kill('SIGTERM');
    await agent.until(/draining/);
    agent.child.kill('SIGTERM');
    expect(await agent.ended).toBe(0);
  });

  test('passes other signals on', async () => {
    const agent = await start();
    await agent.until(/registered web/);
    agent.child.kill('SIGHUP');
    await agent.until(/app SIGHUP/);
    expect(await instance()).toBeDefined();
  });

  test('deregisters an application that dies at once, and exits as it did', async () => {
    const agent = await start();
    await agent.until(/registered web/);
    const pid = Number((await agent.until(/app pid (\d+)/))[1]);
    const startedMs = performance.now();
    process.kill(pid, 'SIGKILL');
    await eventually(async () => ((await instance()) ? undefined : true));
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    expect(await agent.ended).toBe(137);
  });

  test('reports when a script check turns critical, and when it passes again', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'portolan-script-'));
    try {
      const flag = join(folder, 'ok');
      await writeFile(flag, '');
      const agent = await start({
        args: [
          '--check',
          `script:test -e '${flag}' || { echo no flag; exit 2; }`,
          '--interval',
          '200ms',
        ],
      });
      await agent.until(/registered web/);
      const status = (wanted: string) =>
        eventually(async () => {
          const present = await instance();
          return present?.status === wanted ? present : undefined;
        });
      await status('passing');
      await rm(flag);
      const critical = await status('critical');
      expect(critical.checks[0]?.output).toContain('no flag');
      expect(critical.routable).toBe(false);
      await writeFile(flag, '');
      expect((await status('passing')).routable).toBe(true);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('killed with SIGKILL, its lease runs out', async () => {
    const agent = await start({ args: ['--ttl', '1s'] });
    await agent.until(/registered web/);
    agent.child.kill('SIGKILL');
    await agent.ended;
    expect(await instance()).toBeDefined();
    await eventually(async () => ((await instance()) ? undefined : true), 20_000);
    await agent.dispose();
  });

  test('runs the application while no registry is there, and registers when one comes', async () => {
    const registryPort = await freePort();
    const agent = await start({
      registry: `http://127.0.0.1:${registryPort}`,
      args: ['--ttl', '3s'],
    });
    await agent.until(/app listens/);
    await agent.until(/No registry/);
    expect(await serves()).toBe(true);
    const late = await startPortolan({ args: ['--control', `127.0.0.1:${registryPort}`] });
    try {
      await agent.until(/registered web/);
      const services = await createClient({ url: late.control }).services.list();
      expect(services).toMatchObject([{ service: 'web', instances: 1 }]);
    } finally {
      await late.dispose();
    }
    await agent.until(/the registry is away/);
    expect(await serves()).toBe(true);
  }, 60_000);
});
