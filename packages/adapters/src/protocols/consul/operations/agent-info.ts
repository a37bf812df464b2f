import type { HttpRoute } from '@portolan/core';
import { toNodeId } from '../codecs/node-json.ts';
import type { ConsulContext } from '../consul-context.ts';
import { badRequest } from '../consul-error.ts';
import { jsonReply, listReply } from '../json-reply.ts';
import { get } from './consul-route.ts';

/** The Consul whose API this is: clients choose by it what they may ask for. */
export const CONSUL_VERSION = '1.16.4';
const GOSSIP_PORT = 8_301;
const ALIVE = 1;

/** What the one agent that this server is says of itself. */
export function agentInfoRoutes(context: ConsulContext): HttpRoute[] {
  const { datacenter, nodeName, advertise, version, registry, clock } = context;
  const revision = `portolan-${version}`;
  const member = {
    Name: nodeName,
    Addr: advertise,
    Port: GOSSIP_PORT,
    Tags: {
      acls: '0',
      build: `${CONSUL_VERSION}:${revision}`,
      dc: datacenter,
      id: toNodeId(nodeName),
      role: 'consul',
    },
    Status: ALIVE,
    ProtocolMin: 1,
    ProtocolMax: 5,
    ProtocolCur: 2,
    DelegateMin: 2,
    DelegateMax: 5,
    DelegateCur: 4,
  };
  const config = {
    Datacenter: datacenter,
    PrimaryDatacenter: datacenter,
    NodeName: nodeName,
    NodeID: toNodeId(nodeName),
    Revision: revision,
    Server: true,
    Version: CONSUL_VERSION,
    BuildDate: '1970-01-01T00:00:00Z',
  };
  const self = {
    Config: config,
    DebugConfig: {},
    Coord: {
      Segment: '',
      Node: nodeName,
      Coord: { Vec: [0, 0, 0, 0, 0, 0, 0, 0], Error: 1.5, Adjustment: 0, Height: 0.00001 },
    },
    Member: member,
    Stats: { consul: { server: 'true', leader: 'true' } },
    Meta: {},
  };
  return [
    get('/agent/self', ({ query }) => jsonReply(self, query.has('pretty'))),
    get('/agent/members', ({ query }) => listReply(context, [member], query.has('pretty'))),
    get('/agent/version', ({ query }) =>
      jsonReply(
        {
          SHA: revision,
          BuildDate: config.BuildDate,
          HumanVersion: CONSUL_VERSION,
          FIPS: '',
        },
        query.has('pretty'),
      ),
    ),
    get('/agent/metrics', ({ query }) => {
      if (query.get('format') === 'prometheus') {
        throw badRequest('This server gives its metrics for Prometheus at /metrics');
      }
      const services = registry.services();
      const gauges = [
        { Name: 'consul.state.services', Value: services.length },
        {
          Name: 'consul.state.service_instances',
          Value: services.reduce((sum, { instances }) => sum + instances, 0),
        },
      ];
      return jsonReply(
        {
          Timestamp: new Date(clock.wallNow()).toISOString(),
          Gauges: gauges.map((gauge) => ({ ...gauge, Labels: {} })),
          Points: [],
          Counters: [],
          Samples: [],
        },
        query.has('pretty'),
      );
    }),
  ];
}
