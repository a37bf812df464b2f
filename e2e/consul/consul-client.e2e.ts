import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ConsulClient, createConsulClient } from '../clients/consul.ts';
import { eventually } from '../support/eventually.ts';
import { type PortolanProcess, startPortolan } from '../support/portolan-process.ts';
import { call, register } from '../support/registry-api.ts';
import { startUpstream, type UpstreamService } from '../support/upstream-service.ts';

let portolan: PortolanProcess;
let consul: ConsulClient;
let upstream: UpstreamService;

beforeAll(async () => {
  portolan = await startPortolan();
  consul = createConsulClient(portolan.control);
  upstream = await startUpstream('one');
});
afterAll(async () => {
  await upstream?.stop('SIGKILL');
  await portolan?.dispose();
});

/** A health entry as far as these tests look at it. */
interface Entry {
  readonly Node: { readonly Node: string };
  readonly Service: { readonly ID: string; readonly Address: string; readonly Port: number };
  readonly Checks: readonly {
    readonly CheckID: string;
    readonly Status: string;
    readonly Output: string;
  }[];
}

function idsOf(entries: readonly Entry[]): string[] {
  return entries.map(({ Service }) => Service.ID);
}

test('registers with a ttl check, passes it, and is routed to and seen by everybody else', async () => {
  await consul.agent.service.register({
    id: 'shop-1',
    name: 'shop',
    address: '127.0.0.1',
    port: upstream.port,
    tags: ['version:v1'],
    meta: { team: 'blue' },
    check: { name: 'alive', ttl: '10s', timeout: '1s' },
  });
  const listed = await consul.agent.service.list();
  expect(listed['shop-1']).toMatchObject({ Service: 'shop', Port: upstream.port });
  // Consul's ttl checks start critical: no traffic before the first word.
  expect(idsOf(await consul.health.service({ service: 'shop', passing: true }))).toEqual([]);
  await consul.agent.check.pass({ id: 'service:shop-1', note: 'all well' });
  const [entry] = (await consul.health.service({ service: 'shop', passing: true })) as Entry[];
  expect(entry?.Service).toMatchObject({ ID: 'shop-1', Address: '127.0.0.1' });
  expect(entry?.Checks[0]).toMatchObject({ CheckID: 'service:shop-1', Output: 'all well' });
  await eventually(async () =>
    (await fetch(`${portolan.gateway}/shop/`)).status === 200 ? true : undefined,
  );
  const { body } = await call(portolan.control, 'GET', '/api/v1/instances/shop-1');
  expect(body).toMatchObject({
    status: 'passing',
    routable: true,
    labels: { version: 'v1', team: 'blue' },
  });
  await consul.agent.check.fail('service:shop-1');
  const states = await consul.health.state('critical');
  expect(states.map(({ CheckID }) => CheckID)).toContain('service:shop-1');
  await consul.agent.service.deregister('shop-1');
  expect(idsOf(await consul.health.service('shop'))).toEqual([]);
});

test('a watch tells each change of its service and no change of another', async () => {
  const seen: string[][] = [];
  const errors: unknown[] = [];
  const watch = consul.watch({
    method: consul.health.service,
    options: { service: 'watched', wait: '20s' },
  });
  watch.on('change', (entries: Entry[]) => seen.push(idsOf(entries)));
  watch.on('error', (error: unknown) => errors.push(error));
  try {
    await eventually(() => (seen.length === 1 ? true : undefined));
    expect(seen).toEqual([[]]);
    for (let port = 1; port <= 20; port++) await register(portolan.control, 'elsewhere', port);
    await register(portolan.control, 'watched', 7, { id: 'watched-1' });
    await eventually(() => (seen.length === 2 ? true : undefined));
    await consul.agent.service.register({ id: 'watched-2', name: 'watched', port: 8 });
    await eventually(() => (seen.length === 3 ? true : undefined));
    await consul.agent.service.deregister('watched-1');
    await eventually(() => (seen.length === 4 ? true : undefined));
    expect(seen).toEqual([[], ['watched-1'], ['watched-1', 'watched-2'], ['watched-2']]);
    expect(errors).toEqual([]);
  } finally {
    watch.end();
  }
});

test('a watch whose time is over is answered within what the client allows, and goes on', async () => {
  await register(portolan.control, 'patient', 1);
  let changes = 0;
  const errors: unknown[] = [];
  const watch = consul.watch({
    method: consul.health.service,
    options: { service: 'patient', wait: '1s' },
  });
  watch.on('change', () => changes++);
  watch.on('error', (error: unknown) => errors.push(error));
  try {
    await eventually(() => (changes === 1 ? true : undefined));
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(errors).toEqual([]);
    await register(portolan.control, 'patient', 2);
    await eventually(() => (changes === 2 ? true : undefined));
  } finally {
    watch.end();
  }
});

test('maintenance takes a service out of the gateway and back', async () => {
  await consul.agent.service.register({
    id: 'maintained-1',
    name: 'maintained',
    address: '127.0.0.1',
    port: upstream.port,
  });
  const status = async () => (await fetch(`${portolan.gateway}/maintained/`)).status;
  await eventually(async () => ((await status()) === 200 ? true : undefined));
  await consul.agent.service.maintenance({ id: 'maintained-1', enable: true, reason: 'disk' });
  expect(idsOf(await consul.health.service({ service: 'maintained', passing: true }))).toEqual([]);
  await eventually(async () => ((await status()) === 503 ? true : undefined));
  await consul.agent.service.maintenance({ id: 'maintained-1', enable: false });
  await eventually(async () => ((await status()) === 200 ? true : undefined));
  await consul.agent.service.deregister('maintained-1');
});

test('an http check is made by the registry: the instance comes and goes with it', async () => {
  const checked = await startUpstream('checked');
  await consul.agent.service.register({
    id: 'asked-1',
    name: 'asked',
    address: '127.0.0.1',
    port: checked.port,
    check: {
      name: 'page',
      http: `http://127.0.0.1:${checked.port}/`,
      interval: '1s',
      timeout: '500ms',
    },
  });
  const passing = async () =>
    idsOf(await consul.health.service({ service: 'asked', passing: true }));
  await eventually(async () => ((await passing()).length === 1 ? true : undefined));
  await checked.stop('SIGKILL');
  await eventually(async () => ((await passing()).length === 0 ? true : undefined), 10_000);
  await consul.agent.service.deregister('asked-1');
});

test('the catalogue, the agent and the status speak as the client expects', async () => {
  await consul.catalog.register({
    node: 'legacy-db',
    address: '10.9.0.1',
    service: { service: 'db', id: 'db1', port: 5432, tags: ['primary'] },
    check: { node: 'legacy-db', checkid: 'up', status: 'passing', serviceid: 'db1' },
  } as never);
  expect(await consul.catalog.datacenters()).toEqual(['dc1']);
  expect(await consul.catalog.service.list()).toMatchObject({ db: ['primary'] });
  const [db] = await consul.catalog.service.nodes('db');
  expect(db).toMatchObject({ Node: 'legacy-db', ServiceID: 'db1', ServicePort: 5432 });
  const nodes = await consul.catalog.node.list();
  expect(nodes.map(({ Node }) => Node)).toContain('legacy-db');
  const { Services } = await consul.catalog.node.services('legacy-db');
  expect(Object.keys(Services)).toEqual(['db1']);
  await consul.catalog.deregister({ node: 'legacy-db', serviceid: 'db1' } as never);
  expect(await consul.catalog.service.nodes('db')).toEqual([]);
  expect(await consul.status.leader()).toMatch(/^127\.0\.0\.1:\d+$/);
  expect(await consul.status.peers()).toHaveLength(1);
  expect((await consul.agent.members())[0]).toMatchObject({ Status: 1 });
  expect((await consul.agent.self()) as object).toMatchObject({ Config: { Datacenter: 'dc1' } });
  // A key that nobody has is "not found", which this client tells as nothing.
  expect(await consul.kv.get('config/application')).toBeFalsy();
});

test('the client reads errors as Consul words them', async () => {
  await expect(consul.agent.check.pass('nope')).rejects.toMatchObject({
    statusCode: 404,
    response: {
      body: 'Unknown check ID "nope". Ensure that the check ID is passed, not the check name.',
    },
  });
  await expect(consul.agent.service.deregister('nope')).rejects.toMatchObject({ statusCode: 404 });
  await expect(
    consul.agent.service.register({
      name: 'scripted',
      port: 1,
      check: { name: 'script', args: ['/bin/true'], interval: '10s', timeout: '1s' },
    }),
  ).rejects.toMatchObject({ statusCode: 400 });
});
