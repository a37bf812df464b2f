import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createEurekaClient, heard, refreshed, started, stopped } from '../clients/eureka.ts';
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

const shop = (port: number, more: object = {}) => ({
  ...{ app: 'shop', hostName: `shop-${port}`, ipAddr: '127.0.0.1', vipAddress: 'shop.example' },
  port: { $: port, '@enabled': true },
  ...more,
});

describe('eureka-js-client, unmodified', () => {
  test('registers, is found by another one and by the native API, and leaves', async () => {
    const one = createEurekaClient(portolan.control, shop(7001, { metadata: { version: 'v1' } }));
    await started(one);
    const other = createEurekaClient(portolan.control, {}, { registerWithEureka: false });
    await started(other);
    expect(other.getInstancesByAppId('shop')).toMatchObject([
      { instanceId: 'shop-7001', ipAddr: '127.0.0.1', status: 'UP', metadata: { version: 'v1' } },
    ]);
    expect(other.getInstancesByVipAddress('shop.example')).toHaveLength(1);
    const native = await call(portolan.control, 'GET', '/api/v1/instances/shop-7001');
    expect(native.body).toMatchObject({
      service: 'shop',
      address: '127.0.0.1',
      port: 7001,
      status: 'passing',
      labels: { version: 'v1' },
    });
    await stopped(one);
    const gone = await call(portolan.control, 'GET', '/api/v1/instances/shop-7001');
    expect(gone.status).toBe(404);
    await refreshed(other);
    await stopped(other);
  });

  test('keeps its lease by heartbeats and registers again when it is forgotten', async () => {
    const client = createEurekaClient(
      portolan.control,
      shop(7002, { leaseInfo: { renewalIntervalInSecs: 1, durationInSecs: 2 } }),
      { heartbeatInterval: 300, registryFetchInterval: 60_000 },
    );
    await started(client);
    await heard(client, 'heartbeat');
    // Longer than the lease: it lives by its heartbeats.
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    const path = '/api/v1/instances/shop-7002';
    expect((await call(portolan.control, 'GET', path)).status).toBe(200);
    const again = heard(client, 'registered');
    await call(portolan.control, 'DELETE', path);
    await again;
    expect((await call(portolan.control, 'GET', path)).status).toBe(200);
    await stopped(client);
  });

  test('follows changes by deltas', async () => {
    await register(portolan.control, 'ledger', 7003, { id: 'ledger-1' });
    const client = createEurekaClient(
      portolan.control,
      {},
      { registerWithEureka: false, shouldUseDelta: true },
    );
    await started(client);
    const ports = () => client.getInstancesByVipAddress('ledger').map(({ port }) => port.$);
    expect(ports()).toEqual([7003]);
    await register(portolan.control, 'ledger', 7004, { id: 'ledger-2' });
    await refreshed(client);
    expect(ports()).toEqual([7003, 7004]);
    await call(portolan.control, 'DELETE', '/register/ledger-1');
    await refreshed(client);
    // Its table by app forgets the wrong one (it splices at NaN); the one by vip does not.
    expect(ports()).toEqual([7004]);
    await stopped(client);
  });

  test('has its instances routed to, and taken out by an override', async () => {
    const upstream = await startUpstream('from eureka');
    const client = createEurekaClient(portolan.control, {
      ...shop(upstream.port),
      app: 'routed',
      hostName: 'routed-1',
      vipAddress: 'routed',
    });
    await started(client);
    const ask = async () => (await fetch(`${portolan.gateway}/routed/rest`)).status;
    await eventually(async () => ((await ask()) === 200 ? true : undefined));
    const status = `${portolan.control}/eureka/apps/ROUTED/routed-1/status`;
    await fetch(`${status}?value=OUT_OF_SERVICE`, { method: 'PUT' });
    await eventually(async () => ((await ask()) === 503 ? true : undefined));
    await fetch(status, { method: 'DELETE' });
    await eventually(async () => ((await ask()) === 200 ? true : undefined));
    await stopped(client);
    await upstream.stop();
  });
});

describe('the dialect', () => {
  test('is served on a port of its own, or not at all', async () => {
    const moved = await startPortolan({
      env: { PORTOLAN_DIALECTS_EUREKA_LISTEN: '127.0.0.1:0' },
    });
    const about = await (await fetch(moved.control)).text();
    const origin = /(http:\/\/\S+) +\(eureka\)/.exec(about)?.[1];
    const there = await fetch(`${origin}/eureka/apps`, { headers: { accept: 'application/json' } });
    expect(there.status).toBe(200);
    expect((await fetch(`${moved.control}/eureka/apps`)).status).toBe(404);
    await moved.dispose();
    const off = await startPortolan({ env: { PORTOLAN_DIALECTS_EUREKA_ENABLED: 'false' } });
    expect((await fetch(`${off.control}/eureka/apps`)).status).toBe(404);
    await off.dispose();
  });
});
