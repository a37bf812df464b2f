import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startCheckingProxy } from '../support/checking-proxy.ts';
import { eventually } from '../support/eventually.ts';
import { startPortolan } from '../support/portolan-process.ts';
import { call, register } from '../support/registry-api.ts';
import { startSteadyLoad } from '../support/steady-load.ts';
import { startUpstream } from '../support/upstream-service.ts';

test('rule 10: an edge gateway serves on while the registry is away, and starts cold from its snapshot', async () => {
  const upstream = await startUpstream('edge');
  const registry = await startPortolan({ args: ['--role', 'registry'] });
  await register(registry.control, 'edge', upstream.port);
  const asked = '/api/v1/routes/explain?url=http%3A%2F%2Fa%2Fedge%2F';
  const told = await call(registry.control, 'GET', asked);
  expect(told).toMatchObject({ status: 501, body: { code: 'GATEWAY_ABSENT' } });
  const followed = await startCheckingProxy(registry.control);
  const follow = ['--role', 'gateway', '--registry', followed.origin];
  const edge = await startPortolan({ args: follow });
  await eventually(async () =>
    (await call(edge.gateway, 'GET', '/edge/')).status === 200 ? true : undefined,
  );
  const load = startSteadyLoad(`${edge.gateway}/edge/`, { lanes: 4 });
  await registry.stop('SIGKILL');
  await sleep(1_500);
  const tally = await load.stop();
  expect(tally.failures).toEqual([]);
  expect(tally.sent).toBeGreaterThan(100);

  await edge.stop('SIGKILL');
  const again = await startPortolan({ dataDir: edge.dataDir, args: follow });
  expect((await call(again.gateway, 'GET', '/edge/')).body).toContain('edge /');
  await again.dispose();
  await edge.dispose();
  await registry.dispose();
  await upstream.stop('SIGKILL');
  const events = ['sync', 'view', 'ready'].map((name) => `event ${name} /api/v1/watch`);
  expect(followed.seen).toEqual(expect.arrayContaining(events));
  await followed.close();
});
