import { describe, expect, it } from 'vitest';
import { recordedContext } from '../test-engine/recorded-engine.ts';
import { assemble } from './assemble.ts';
import { type ConvertContext, convertContainer } from './convert-container.ts';

function convert(name: string, context: ConvertContext) {
  const container = [...context.containers.values()].find((one) => one.name === name);
  if (!container) throw new Error(`no container ${name} was recorded`);
  return convertContainer(container, context);
}

/** `address:port by rule`, or why not. */
function chosen(name: string, context: ConvertContext): string {
  const { report } = convert(name, context);
  const choice = report.services[0]?.choice.chosen;
  return choice ? `${choice.address}:${choice.port} by ${choice.rule}` : report.reason;
}

describe('the address of a recorded container', () => {
  it.each([
    ['bridge-published', '172.17.0.2:80 by network bridge (bridge), reached from the machine'],
    ['bridge-plain', '172.17.0.3:80 by network bridge (bridge), reached from the machine'],
    ['loopback-published', '172.17.0.4:80 by network bridge (bridge), reached from the machine'],
    ['shop-web-1', '172.19.0.2:80 by network shop_back (bridge), reached from the machine'],
    ['shop-db-1', '172.19.0.3:80 by network shop_back (bridge), named by a label'],
    ['on-host', '127.0.0.1:18082 by the engine’s machine (network_mode: host)'],
    ['no-network', 'port 80: the container has no network (network_mode: none)'],
    ['sidecar', '172.19.0.2:81 by network shop_back (bridge), reached from the machine'],
    ['on-mesh', '172.21.0.4:80 by network docker_gwbridge (bridge), reached from the machine'],
  ])('for a gateway on the host: %s', (name, expected) => {
    expect(chosen(name, recordedContext())).toBe(expected);
  });

  it.each([
    ['shop-db-1', '172.20.0.3:80 by network shop_front (bridge), shared with the gateway', 'front'],
    ['shop-db-1', '172.19.0.3:80 by network shop_back (bridge), named by a label', 'both'],
    ['bridge-published', '172.20.0.1:18080 by port 18080 published by the machine', 'front'],
    [
      'bridge-plain',
      'port 80: it shares no network with the gateway’s container and publishes the port nowhere the gateway reaches',
      'front',
    ],
    [
      'loopback-published',
      'port 80: it shares no network with the gateway’s container and publishes the port nowhere the gateway reaches',
      'front',
    ],
    ['on-host', '172.20.0.1:18082 by the engine’s machine (network_mode: host)', 'front'],
  ])('for a gateway in a container: %s at %s', (name, expected, where) => {
    const context = recordedContext({ inside: 'shop-web-1' });
    const front = [...context.networks.values()].find((one) => one.name === 'shop_front');
    const own = [...context.containers.values()].find((one) => one.name === 'shop-web-1');
    const attachment = own?.attachments.find(({ name: network }) => network === 'shop_front');
    const place =
      where === 'both'
        ? context.place
        : {
            ...context.place,
            networkIds: new Set([front?.id ?? '']),
            hostAddresses: [attachment?.gateway ?? ''],
          };
    expect(chosen(name, { ...context, place })).toBe(expected);
  });

  it('is one of a network that is shared with the gateway, overlay included', () => {
    const context = recordedContext({ inside: 'on-mesh' });
    const mesh = [...context.networks.values()].find(({ name }) => name === 'mesh');
    expect(context.place.networkIds).toEqual(new Set([mesh?.id]));
    const api = [...context.containers.values()].find(({ name }) => name.startsWith('api.1.'));
    const labels = { 'portolan.port': '80' };
    const converted = convertContainer({ ...api, labels } as never, context);
    expect(converted.report.services[0]?.choice.chosen).toEqual({
      address: '10.0.1.3',
      port: 80,
      rule: 'network mesh (overlay), shared with the gateway',
    });
  });

  it.each(['macvlan', 'ipvlan'])(
    'is not taken of a %s network by a gateway on its host',
    (driver) => {
      const context = recordedContext({ drivers: { bridge: driver } });
      expect(convert('bridge-published', context).report.services[0]?.choice).toEqual({
        chosen: {
          address: '127.0.0.1',
          port: 18080,
          rule: 'port 18080 published by the machine',
        },
        passedOver: [
          {
            candidate: '172.17.0.2:80 (network bridge)',
            reason: `a machine does not reach its own ${driver} containers`,
          },
        ],
      });
    },
  );

  it('is a published one where the engine is elsewhere', () => {
    const context = recordedContext({ gatewayOn: 'elsewhere' });
    const place = { ...context.place, hostAddresses: ['10.9.8.7'] };
    expect(chosen('bridge-published', { ...context, place })).toBe(
      '10.9.8.7:18080 by port 18080 published by the machine',
    );
    expect(chosen('bridge-plain', { ...context, place })).toMatch(/not published$/);
  });

  it('is not loopback where that may not be dialled, but the machine’s address in its bridge', () => {
    const context = recordedContext({ allowLoopback: false });
    expect(chosen('on-host', context)).toBe(
      '172.17.0.1:18082 by the engine’s machine (network_mode: host)',
    );
    expect(convert('on-host', context).report.services[0]?.choice.passedOver).toEqual([
      {
        candidate: '127.0.0.1:18082 (the engine’s machine (network_mode: host))',
        reason: '127.0.0.1 is a loopback address, which is not allowed here',
      },
    ]);
  });

  it('does not depend on the order in which an engine lists its networks', () => {
    const context = recordedContext();
    const web = [...context.containers.values()].find(({ name }) => name === 'shop-web-1');
    if (!web) throw new Error('not recorded');
    const turned = { ...web, attachments: [...web.attachments].reverse() };
    expect(convertContainer(turned, context).instances).toEqual(
      convertContainer(web, context).instances,
    );
  });
});

describe('a recorded container', () => {
  it('is registered under an id of its own, with a check, and says what it is', () => {
    expect(convert('bridge-plain', recordedContext()).instances).toEqual([
      {
        service: { namespace: 'default', group: 'default', name: 'bridge-plain' },
        id: expect.stringMatching(/^bridge-plain-[0-9a-f]{12}-80$/),
        address: '172.17.0.3',
        port: 80,
        tags: [],
        metadata: { container: 'bridge-plain', image: 'portolan-test/busybox:1', canary: 'false' },
        lease: 'none',
        checks: [{ id: 'docker-tcp', probe: { kind: 'tcp', host: '172.17.0.3', port: 80 } }],
      },
    ]);
  });

  it('has the name of its compose service and project', () => {
    const { instances } = convert('shop-web-1', recordedContext());
    expect(instances[0]?.service.name).toBe('web-shop');
  });

  it('waits for its HEALTHCHECK', () => {
    const { instances } = convert('with-health', recordedContext());
    expect(instances[0]?.condition).toEqual({
      state: 'unhealthy',
      reason: 'its HEALTHCHECK fails',
    });
  });

  it('is left alone without a label, unless all are exposed', () => {
    const { report, instances } = convert('plain', recordedContext());
    expect(report).toMatchObject({ standing: 'ignored', exposedBy: 'no label' });
    expect(instances).toEqual([]);
    const all = recordedContext({ more: { exposeByDefault: true } });
    expect(convert('plain', all).report).toMatchObject({
      standing: 'unroutable',
      reason: 'no port is exposed: say which one by the label portolan.port',
    });
  });

  it('that never ran is known and not registered', () => {
    expect(convert('created', recordedContext()).report).toMatchObject({
      standing: 'stopped',
      reason: 'the container is created',
    });
  });

  it('gives each port of Registrator’s variables a service', () => {
    const { instances } = convert('registrator', recordedContext());
    expect(
      instances.map(({ service, port, tags, metadata, checks }) => ({
        name: service.name,
        port,
        tags,
        region: metadata?.region,
        check: checks?.[0]?.probe.kind,
      })),
    ).toEqual([
      { name: 'front', port: 80, tags: ['a,b', 'c'], region: 'eu', check: 'tcp' },
      { name: 'busybox-81', port: 81, tags: ['a,b', 'c'], region: 'eu', check: 'http' },
    ]);
  });

  it('has the routes and the check of its Traefik labels', () => {
    const { instances, routes } = convert('traefik', recordedContext());
    expect(instances[0]).toMatchObject({
      service: { name: 'w' },
      checks: [{ id: 'docker-http', probe: { kind: 'http', url: 'http://172.17.0.7:80/health' } }],
    });
    expect(routes.map(({ route }) => route)).toEqual([
      {
        name: expect.stringMatching(/^docker-w-[0-9a-f]{8}$/),
        namespace: 'default',
        hosts: ['w.example'],
        matches: [{ path: { startsWith: '/a' } }, { path: { exact: '/b' } }],
      },
    ]);
  });

  it('follows the life of the container whose network it uses', () => {
    const context = recordedContext();
    const web = [...context.containers.values()].find(({ name }) => name === 'shop-web-1');
    if (!web) throw new Error('not recorded');
    const draining = new Map([[web.id, 'the container was told to stop (SIGTERM)']]);
    expect(convert('sidecar', { ...context, draining }).instances[0]?.condition?.state).toBe(
      'draining',
    );
    const stopped = new Map(context.containers).set(web.id, { ...web, state: 'exited' });
    expect(convert('sidecar', { ...context, containers: stopped }).report).toMatchObject({
      standing: 'unroutable',
      reason: 'it uses the network of container shop-web-1, which is exited',
    });
  });
});

describe('the snapshot of an engine', () => {
  it('has a route once, whichever of its containers asks for it, and a share for the canary', () => {
    const context = recordedContext();
    const plain = [...context.containers.values()].find(({ name }) => name === 'bridge-plain');
    if (!plain) throw new Error('not recorded');
    const labels = { 'portolan.service': 'web', 'portolan.port': '80' };
    const stable = { ...labels, 'portolan.route.host': 'web.example' };
    const containers = new Map(
      [
        { ...plain, id: 'a'.repeat(64), name: 'a', labels: stable },
        { ...plain, id: 'b'.repeat(64), name: 'b', labels: stable },
        {
          ...plain,
          id: 'c'.repeat(64),
          name: 'c',
          labels: { ...labels, 'portolan.canary': '20%' },
        },
      ].map((container) => [container.id, container]),
    );
    const { snapshot } = assemble({ ...context, containers }, undefined);
    expect(snapshot.instances.map(({ metadata }) => metadata?.canary)).toEqual([
      'false',
      'false',
      'true',
    ]);
    expect(snapshot.routes).toHaveLength(1);
    const to = { service: 'web', namespace: 'default', group: 'default' };
    expect(snapshot.routes[0]).toMatchObject({
      hosts: ['web.example'],
      destinations: [
        { ...to, subset: { canary: 'false' }, weight: 80 },
        { ...to, subset: { canary: 'true' }, weight: 20 },
      ],
    });
    containers.delete('c'.repeat(64));
    expect(
      assemble({ ...context, containers }, undefined).snapshot.routes[0]?.destinations,
    ).toEqual([{ ...to, subset: {}, weight: 1 }]);
  });

  it('does not let two containers have one id', () => {
    const context = recordedContext();
    const plain = [...context.containers.values()].find(({ name }) => name === 'bridge-plain');
    if (!plain) throw new Error('not recorded');
    const labels = { 'portolan.port': '80', 'portolan.id': 'same' };
    const containers = new Map([
      ['a', { ...plain, id: 'a', name: 'a', labels }],
      ['b', { ...plain, id: 'b', name: 'b', labels }],
    ]);
    const { snapshot, reports } = assemble({ ...context, containers }, undefined);
    expect(snapshot.instances).toHaveLength(1);
    expect(reports[1]).toMatchObject({
      standing: 'unroutable',
      reason: 'a has the instance id same already',
    });
  });
});
