import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type PortolanProcess, startPortolan } from '../support/portolan-process.ts';
import { call, register } from '../support/registry-api.ts';
import { NacosGrpcClient } from './nacos-grpc-client.ts';

const GRPC = { PORTOLAN_DIALECTS_NACOS_GRPC: '127.0.0.1:0' };
let portolan: PortolanProcess;
let address = '';

beforeAll(async () => {
  portolan = await startPortolan({ env: GRPC });
  address = await grpcAddress(portolan);
});
afterAll(async () => {
  await portolan.dispose();
});

async function grpcAddress({ control }: PortolanProcess): Promise<string> {
  const about = await (await fetch(control)).text();
  return /grpc:\/\/(\S+) +\(nacos-grpc\)/.exec(about)?.[1] ?? '';
}

async function nativeState(id: string): Promise<string | number> {
  const { status, body } = await call(portolan.control, 'GET', `/api/v1/instances/${id}`);
  return status === 200 ? body.status : status;
}

describe('a Nacos client over gRPC', () => {
  test('connects, registers, is seen by all, queries, lists and leaves', async () => {
    const client = await NacosGrpcClient.connect(address);
    expect(client.connectionId).toMatch(/^\d+_127\.0\.0\.1_\d+$/);
    const instance = {
      ...{ ip: '127.0.0.1', port: 7201, weight: 0.5, healthy: true, enabled: true },
      ...{ ephemeral: true, clusterName: 'DEFAULT', metadata: { version: 'v1' } },
    };
    expect(await client.instance('registerInstance', 'shop', instance)).toMatchObject({
      type: 'InstanceResponse',
      body: { resultCode: 200, errorCode: 0, success: true, type: 'registerInstance' },
    });
    const native = await call(portolan.control, 'GET', '/api/v1/instances/shop-127.0.0.1-7201');
    expect(native.body).toMatchObject({ status: 'passing', weight: 50, labels: { version: 'v1' } });
    const query = { namespace: 'public', groupName: 'DEFAULT_GROUP', serviceName: 'shop' };
    expect(await client.call('ServiceQueryRequest', { ...query, cluster: '' })).toMatchObject({
      type: 'QueryServiceResponse',
      body: {
        resultCode: 200,
        serviceInfo: {
          name: 'shop',
          groupName: 'DEFAULT_GROUP',
          hosts: [{ ip: '127.0.0.1', port: 7201, weight: 0.5, ephemeral: true, healthy: true }],
        },
      },
    });
    const page = { namespace: 'public', groupName: 'DEFAULT_GROUP', pageNo: 1, pageSize: 10 };
    expect(await client.call('ServiceListRequest', page)).toMatchObject({
      type: 'ServiceListResponse',
      body: { count: 1, serviceNames: ['shop'] },
    });
    expect((await client.call('HealthCheckRequest', {})).type).toBe('HealthCheckResponse');
    await client.instance('deregisterInstance', 'shop', instance);
    expect(await nativeState('shop-127.0.0.1-7201')).toBe(404);
    client.close();
  });

  test('is pushed what changes, until it unsubscribes', async () => {
    const client = await NacosGrpcClient.connect(address);
    expect(await client.subscribe('feed')).toMatchObject({
      type: 'SubscribeServiceResponse',
      body: { serviceInfo: { name: 'feed', hosts: [] } },
    });
    await register(portolan.control, 'feed', 7202, { id: 'feed-1' });
    const push = await eventually(() => client.pushed.at(-1));
    expect(push).toMatchObject({
      type: 'NotifySubscriberRequest',
      body: {
        namespace: 'public',
        groupName: 'DEFAULT_GROUP',
        serviceName: 'feed',
        serviceInfo: { hosts: [{ port: 7202 }] },
      },
    });
    const who = `${portolan.control}/nacos/v2/ns/client/service/subscriber/list?serviceName=feed`;
    expect(await (await fetch(who)).json()).toMatchObject({
      data: [{ clientId: client.connectionId }],
    });
    // The same registration again is no news.
    await register(portolan.control, 'feed', 7202, { id: 'feed-1' });
    await pause(800);
    expect(client.pushed).toHaveLength(1);
    await client.subscribe('feed', false);
    await call(portolan.control, 'DELETE', '/register/feed-1');
    await pause(800);
    expect(client.pushed).toHaveLength(1);
    client.close();
  });

  test('that does not acknowledge is told again', async () => {
    const client = await NacosGrpcClient.connect(address, {
      answers: (type) => type !== 'NotifySubscriberRequest',
    });
    await client.subscribe('deaf');
    await register(portolan.control, 'deaf', 7203, { id: 'deaf-1' });
    await eventually(() => (client.pushed.length === 1 ? true : undefined));
    await eventually(() => (client.pushed.length === 2 ? true : undefined), 8_000);
    client.close();
  });

  test('whose connection ends takes its instances along at once, others’ stay', async () => {
    const one = await NacosGrpcClient.connect(address);
    const two = await NacosGrpcClient.connect(address);
    await one.instance('registerInstance', 'mortal', { ip: '127.0.0.1', port: 7204 });
    await two.instance('registerInstance', 'mortal', { ip: '127.0.0.1', port: 7205 });
    one.cut();
    await eventually(async () =>
      (await nativeState('mortal-127.0.0.1-7204')) === 404 ? true : undefined,
    );
    expect(await nativeState('mortal-127.0.0.1-7205')).toBe('passing');
    two.close();
    await eventually(async () =>
      (await nativeState('mortal-127.0.0.1-7205')) === 404 ? true : undefined,
    );
  });

  test('comes back before its old connection is known to be over, and stays registered', async () => {
    const before = await NacosGrpcClient.connect(address);
    await before.instance('registerInstance', 'redo', { ip: '127.0.0.1', port: 7206 });
    const revision = async () =>
      (await call(portolan.control, 'GET', '/api/v1/instances/redo-127.0.0.1-7206')).body
        .modifyRevision;
    const registered = await revision();
    expect(registered).toEqual(expect.any(Number));
    const after = await NacosGrpcClient.connect(address);
    await after.instance('registerInstance', 'redo', { ip: '127.0.0.1', port: 7206 });
    before.cut();
    await pause(300);
    expect(await revision()).toBe(registered);
    after.close();
  });

  test('registers many at once; the list takes the place of the one before', async () => {
    const client = await NacosGrpcClient.connect(address);
    const batch = (ports: readonly number[]) =>
      client.call('BatchInstanceRequest', {
        ...{ namespace: 'public', groupName: 'DEFAULT_GROUP', serviceName: 'many' },
        type: 'batchRegisterInstance',
        instances: ports.map((port) => ({ ip: '127.0.0.1', port })),
      });
    const ports = async () => {
      const { body } = await call(portolan.control, 'GET', '/api/v1/instances?service=many');
      return body.instances.map(({ port }: { port: number }) => port).sort();
    };
    expect(await batch([7301, 7302, 7303])).toMatchObject({ type: 'BatchInstanceResponse' });
    expect(await ports()).toEqual([7301, 7302, 7303]);
    await batch([7303, 7304]);
    expect(await ports()).toEqual([7303, 7304]);
    const refused = await client.call('BatchInstanceRequest', {
      ...{ namespace: 'public', groupName: 'DEFAULT_GROUP', serviceName: 'many' },
      type: 'batchRegisterInstance',
      instances: [
        { ip: '127.0.0.1', port: 7305 },
        { ip: '127.0.0.1', port: 'x' },
      ],
    });
    expect(refused).toMatchObject({ type: 'ErrorResponse', body: { errorCode: 400 } });
    expect(await ports()).toEqual([7303, 7304]);
    client.close();
  });

  test('registers a persistent instance, which its connection does not take along', async () => {
    const client = await NacosGrpcClient.connect(address);
    await client.call('PersistentInstanceRequest', {
      ...{ namespace: 'public', groupName: 'DEFAULT_GROUP', serviceName: 'stays' },
      type: 'registerInstance',
      instance: { ip: '127.0.0.1', port: 7207, ephemeral: false },
    });
    client.close();
    await pause(300);
    expect(await nativeState('stays-127.0.0.1-7207')).not.toBe(404);
  });

  test('that asks for configuration is told that there is none', async () => {
    const client = await NacosGrpcClient.connect(address);
    const query = await client.call('ConfigQueryRequest', { dataId: 'a', group: 'b', tenant: '' });
    expect(query).toMatchObject({
      type: 'ConfigQueryResponse',
      body: { resultCode: 500, errorCode: 300, success: false, message: 'config data not exist' },
    });
    expect(await client.call('ConfigBatchListenRequest', { listen: true })).toMatchObject({
      type: 'ConfigChangeBatchListenResponse',
      body: { resultCode: 200, changedConfigs: [] },
    });
    expect(await client.call('NamingFuzzyWatchRequest', {})).toMatchObject({
      type: 'ErrorResponse',
      body: { resultCode: 500, errorCode: 302 },
    });
    client.close();
  });

  test('that is not set up is told to connect anew', async () => {
    const stranger = await NacosGrpcClient.stranger(address);
    expect(
      await stranger.instance('registerInstance', 'x', { ip: '127.0.0.1', port: 1 }),
    ).toMatchObject({
      type: 'ErrorResponse',
      body: { resultCode: 500, errorCode: 301 },
    });
    stranger.close();
  });
});

test('a silent client is asked whether it is there: one that answers keeps its instance past its lease, one that does not loses it', async () => {
  const alive = await NacosGrpcClient.connect(address);
  const dead = await NacosGrpcClient.connect(address, { answers: () => false });
  await alive.instance('registerInstance', 'silent', { ip: '127.0.0.1', port: 7209 });
  await dead.instance('registerInstance', 'silent', { ip: '127.0.0.1', port: 7210 });
  await pause(18_000);
  expect(await nativeState('silent-127.0.0.1-7210')).toBe('passing');
  await eventually(
    async () => ((await nativeState('silent-127.0.0.1-7210')) === 404 ? true : undefined),
    12_000,
  );
  expect(dead.pushed.map(({ type }) => type)).toContain('ClientDetectionRequest');
  await eventually(() => (dead.ended ? true : undefined));
  // Longer than a lease without renewal lasts.
  await pause(8_000);
  expect(await nativeState('silent-127.0.0.1-7209')).toBe('passing');
  expect(alive.ended).toBe(false);
  alive.close();
});

test('an instance outlives a crash of the server, and its client registers again without a change', async () => {
  const first = await startPortolan({ env: GRPC });
  const client = await NacosGrpcClient.connect(await grpcAddress(first));
  await client.instance('registerInstance', 'crash', { ip: '127.0.0.1', port: 7208 });
  const read = async (control: string) =>
    (await call(control, 'GET', '/api/v1/instances/crash-127.0.0.1-7208')).body;
  const before = await read(first.control);
  expect(before.modifyRevision).toEqual(expect.any(Number));
  await first.stop('SIGKILL');
  await eventually(() => (client.ended ? true : undefined));
  client.cut();
  const second = await startPortolan({ dataDir: first.dataDir, env: GRPC });
  expect((await read(second.control)).status).toBe('passing');
  const again = await NacosGrpcClient.connect(await grpcAddress(second));
  await again.instance('registerInstance', 'crash', { ip: '127.0.0.1', port: 7208 });
  expect((await read(second.control)).modifyRevision).toBe(before.modifyRevision);
  // A stop that is asked for leaves it there as well: its client comes back.
  await second.stop();
  again.cut();
  const third = await startPortolan({ dataDir: first.dataDir, env: GRPC });
  expect((await read(third.control)).status).toBe('passing');
  await third.dispose();
  await first.dispose();
});
