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

/** Below the 128 operations that a transaction may have. */
const TRANSACTION = 100;

interface Pair {
  readonly key: string;
  readonly value: string;
}

function pairOf({ index: _, ...instance }: BenchInstance): Pair {
  return {
    key: `/services/${instance.service}/${instance.id}`,
    value: JSON.stringify(instance),
  };
}

export async function findEtcd(instances: number): Promise<RegistryPeer | MissingPeer> {
  const program = await findProgram('PORTOLAN_PEER_ETCD', 'etcd');
  if (program === undefined) {
    return {
      name: 'etcd',
      missing: 'no `etcd` on the PATH, and PORTOLAN_PEER_ETCD does not name one',
    };
  }
  const { stdout } = await promisify(execFile)(program, ['--version']);
  /** Granted beforehand, one an instance; what is put later goes under one that is there. */
  const leaseOf = ({ index }: BenchInstance): number => 1 + (index % instances);
  const putOf = (instance: BenchInstance): object => {
    const { key, value } = pairOf(instance);
    return { key: base64(key), value: base64(value), lease: String(leaseOf(instance)) };
  };
  const json: RegistryApi = {
    register: '`POST /v3/kv/put` under a lease that was there',
    isPart: true,
    registration: (host, instance) => requestBytes('POST', '/v3/kv/put', host, putOf(instance)),
    heartbeat: '`POST /v3/lease/keepalive`',
    beat: (host, instance) =>
      requestBytes('POST', '/v3/lease/keepalive', host, { ID: String(leaseOf(instance)) }),
    beatsFilled: true,
  };
  const grpc: RegistryApi = {
    register: 'gRPC `KV/Put` under a lease that was there',
    isPart: true,
    registration: (_, instance) => {
      const { key, value } = pairOf(instance);
      return Buffer.concat([bytesField(1, key), bytesField(2, value), field(3, leaseOf(instance))]);
    },
    heartbeat: 'gRPC `Lease/LeaseKeepAlive`, a stream a connection',
    beat: (_, instance) => field(1, leaseOf(instance)),
    grpc: {
      register: '/etcdserverpb.KV/Put',
      heartbeat: '/etcdserverpb.Lease/LeaseKeepAlive',
    },
    beatsFilled: true,
  };
  /** As ours does it, and etcd's own naming recipe: an instance has a lease of its own. */
  const whole: RegistryApi = {
    register: 'gRPC `Lease/LeaseGrant` and `KV/Put` under it',
    registration: (_, instance) => {
      const { key, value } = pairOf(instance);
      return Buffer.concat([
        bytesField(1, key),
        bytesField(2, value),
        field(3, ownLease(instance)),
      ]);
    },
    grpc: {
      register: '/etcdserverpb.KV/Put',
      first: {
        path: '/etcdserverpb.Lease/LeaseGrant',
        message: (instance) =>
          Buffer.concat([field(1, LEASE_SECONDS), field(2, ownLease(instance))]),
      },
    },
    beatsFilled: true,
  };
  return {
    name: `etcd ${/etcd Version: (\S+)/.exec(stdout)?.[1] ?? ''}`.trim(),
    durability: 'the Raft log has it, fsync',
    async start(folder) {
      const origin = `http://127.0.0.1:${await freePort()}`;
      const peer = `http://127.0.0.1:${await freePort()}`;
      const server = spawnPinned(
        [
          program,
          '--name=bench',
          `--data-dir=${folder}/data`,
          `--listen-client-urls=${origin}`,
          `--advertise-client-urls=${origin}`,
          `--listen-peer-urls=${peer}`,
          `--initial-advertise-peer-urls=${peer}`,
          `--initial-cluster=bench=${peer}`,
        ],
        { stdio: 'ignore', cwd: folder },
      );
      await untilReady(server, `${origin}/health`, (text) => /true/.test(text));
      return { ...server, origin };
    },
    fill: (filled) => [
      {
        connections: 64,
        next(host, sequence) {
          const instance = filled[sequence];
          if (instance === undefined) return undefined;
          const grant = { TTL: String(LEASE_SECONDS), ID: String(leaseOf(instance)) };
          return requestBytes('POST', '/v3/lease/grant', host, grant);
        },
      },
      {
        connections: 4,
        next: inBatches(filled, TRANSACTION, (host, batch) =>
          requestBytes('POST', '/v3/kv/txn', host, {
            success: batch.map((instance) => ({ requestPut: putOf(instance) })),
          }),
        ),
      },
    ],
    apis: [whole, json, grpc],
  };
}

/** Beyond those that were granted beforehand. */
function ownLease({ index }: BenchInstance): number {
  return 1_000_000_000 + index;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

// The few forms of Protocol Buffers that a put and a keep-alive have: a varint, and bytes with their length.
function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return [...bytes, rest];
}

function field(number: number, value: number): Buffer {
  return Buffer.from([number << 3, ...varint(value)]);
}

function bytesField(number: number, text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...varint(bytes.length)]), bytes]);
}
