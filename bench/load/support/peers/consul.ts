import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { requestBytes } from '../http-load.ts';
import { spawnPinned } from '../pinned-process.ts';
import {
  type BenchInstance,
  findProgram,
  freePort,
  inBatches,
  LEASE_SECONDS,
  type MissingPeer,
  type RegistryApi,
  type RegistryPeer,
  untilReady,
} from './registry-peer.ts';

const NODES = 100;
/** What one transaction may hold in every version. */
const TRANSACTION = 64;

/** What applications call: the agent keeps the service in its data folder, and tells the catalogue a little later. */
export const consulAgentApi: RegistryApi = {
  register: '`PUT /v1/agent/service/register`',
  registration: (host, { id, service, address, port, tags, metadata }) =>
    requestBytes('PUT', '/v1/agent/service/register', host, {
      ID: id,
      Name: service,
      Address: address,
      Port: port,
      Tags: tags,
      Meta: metadata,
      Check: { TTL: `${LEASE_SECONDS}s`, Status: 'passing' },
    }),
  heartbeat: '`PUT /v1/agent/check/update`',
  beat: (host, { id }) =>
    requestBytes('PUT', `/v1/agent/check/update/service:${id}`, host, { Status: 'passing' }),
  beatsFilled: false,
};

/** What the agents' servers are told, and what an external registrator calls: acknowledged when the Raft log has it. */
const catalogApi: RegistryApi = {
  register: '`PUT /v1/catalog/register`',
  registration: (host, instance) =>
    requestBytes('PUT', '/v1/catalog/register', host, {
      ...nodeOf(instance.index % NODES),
      Service: serviceOf(instance),
    }),
  beatsFilled: false,
};

function nodeOf(number: number): { Node: string; Address: string } {
  return { Node: `node-${number}`, Address: `10.200.0.${number}` };
}

function serviceOf({ id, service, address, port, tags, metadata }: BenchInstance): object {
  return { ID: id, Service: service, Address: address, Port: port, Tags: tags, Meta: metadata };
}

export async function findConsul(): Promise<RegistryPeer | MissingPeer> {
  const program = await findProgram('PORTOLAN_PEER_CONSUL', 'consul');
  if (program === undefined) {
    return {
      name: 'Consul',
      missing: 'no `consul` on the PATH, and PORTOLAN_PEER_CONSUL does not name one',
    };
  }
  const { stdout } = await promisify(execFile)(program, ['version']);
  return {
    name: `Consul ${/Consul v?(\S+)/.exec(stdout)?.[1] ?? ''}`.trim(),
    durability:
      'catalogue: the Raft log has it, fsync; agent: a file has it, fsync, and the catalogue follows',
    async start(folder) {
      const [http, rpc, lan, wan] = [
        await freePort(),
        await freePort(),
        await freePort(),
        await freePort(),
      ];
      const ports = { http, server: rpc, serf_lan: lan, serf_wan: wan, dns: -1, grpc_tls: -1 };
      const server = spawnPinned(
        [
          program,
          'agent',
          '-server',
          '-bootstrap-expect=1',
          '-node=bench',
          '-bind=127.0.0.1',
          '-client=127.0.0.1',
          `-data-dir=${folder}`,
          '-log-level=warn',
          '-hcl',
          `disable_update_check = true, ports = ${JSON.stringify(ports).replaceAll(':', '=')}`,
        ],
        { stdio: 'ignore', cwd: folder },
      );
      const origin = `http://127.0.0.1:${http}`;
      await untilReady(server, `${origin}/v1/catalog/node/bench`, (text) => /"bench"/.test(text));
      return { ...server, origin };
    },
    fill: (instances) => [
      {
        connections: 1,
        next: (host, sequence) =>
          sequence < NODES
            ? requestBytes('PUT', '/v1/catalog/register', host, nodeOf(sequence))
            : undefined,
      },
      {
        connections: 4,
        next: inBatches(instances, TRANSACTION, (host, batch) =>
          requestBytes(
            'PUT',
            '/v1/txn',
            host,
            batch.map((instance) => ({
              Service: {
                Verb: 'set',
                Node: nodeOf(instance.index % NODES).Node,
                Service: serviceOf(instance),
              },
            })),
          ),
        ),
      },
    ],
    apis: [catalogApi, consulAgentApi],
  };
}
