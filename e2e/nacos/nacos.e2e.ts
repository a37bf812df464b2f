import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createNacosClient } from '../clients/nacos.ts';
import { eventually } from '../support/eventually.ts';
import { type PortolanProcess, startPortolan } from '../support/portolan-process.ts';
import { call, register } from '../support/registry-api.ts';
import { startUpstream } from '../support/upstream-service.ts';

let portolan: PortolanProcess;
beforeAll(async () => {
  portolan = await startPortolan();
});
afterAll(async () => {
  await portolan.dispose();
});

describe('the npm client of Nacos, unmodified', () => {
  test('registers, is found by another one and by the native API, and leaves', async () => {
    const one = await createNacosClient(portolan.control);
    const other = await createNacosClient(portolan.control);
    expect(await one.getServerStatus()).toBe('UP');
    const instance = {
      ...{ ip: '127.0.0.1', port: 7101, weight: 2, clusterName: 'eu-1a' },
      metadata: { version: 'v1' },
    };
    await one.registerInstance('shop', instance);
    expect(await other.getAllInstances('shop', 'DEFAULT_GROUP', '', false)).toMatchObject([
      { ip: '127.0.0.1', port: 7101, weight: 2, clusterName: 'eu-1a', healthy: true },
    ]);
    const native = await call(portolan.control, 'GET', '/api/v1/instances/shop-127.0.0.1-7101');
    expect(native.body).toMatchObject({
      service: 'shop',
      weight: 200,
      status: 'passing',
      labels: { version: 'v1', zone: 'eu-1a' },
    });
    await one.deregisterInstance('shop', instance);
    // The client keeps what it knew when a list is empty: ask for it without the client.
    const list = await fetch(`${portolan.control}/nacos/v1/ns/instance/list?serviceName=shop`);
    expect(await list.json()).toMatchObject({ name: 'DEFAULT_GROUP@@shop', hosts: [] });
    await Promise.all([one.close(), other.close()]);
  });

  test('is pushed what changes, long before it asks again', async () => {
    await register(portolan.control, 'pushed', 7102, { id: 'pushed-1' });
    const client = await createNacosClient(portolan.control);
    const heard: number[][] = [];
    client.subscribe('pushed', (hosts) => heard.push(hosts.map(({ port }) => port)));
    await eventually(() => (heard.at(-1)?.length === 1 ? true : undefined));
    // It asks once more after a second, and then every ten.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await register(portolan.control, 'pushed', 7103, { id: 'pushed-2' });
    await eventually(() => (heard.at(-1)?.length === 2 ? true : undefined), 3_000);
    await call(portolan.control, 'DELETE', '/register/pushed-1');
    await eventually(() => (heard.at(-1)?.join() === '7103' ? true : undefined), 3_000);
    await client.close();
  });

  test('keeps its instance by beats; silent, it is unhealthy first and gone then', async () => {
    const client = await createNacosClient(portolan.control);
    const times = {
      'preserved.heart.beat.interval': '300',
      'preserved.heart.beat.timeout': '1000',
      'preserved.ip.delete.timeout': '3000',
    };
    const beat = { ip: '127.0.0.1', port: 7104, metadata: times };
    const address = 'serviceName=mortal&ip=127.0.0.1&port=7104';
    const state = async () => {
      const native = await call(portolan.control, 'GET', '/api/v1/instances/mortal-127.0.0.1-7104');
      return native.status === 200 ? native.body.status : native.status;
    };
    const query = new URLSearchParams({ ...beat, port: '7104', metadata: JSON.stringify(times) });
    await fetch(`${portolan.control}/nacos/v1/ns/instance?serviceName=mortal&${query}`, {
      method: 'POST',
    });
    const light = () =>
      fetch(`${portolan.control}/nacos/v1/ns/instance/beat?${address}`, { method: 'PUT' });
    for (let round = 0; round < 6; round++) {
      await light();
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    expect(await state()).toBe('passing');
    await eventually(async () => ((await state()) === 'critical' ? true : undefined));
    await light();
    expect(await state()).toBe('passing');
    await eventually(async () => ((await state()) === 404 ? true : undefined), 8_000);
    expect(await (await light()).json()).toMatchObject({ code: 20404 });
    await client.close();
  });

  test('has its instances routed to', async () => {
    const upstream = await startUpstream('from nacos');
    const client = await createNacosClient(portolan.control);
    await client.registerInstance('routed', { ip: '127.0.0.1', port: upstream.port });
    const ask = async () => (await fetch(`${portolan.gateway}/routed/rest`)).status;
    await eventually(async () => ((await ask()) === 200 ? true : undefined));
    await client.deregisterInstance('routed', { ip: '127.0.0.1', port: upstream.port });
    await eventually(async () => ((await ask()) === 503 ? true : undefined));
    await client.close();
    await upstream.stop();
  });
});

describe('users', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'portolan-nacos-'));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  test('of a file are let in, others not', async () => {
    const file = join(folder, 'users');
    await writeFile(file, '# who may\nnacos:correct horse\n', { mode: 0o600 });
    const closed = await startPortolan({ env: { PORTOLAN_DIALECTS_NACOS_USER_FILE: file } });
    const login = { username: 'nacos', password: 'correct horse' };
    const client = await createNacosClient(closed.control, login);
    await client.registerInstance('shop', { ip: '127.0.0.1', port: 7105 });
    expect(await client.getAllInstances('shop', 'DEFAULT_GROUP', '', false)).toHaveLength(1);
    const nobody = await fetch(`${closed.control}/nacos/v1/ns/instance/list?serviceName=shop`);
    expect([nobody.status, await nobody.text()]).toEqual([403, 'user not found!']);
    await client.close();
    await closed.dispose();
  });

  test('of a file that is none keep the server from starting, with the reason', async () => {
    const start = startPortolan({ env: { PORTOLAN_DIALECTS_NACOS_USER_FILE: join(folder, 'no') } });
    await expect(start).rejects.toThrow(/userFile .* cannot be used: ENOENT/);
  });
});
