import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AgentProcess, startAgent } from '../agent/agent-process.ts';
import { eventually } from '../support/eventually.ts';
import { type PortolanProcess, runPortolan, startPortolan } from '../support/portolan-process.ts';
import { call, register } from '../support/registry-api.ts';
import { startUpstream, type UpstreamService } from '../support/upstream-service.ts';
import { startCaller } from './one-caller.ts';

let portolan: PortolanProcess;
const upstreams: UpstreamService[] = [];
const agents: AgentProcess[] = [];

async function upstream(name: string, port?: number): Promise<UpstreamService> {
  const service = await startUpstream(name, port);
  upstreams.push(service);
  return service;
}

async function term(control: string, service: string) {
  return (await call(control, 'GET', `/api/v1/services/${service}/instances`)).body.exclusive;
}

function untilActive(control: string, service: string, id: string) {
  return eventually(async () => {
    const told = await term(control, service);
    return told?.active === id ? told : undefined;
  }, 10_000);
}

beforeAll(async () => {
  portolan = await startPortolan();
});

afterAll(async () => {
  await portolan?.dispose();
  await Promise.all(agents.map((agent) => agent.dispose()));
  await Promise.all(upstreams.map((service) => service.stop('SIGKILL')));
});

describe('an exclusive service behind the gateway', () => {
  test('is served by one instance at a time: after kill -9, by hand, and over kill -9 of the registry', async () => {
    const services = [await upstream('a'), await upstream('b'), await upstream('c')];
    const ids: string[] = [];
    for (const { name, port } of services) {
      const check = { http: `http://127.0.0.1:${port}/health`, interval: '200ms', fall: 1 };
      ids.push(
        await register(portolan.control, 'jobs', port, { id: name, exclusive: true, check }),
      );
      if (name === 'a') await untilActive(portolan.control, 'jobs', 'a');
    }
    await eventually(async () => {
      const view = await call(
        portolan.control,
        'GET',
        '/api/v1/services/jobs/instances?status=passing',
      );
      return view.body.instances.length === 3 ? true : undefined;
    });
    const edge = await startPortolan({
      args: ['--role', 'gateway', '--registry', portolan.control],
    });
    await eventually(async () =>
      (await call(edge.gateway, 'GET', '/jobs/')).status === 200 ? true : undefined,
    );
    const near = startCaller(`${portolan.gateway}/jobs/`);
    const far = startCaller(`${edge.gateway}/jobs/`);

    const first = await term(portolan.control, 'jobs');
    await near.until('a', 50);
    await services[0]?.stop('SIGKILL');
    const second = await untilActive(portolan.control, 'jobs', 'b');
    expect(second).toMatchObject({ reason: 'unhealthy' });
    expect(second.term).toBeGreaterThan(first.term);
    await near.until('b', 50);
    await far.until('b', 50);

    // Back, healthy, and first in line: it waits all the same.
    await upstream('a', services[0]?.port);
    await eventually(async () => {
      const back = await call(portolan.control, 'GET', '/api/v1/instances/a');
      return back.body.status === 'passing' ? back : undefined;
    });
    await near.until('b', 50);
    expect(await term(portolan.control, 'jobs')).toEqual(second);

    const failedBefore = near.failed;
    const handed = await runPortolan([
      'service',
      'hand-over',
      'jobs',
      '--to',
      'c',
      '--registry',
      portolan.control,
    ]);
    expect(handed.stdout).toMatch(/^jobs: c is active, term \d+\n$/);
    await near.until('c', 50);
    await far.until('c', 50);
    expect(near.failed).toBe(failedBefore);

    // Taken out on purpose: the next is active before it is gone.
    await call(portolan.control, 'POST', '/api/v1/instances/c/disable');
    await near.until('a', 50);
    await far.until('a', 50);
    expect(near.failed).toBe(failedBefore);
    const explained = await call(
      portolan.control,
      'GET',
      `/api/v1/routes/explain?url=${encodeURIComponent(`${portolan.gateway}/jobs/`)}`,
    );
    const states = explained.body.destinations[0].endpoints.map(
      (endpoint: { id: string; state: string; reason: string | null }) =>
        `${endpoint.id} ${endpoint.state} ${endpoint.reason ?? ''}`,
    );
    expect(states[0]).toBe('a ready ');
    expect(states[1]).toMatch(
      /^b not-routable standby of an exclusive service: a is active, term \d+$/,
    );
    expect(states[2]).toBe('c not-routable disabled');

    // One server at a time, in this order, and never two in turns.
    await near.stop();
    await far.stop();
    expect(near.servers).toEqual(['a', 'b', 'c', 'a']);
    expect(far.servers).toEqual(['a', 'b', 'c', 'a']);

    const before = await term(portolan.control, 'jobs');
    await portolan.stop('SIGKILL');
    portolan = await startPortolan({ dataDir: portolan.dataDir });
    expect(await term(portolan.control, 'jobs')).toEqual(before);
    const after = startCaller(`${portolan.gateway}/jobs/`);
    await after.until('a', 100);
    await after.stop();
    expect([after.servers, after.failed]).toEqual([['a'], 0]);
    expect(await term(portolan.control, 'jobs')).toEqual(before);
    await edge.dispose();
  });

  test('under agents: a killed one is followed, a stopped one finds itself on standby when it goes on', async () => {
    const run = async (name: string) => {
      const agent = startAgent({
        registry: portolan.control,
        port: await freePort(),
        args: ['--id', name, '--exclusive', '--ttl', '1s', '--drain', '0s'],
      });
      agents.push(agent);
      await agent.until(new RegExp(`registered ${name}`));
      return agent;
    };
    const one = await run('one');
    const [, oneTerm] = await one.until(/active in an exclusive service, term (\d+)/);
    const two = await run('two');
    await two.until(/standby in an exclusive service/);
    const three = await run('three');
    await three.until(/standby in an exclusive service/);

    await one.dispose();
    const [, twoTerm] = await two.until(/active in an exclusive service, term (\d+)/);
    expect(Number(twoTerm)).toBeGreaterThan(Number(oneTerm));
    expect(three.said()).not.toContain('active in an exclusive service');

    two.child.kill('SIGSTOP');
    const [, threeTerm] = await three.until(/active in an exclusive service, term (\d+)/);
    two.child.kill('SIGCONT');
    await two.until(new RegExp(`standby in an exclusive service, term ${threeTerm}`));
    expect(await term(portolan.control, 'web')).toMatchObject({ active: 'three' });
    expect((await call(portolan.gateway, 'GET', '/web/')).body).toBe('served');

    // A planned end hands over before it leaves.
    three.child.kill('SIGTERM');
    expect(await three.ended).toBe(0);
    const last = await untilActive(portolan.control, 'web', 'two');
    expect(last.term).toBeGreaterThan(Number(threeTerm));
  });
});

async function freePort(): Promise<number> {
  const holder = await startUpstream('holder');
  await holder.stop('SIGKILL');
  return holder.port;
}
