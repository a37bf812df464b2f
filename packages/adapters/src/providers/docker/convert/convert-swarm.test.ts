import { describe, expect, it } from 'vitest';
import { recordedContext, recordedSwarm } from '../test-engine/recorded-engine.ts';
import { assemble } from './assemble.ts';

/** `service → address:port by rule` of what is registered. */
function registered({ reports }: ReturnType<typeof assemble>): string[] {
  return reports
    .filter(({ kind }) => kind !== 'container')
    .flatMap(({ services }) =>
      services.flatMap(({ service, choice: { chosen } }) =>
        chosen ? [`${service} → ${chosen.address}:${chosen.port} by ${chosen.rule}`] : [],
      ),
    )
    .sort();
}

describe('the services of a recorded swarm', () => {
  it('are reached at the addresses of their tasks from a container in their network', () => {
    const assembly = assemble(recordedContext({ inside: 'on-mesh' }), recordedSwarm());
    expect(registered(assembly)).toEqual([
      'api → 10.0.1.3:80 by address of the task in network mesh',
      'api → 10.0.1.4:80 by address of the task in network mesh',
      expect.stringMatching(
        /^hostpub → .*:18091 by port published by the task on node .* \(mode host\)$/,
      ),
      expect.stringMatching(/^pub → .*:18090 by port 18090 of the routing mesh$/),
      'rr → 10.0.1.5:80 by address of the task in network mesh',
      'rr → 10.0.1.6:80 by address of the task in network mesh',
    ]);
    expect(assembly.snapshot.routes.map(({ hosts }) => hosts)).toEqual([['api.example']]);
  });

  it('are looked at once, not a second time as containers', () => {
    const { reports } = assemble(recordedContext({ inside: 'on-mesh' }), recordedSwarm());
    const own = reports.filter(({ kind, name }) => kind === 'container' && name.startsWith('api.'));
    expect(own.map(({ standing, reason }) => [standing, reason])).toEqual([
      ['ignored', 'it is a task of Swarm service api'],
      ['ignored', 'it is a task of Swarm service api'],
    ]);
  });

  it('fall back to tasks where a virtual address is wanted of endpoint_mode dnsrr, and say so', () => {
    const { reports } = assemble(recordedContext({ inside: 'on-mesh' }), recordedSwarm());
    const task = reports.find(({ kind, name }) => kind === 'task' && name.startsWith('rr.'));
    expect(task?.notes).toContain(
      'a virtual address was asked for, and endpoint_mode is dnsrr: tasks are used',
    );
  });

  it('have their virtual address where a label wants it', () => {
    const swarm = recordedSwarm();
    const services = swarm.services.map((service) =>
      service.name === 'api'
        ? { ...service, labels: { ...service.labels, 'portolan.swarm.vip': 'true' } }
        : service,
    );
    const assembly = assemble(recordedContext({ inside: 'on-mesh' }), { ...swarm, services });
    expect(registered(assembly).filter((line) => line.startsWith('api'))).toEqual([
      'api → 10.0.1.2:80 by virtual address of the service',
    ]);
  });

  it('are reached one by one in the bridges of the machine by a gateway on it', () => {
    const assembly = assemble(recordedContext(), recordedSwarm());
    expect(registered(assembly).map((line) => line.replace(/172\.[\d.]+/, 'IP'))).toEqual([
      'api → IP:80 by network docker_gwbridge (bridge), reached from the machine',
      'api → IP:80 by network docker_gwbridge (bridge), reached from the machine',
      'hostpub → IP:80 by network bridge (bridge), reached from the machine',
      'pub → IP:80 by network docker_gwbridge (bridge), reached from the machine',
      'rr → IP:80 by network docker_gwbridge (bridge), reached from the machine',
      'rr → IP:80 by network docker_gwbridge (bridge), reached from the machine',
    ]);
  });

  it('say why they cannot be routed to from elsewhere, or are reached by the routing mesh', () => {
    const context = recordedContext({ gatewayOn: 'elsewhere' });
    const place = { ...context.place, hostAddresses: ['10.9.8.7'] };
    const assembly = assemble({ ...context, place }, recordedSwarm());
    expect(registered(assembly)).toEqual([
      'hostpub → 10.9.8.7:18091 by port published by the task on node vm (mode host)',
      'pub → 10.9.8.7:18090 by port 18090 of the routing mesh',
    ]);
    const task = assembly.reports.find(
      ({ kind, name }) => kind === 'task' && name.startsWith('api.1.'),
    );
    expect(task).toMatchObject({
      standing: 'unroutable',
      reason:
        'port 80: the gateway is in none of the task’s networks, and the task publishes no port of its own',
    });
    expect(task?.services[0]?.choice.passedOver).toEqual([
      {
        candidate: '10.0.1.3:80 (network mesh)',
        reason: 'an overlay network is reached from containers only',
      },
    ]);
  });

  it('drain the tasks of a node that is drained, and of a container that was told to stop', () => {
    const swarm = recordedSwarm();
    const context = recordedContext({ inside: 'on-mesh' });
    const nodes = swarm.nodes.map((node) => ({ ...node, availability: 'drain' }));
    const drained = assemble(context, { ...swarm, nodes }).snapshot.instances;
    expect(
      drained
        .filter(({ service }) => service.name === 'api')
        .map(({ condition }) => condition?.state),
    ).toEqual(['draining', 'draining']);
    const task = swarm.tasks.find(({ addresses }) => addresses[0]?.address === '10.0.1.3');
    const draining = new Map([
      [task?.containerId ?? '', 'the container was told to stop (SIGTERM)'],
    ]);
    const one = assemble({ ...context, draining }, swarm).snapshot.instances;
    expect(
      one.filter(({ condition }) => condition?.state === 'draining').map(({ address }) => address),
    ).toEqual(['10.0.1.3']);
  });
});
