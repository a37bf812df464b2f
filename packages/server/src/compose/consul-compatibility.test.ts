import { type ConsulFeature, consulCompatibility } from '@portolan/adapters/consul';
import { expect, it } from 'vitest';
import { type ConsulApi, createConsulApi } from './test-consul/consul-api.ts';
import { wholeBody } from './test-control/control-caller.ts';

const REGISTER = '/v1/agent/service/register';

async function native(api: ConsulApi, method: string, target: string, body?: object) {
  const reply = await api.native.call({
    method,
    target,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return JSON.parse(await wholeBody(reply));
}

/** Registers with Consul's words and gives back what the native API says of it. */
async function registered(api: ConsulApi, more: object = {}) {
  const body = { ID: 'x', Name: 'x', Address: '10.0.0.1', Port: 80, ...more };
  const { status, text } = await api.put(REGISTER, body);
  expect([status, text]).toEqual([200, '']);
  return native(api, 'GET', '/api/v1/instances/x');
}

async function health(api: ConsulApi, name = 'x', query = '') {
  return (await api.get(`/v1/health/service/${name}${query}`)).json;
}

async function refusal(api: ConsulApi, more: object) {
  const body = { Name: 'x', Address: '10.0.0.1', Port: 80, ...more };
  const { status, text } = await api.put(REGISTER, body);
  expect(status).toBe(400);
  expect((await api.get('/v1/catalog/services')).json).toEqual({});
  return text;
}

/** What the table of differences claims, tried. A new entry does not compile until it is tried here. */
const CLAIMS: Readonly<Record<ConsulFeature, (api: ConsulApi) => Promise<void>>> = {
  async 'service-id'(api) {
    for (const from of ['10.0.0.1', '10.0.0.2']) {
      await api.put(REGISTER, { ID: 'x', Name: 'x', Port: 80 }, from);
    }
    const ids = (await health(api)).map((entry: { Service: { ID: string } }) => entry.Service.ID);
    expect(ids).toEqual(['x', 'x']);
    expect((await native(api, 'GET', '/api/v1/instances/x@10.0.0.2')).address).toBe('10.0.0.2');
  },
  async address(api) {
    await api.put(REGISTER, { ID: 'x', Name: 'x', Port: 80 }, '10.0.0.9');
    await api.put(REGISTER, { ID: 'y', Name: 'x', Address: '10.0.0.9', Port: 80 });
    expect(await health(api)).toMatchObject([{ Service: { ID: 'y', Address: '10.0.0.9' } }]);
  },
  async 'no-port'(api) {
    const instance = await registered(api, { Port: 0 });
    expect(instance.weight).toBe(0);
    expect(instance.port).toBeGreaterThanOrEqual(49_152);
    expect(await health(api)).toMatchObject([{ Service: { Port: 0 } }]);
  },
  async tags(api) {
    expect(await registered(api, { Tags: ['a', 'version:v1'] })).toMatchObject({
      tags: ['a', 'version:v1'],
      labels: { version: 'v1' },
    });
    expect((await api.put(REGISTER, { Name: 'y', Port: 1, Tags: [''] })).status).toBe(400);
  },
  async meta(api) {
    const metadata = { 'a.b': 'c', 'consul.x': 'y' };
    await native(api, 'POST', '/register', {
      service: 'x',
      address: '10.0.0.1',
      port: 1,
      metadata,
    });
    expect((await health(api))[0].Service.Meta).toEqual({ 'a.b': 'c' });
  },
  async 'weight-passing'(api) {
    expect((await registered(api)).weight).toBe(100);
    expect((await registered(api, { Weights: { Passing: 3 } })).weight).toBe(300);
    expect((await registered(api, { Weights: { Passing: 1_000 } })).weight).toBe(65_535);
    await native(api, 'PUT', '/api/v1/instances/x/intent', { weight: 7 });
    expect((await health(api))[0].Service.Weights.Passing).toBe(7);
  },
  async 'weight-warning'(api) {
    await registered(api, { Weights: { Passing: 2, Warning: 2 } });
    expect((await health(api))[0].Service.Weights).toEqual({ Passing: 2, Warning: 1 });
  },
  async 'tag-override'(api) {
    await registered(api, { EnableTagOverride: true });
    expect((await health(api))[0].Service.EnableTagOverride).toBe(false);
  },
  async 'tagged-addresses'(api) {
    const wan = { Address: '198.18.0.1', Port: 8080 };
    const instance = await registered(api, { TaggedAddresses: { wan } });
    expect(instance.metadata).toEqual({ 'consul.address.wan': '198.18.0.1 8080' });
    expect((await health(api))[0].Service.TaggedAddresses).toMatchObject({
      wan,
      lan_ipv4: { Address: '10.0.0.1', Port: 80 },
    });
  },
  async locality(api) {
    const instance = await registered(api, { Locality: { Region: 'eu', Zone: 'b' } });
    expect(instance.labels).toEqual({ region: 'eu', zone: 'b' });
    expect((await health(api))[0].Node.Meta).toEqual({ region: 'eu', zone: 'b' });
  },
  async mesh(api) {
    for (const more of [
      { Kind: 'connect-proxy' },
      { Proxy: { DestinationServiceName: 'y' } },
      { Connect: { SidecarService: {} } },
      { SocketPath: '/run/x' },
    ]) {
      expect(await refusal(api, more)).toMatch(/^Invalid service: /);
    }
    expect((await api.get('/v1/health/connect/x')).json).toEqual([]);
    expect((await api.get('/v1/catalog/connect/x')).json).toEqual([]);
  },
  async 'node-name'(api) {
    await registered(api);
    const Service = { ID: 'y', Service: 'x', Port: 81 };
    await api.put('/v1/catalog/register', { Node: 'n1', Address: '10.0.0.2', Service });
    expect(await health(api)).toMatchObject([
      { Node: { Node: '10.0.0.1' }, Checks: [{ CheckID: 'serfHealth', Status: 'passing' }] },
      { Node: { Node: 'n1', Address: '10.0.0.2' } },
    ]);
    const { metadata } = await native(api, 'GET', '/api/v1/instances/y');
    expect(metadata).toEqual({ 'consul.node': 'n1' });
  },
  async 'node-meta'(api) {
    const NodeMeta = { zone: 'b', rack: 'r7' };
    const Service = { ID: 'x', Service: 'x', Port: 80 };
    await api.put('/v1/catalog/register', { Node: 'n1', Address: '10.0.0.2', NodeMeta, Service });
    const { metadata } = await native(api, 'GET', '/api/v1/instances/x');
    expect(metadata).toMatchObject({ zone: 'b', 'consul.node-meta.rack': 'r7' });
    const [entry] = await health(api);
    expect([entry.Node.Meta, entry.Service.Meta]).toEqual([NodeMeta, { zone: 'b' }]);
  },
  async 'node-alone'(api) {
    const { status, text } = await api.put('/v1/catalog/register', {
      Node: 'n',
      Address: '10.0.0.1',
    });
    expect([status, text]).toEqual([
      400,
      'Must provide a service: a node without a service cannot be kept here',
    ]);
  },
  async lifetime(api) {
    const instance = await registered(api, {
      Check: { TTL: '5s', DeregisterCriticalServiceAfter: '10s' },
    });
    expect(instance.lease).toBeNull();
    await api.put(REGISTER, { ID: 'y', Name: 'y', Port: 1 });
    await api.native.clock.advance(20_000);
    expect((await api.get('/v1/catalog/services')).json).toEqual({ y: [] });
    await api.native.clock.advance(86_400_000);
    expect((await api.get('/v1/catalog/services')).json).toEqual({ y: [] });
  },
  async leases(api) {
    await native(api, 'POST', '/register', {
      service: 'x',
      id: 'x',
      address: '10.0.0.1',
      port: 1,
      ttl: 30,
    });
    expect((await health(api))[0].Checks[0]).toMatchObject({ CheckID: 'service:x', Type: 'ttl' });
    for (let at = 0; at < 4; at++) {
      await api.native.clock.advance(20_000);
      await api.put('/v1/agent/check/pass/service:x');
    }
    expect(await health(api)).toHaveLength(1);
    await api.native.clock.advance(40_000);
    expect(await health(api)).toEqual([]);
  },
  async 'status-unknown'(api) {
    const Check = { HTTP: 'http://10.0.0.1/', Interval: '10s', Status: 'passing' };
    expect((await registered(api, { Check })).status).toBe('unknown');
    expect((await health(api))[0].Checks[0].Status).toBe('critical');
  },
  async 'check-ttl'(api) {
    expect((await registered(api, { Check: { TTL: '10s' } })).status).toBe('critical');
    expect((await api.put(REGISTER, { Name: 'y', Port: 1, Check: { TTL: '25h' } })).status).toBe(
      400,
    );
    const Check = { TTL: '10s', Status: 'warning' };
    await api.put(REGISTER, { Name: 'z', Port: 1, Check });
    expect((await health(api, 'z'))[0].Checks[0].Status).toBe('warning');
  },
  async 'check-http'(api) {
    const HTTP = 'http://10.0.0.1/';
    const Check = { HTTP, Interval: '10s', Method: 'head', Header: { 'X-A': ['1', '2'] } };
    await registered(api, { Check });
    const view = api.native.registry.instance({ namespace: 'default', id: 'x' });
    expect(view?.checks[0]?.probe).toMatchObject({ method: 'HEAD', headers: { 'x-a': '1, 2' } });
    for (const more of [{ Body: 'x' }, { TLSServerName: 'x' }, { Method: 'PUT' }]) {
      const refused = { Name: 'y', Port: 1, Check: { HTTP, Interval: '10s', ...more } };
      expect((await api.put(REGISTER, refused)).text).toMatch(/^Invalid check: /);
    }
  },
  async 'check-tcp'(api) {
    const Checks = [
      { TCP: '10.0.0.1:80', Interval: '10s' },
      { GRPC: '10.0.0.1:80/my.Service', GRPCUseTLS: true, Interval: '10s' },
    ];
    const { checks } = await registered(api, { Checks });
    expect(checks).toMatchObject([{ target: '10.0.0.1:80' }, { target: '10.0.0.1:80/my.Service' }]);
    const refused = { Name: 'y', Port: 1, Check: { TCP: 'a:1', TCPUseTLS: true, Interval: '1s' } };
    expect((await api.put(REGISTER, refused)).text).toBe(
      'Invalid check: TCPUseTLS is not supported',
    );
  },
  async 'check-script'(api) {
    for (const more of [
      { Args: ['/bin/true'] },
      { ScriptArgs: ['x'] },
      { DockerContainerID: 'c' },
    ]) {
      const text = await refusal(api, { Check: { Interval: '10s', ...more } });
      expect(text).toMatch(/^Scripts are disabled on this agent/);
    }
  },
  async 'check-others'(api) {
    for (const kind of ['UDP', 'H2PING', 'OSService', 'AliasNode', 'AliasService']) {
      const text = await refusal(api, { Check: { [kind]: 'x:1', Interval: '10s' } });
      expect(text).toBe(`Invalid check: ${kind} checks are not supported`);
    }
  },
  async 'check-thresholds'(api) {
    const tcp = { TCP: '10.0.0.1:80', Interval: '10s' };
    expect((await registered(api, { Check: tcp })).checks[0]).toMatchObject({ rise: 1, fall: 1 });
    const Check = {
      ...tcp,
      SuccessBeforePassing: 2,
      FailuresBeforeCritical: 4,
      FailuresBeforeWarning: 1,
    };
    expect((await registered(api, { Check })).checks[0]).toMatchObject({ rise: 2, fall: 4 });
  },
  async 'check-texts'(api) {
    await registered(api, { Check: { Name: 'mine', Notes: 'why', TTL: '1m', Status: 'passing' } });
    const before = await api.get('/v1/health/service/x');
    await api.put('/v1/agent/check/update/service:x', {
      Status: 'passing',
      Output: 'o'.repeat(300),
    });
    const after = await api.get('/v1/health/service/x');
    expect(after.headers['x-consul-index']).toBe(before.headers['x-consul-index']);
    expect((await api.get('/v1/agent/checks')).json['service:x']).toMatchObject({
      Name: "Service 'x' check",
      Notes: '',
      Output: 'o'.repeat(256),
    });
  },
  async 'check-node'(api) {
    const { status, text } = await api.put('/v1/agent/check/register', {
      Name: 'disk',
      TTL: '10s',
    });
    expect([status, text]).toEqual([
      400,
      'Invalid check: ServiceID is required, checks of a node are not kept here',
    ]);
  },
  async 'check-catalog'(api) {
    const Service = { ID: 'x', Service: 'x', Port: 80 };
    const Checks = ['passing', 'warning'].map((Status) => ({
      CheckID: Status,
      ServiceID: 'x',
      Status,
    }));
    await api.put('/v1/catalog/register', { Node: 'n', Address: '10.0.0.1', Service, Checks });
    expect((await health(api))[0].Checks).toMatchObject([
      { CheckID: 'service:x', Status: 'warning' },
      { CheckID: 'serfHealth' },
    ]);
  },
  async maintenance(api) {
    await registered(api);
    await api.put('/v1/agent/service/maintenance/x?enable=true&reason=disk');
    expect(await native(api, 'GET', '/api/v1/instances/x')).toMatchObject({
      routable: false,
      intent: { maintenance: { reason: 'disk' } },
    });
    await api.put('/v1/agent/service/maintenance/x?enable=false');
    await native(api, 'POST', '/api/v1/instances/x/disable');
    expect((await health(api))[0].Checks[0].CheckID).toBe('_service_maintenance:x');
    await api.put('/v1/agent/service/maintenance/x?enable=false');
    expect((await native(api, 'GET', '/api/v1/instances/x')).routable).toBe(true);
  },
  async 'maintenance-node'(api) {
    await registered(api);
    await api.put(REGISTER, { ID: 'y', Name: 'y', Address: '10.0.0.2', Port: 1 });
    const { status } = await api.put('/v1/agent/maintenance?enable=true', undefined, '10.0.0.1');
    expect(status).toBe(200);
    expect(await health(api, 'x', '?passing')).toEqual([]);
    expect(await health(api, 'y', '?passing')).toHaveLength(1);
    const lost = await api.put('/v1/agent/maintenance?enable=true', undefined, '10.0.0.3');
    expect(lost.status).toBe(404);
  },
  async protection(api) {
    for (let Port = 1; Port <= 4; Port++) {
      const Check = { TTL: '5s', Status: 'passing' };
      await api.put(REGISTER, { ID: `x${Port}`, Name: 'x', Address: '10.0.0.1', Port, Check });
    }
    await api.native.clock.advance(6_000);
    const kept = await health(api, 'x', '?passing');
    expect(kept).toHaveLength(4);
    expect(kept[0].Checks[0].Output).toMatch(/^critical, but kept in rotation/);
  },
  async exclusive(api) {
    for (const port of [1, 2]) {
      await native(api, 'POST', '/register', {
        service: 'x',
        id: `x-${port}`,
        address: '10.0.0.1',
        port,
        lease: 'none',
        exclusive: true,
      });
    }
    await api.native.clock.advance(100);
    const passing = await health(api, 'x', '?passing');
    expect(passing).toHaveLength(1);
    const active = passing[0].Service.ID;
    const standby = active === 'x-1' ? 'x-2' : 'x-1';
    expect((await api.get('/v1/agent/checks')).json).toMatchObject({
      [`_service_standby:${standby}`]: {
        Status: 'critical',
        Notes: `Standby of an exclusive service: ${active} is active.`,
      },
    });
  },
  async 'index-service'(api) {
    const { modifyRevision } = await registered(api);
    await api.put(REGISTER, { Name: 'y', Port: 1 });
    const { headers } = await api.get('/v1/health/service/x');
    expect(headers['x-consul-index']).toBe(String(modifyRevision + 1));
  },
  async filter(api) {
    await registered(api);
    const asked = (filter: string) =>
      api.get(`/v1/health/service/x?filter=${encodeURIComponent(filter)}`);
    expect((await asked('Service.Port == 80 and not Service.ID == y')).json).toHaveLength(1);
    expect((await asked(`Service.ID matches "${'x'.repeat(257)}"`)).status).toBe(400);
  },
  async near(api) {
    for (const [ID, zone] of [
      ['a', 'a'],
      ['b', 'b'],
      ['c', 'b'],
    ] as const) {
      const Address = `10.0.0.${ID.charCodeAt(0)}`;
      await api.put(REGISTER, { ID, Name: 'x', Address, Port: 1, Meta: { zone } });
    }
    const { json } = await api.get('/v1/health/service/x?near=_agent', '10.0.0.99');
    expect(json.map((entry: { Service: { ID: string } }) => entry.Service.ID)).toEqual([
      'c',
      'b',
      'a',
    ]);
  },
  async consistency(api) {
    for (const mode of ['stale', 'consistent']) {
      const { headers } = await api.get(`/v1/health/service/x?cached&max_stale=10s&${mode}`);
      expect(headers).toMatchObject({ 'x-consul-effective-consistency': mode, 'x-cache': 'MISS' });
    }
  },
  async tokens(api) {
    expect((await api.get('/v1/catalog/services?token=anything')).status).toBe(200);
  },
  async namespaces(api) {
    await api.put(`${REGISTER}?ns=a`, { Name: 'x', Port: 1 });
    expect(api.native.registry.namespaces().map(({ name }) => name)).toContain('a');
    const texts = ['partition=p', 'peer=p', 'dc=d'].map(
      async (query) => (await api.get(`/v1/catalog/services?${query}`)).text,
    );
    expect(await Promise.all(texts)).toEqual([
      'Invalid query parameter: "partition" - Partitions are a Consul Enterprise feature',
      'Invalid query parameter: "peer" - there are no peers',
      'No path to datacenter',
    ]);
  },
  async groups(api) {
    await api.put(REGISTER, { Name: 'g@@x', Port: 1 });
    const view = await native(api, 'GET', '/api/v1/services/x/instances?group=g');
    expect(view.instances).toHaveLength(1);
    expect(await health(api, 'g@@x')).toHaveLength(1);
  },
  async kv(api) {
    expect((await api.get('/v1/kv/a')).status).toBe(404);
    expect((await api.put('/v1/kv/a', 'b')).status).toBe(403);
  },
  async sessions(api) {
    const paths = [
      'session/create',
      'acl/token',
      'event/fire/x',
      'query',
      'txn',
      'peering/token',
      'operator/raft',
    ];
    for (const path of paths) {
      const { status, text } = await api.put(`/v1/${path}`);
      expect([path, status, text]).toEqual([
        path,
        403,
        'Endpoint is blocked by agent configuration',
      ]);
    }
  },
  async 'consul-service'(api) {
    expect((await api.get('/v1/catalog/services')).json).toEqual({});
  },
};

it.each(Object.keys(consulCompatibility))('%s is as the table of losses says', async (name) => {
  const api = await createConsulApi();
  await CLAIMS[name as ConsulFeature](api);
  expect(api.faults).toEqual([]);
  await api.close();
});
