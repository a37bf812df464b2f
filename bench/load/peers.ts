/**
 * Registration with Consul, Eureka, Nacos and etcd beside Portolan, in one run: each alone on CPU 0 with a fresh data folder and in
 * the mode that a single server of it has by default, the load on the other CPU. A registry that is not on this machine is said to be
 * missing; docs/operations/load-testing.md tells how to get each.
 *
 *   node bench/load/peers.ts [--instances 100000] [--seconds 10] [--warm-up 2] [--connections 64] [--only consul,etcd]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runGrpcLoad } from './support/grpc-load.ts';
import { type LoadResult, runLoad } from './support/http-load.ts';
import { findConsul } from './support/peers/consul.ts';
import { findEtcd } from './support/peers/etcd.ts';
import { findEureka } from './support/peers/eureka.ts';
import { findNacos } from './support/peers/nacos.ts';
import { portolan } from './support/peers/portolan.ts';
import {
  type BenchInstance,
  instanceAt,
  type MissingPeer,
  type RegistryApi,
  type RegistryPeer,
  type RunningPeer,
} from './support/peers/registry-peer.ts';
import { figures, option, progress, type Row, report, textOption } from './support/report.ts';

const instances = option('instances', 100_000);
const seconds = option('seconds', 10);
const warmUpSeconds = option('warm-up', 2);
const connections = option('connections', 64);
const only = textOption('only')?.split(',');
const services = Math.max(1, Math.floor(instances / 100));
/** What one API registers in a run; the next one starts behind it, so that none meets another's instances. */
const PER_API = 2_000_000;
const TARGET = 3;

interface Measured extends LoadResult {
  /** What the server used of its CPU for each. */
  readonly cpuMicroseconds: number;
}

interface ApiFigures {
  readonly api: RegistryApi;
  readonly register: Measured;
  readonly heartbeat?: Measured;
}

interface PeerFigures {
  readonly peer: RegistryPeer;
  readonly fillSeconds: number;
  readonly filledBytes: number;
  readonly apis: readonly ApiFigures[];
}

const found: (RegistryPeer | MissingPeer)[] = [
  portolan,
  await findConsul(),
  await findEtcd(instances),
  await findEureka(),
  await findNacos(),
].filter(({ name }) => isWanted(name));

const measured: PeerFigures[] = [];
const missing: MissingPeer[] = [];
for (const each of found) {
  if ('missing' in each) {
    progress(`${each.name} is left out: ${each.missing}`);
    missing.push(each);
  } else measured.push(await measure(each));
}
progress('');
await report(`peers-${instances}`, [...toRows(measured), ...missing.map(toMissingRow)]);

function isWanted(name: string): boolean {
  const short = (name.split(' ')[0] ?? '').toLowerCase();
  return only === undefined || short === 'portolan' || only.includes(short);
}

async function measure(peer: RegistryPeer): Promise<PeerFigures> {
  const folder = await mkdtemp(join(tmpdir(), 'portolan-bench-'));
  let server: RunningPeer | undefined;
  try {
    progress(`${peer.name}: starting`);
    server = await peer.start(folder);
    const { origin } = server;
    const { host } = new URL(origin);
    progress(`${peer.name}: ${instances.toLocaleString('en')} instances`);
    const filled = Array.from({ length: instances }, (_, index) => instanceAt(index, services));
    const startedMs = performance.now();
    for (const fill of peer.fill(filled)) {
      const next = (sequence: number) => fill.next(host, sequence);
      const result = await runLoad({ origin, connections: fill.connections, next });
      if (result.errors > 0) throw new Error(`${peer.name} was not filled: ${result.firstError}`);
    }
    const fillSeconds = (performance.now() - startedMs) / 1_000;
    const filledBytes = await server.residentBytes();
    const apis: ApiFigures[] = [];
    for (const api of peer.apis) {
      apis.push(await measureApi(peer, api, server, instances + apis.length * PER_API));
    }
    return { peer, fillSeconds, filledBytes, apis };
  } finally {
    await server?.stop('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  }
}

async function measureApi(
  peer: RegistryPeer,
  api: RegistryApi,
  server: RunningPeer,
  from: number,
): Promise<ApiFigures> {
  const { origin } = server;
  const { host } = new URL(origin);
  let sent = 0;
  const timed = async (
    path: string | undefined,
    isStreaming: boolean,
    bytesOf: (sequence: number) => Buffer,
  ): Promise<Measured> => {
    sent = 0;
    const next = (): Buffer => bytesOf(sent++);
    const run = (lasting: number): Promise<LoadResult> => {
      const plan = { origin, connections, durationMs: lasting * 1_000, next };
      return path === undefined ? runLoad(plan) : runGrpcLoad({ ...plan, path, isStreaming });
    };
    if (warmUpSeconds > 0) await run(warmUpSeconds);
    const cpuBefore = await server.cpuSeconds();
    const result = await run(seconds);
    const cpuSeconds = (await server.cpuSeconds()) - cpuBefore;
    return { ...result, cpuMicroseconds: (cpuSeconds / result.requests) * 1e6 };
  };
  progress(`${peer.name}: ${api.register}`);
  const register = await timed(api.grpc?.register, false, (sequence) =>
    api.registration(host, instanceAt(from + sequence, services)),
  );
  const { beat } = api;
  if (beat === undefined) return { api, register };
  progress(`${peer.name}: ${api.heartbeat}`);
  const beatable = api.beatsFilled ? instances : sent;
  const at = (sequence: number): BenchInstance =>
    instanceAt((api.beatsFilled ? 0 : from) + ((sequence * 7_919) % beatable), services);
  const heartbeat = await timed(api.grpc?.heartbeat, true, (sequence) => beat(host, at(sequence)));
  return { api, register, heartbeat };
}

function measuredText(result: Measured): string {
  return `${figures(result)}, ${result.cpuMicroseconds.toFixed(0)} µs of CPU each`;
}

function toRows([ours, ...others]: readonly PeerFigures[]): Row[] {
  if (ours === undefined) return [];
  const [native, ...dialects] = ours.apis;
  if (native === undefined) return [];
  const rows: Row[] = [];
  rows.push(...rowsOf(ours, native, undefined));
  for (const other of others) {
    for (const each of other.apis) rows.push(...rowsOf(other, each, native));
  }
  for (const each of dialects) {
    const same = others
      .flatMap(({ apis }) => apis)
      .find(({ api }) => api.register === each.api.register);
    const compared = (result: LoadResult, theirs: LoadResult | undefined): string =>
      theirs === undefined ? '' : `; ${times(result, theirs)} it`;
    rows.push({
      work: `${ours.peer.name} registers by ${each.api.register}`,
      figure: `${measuredText(each.register)}${compared(each.register, same?.register)}`,
    });
    if (each.heartbeat === undefined) continue;
    rows.push({
      work: `${ours.peer.name} hears heartbeats by ${each.api.heartbeat}`,
      figure: `${measuredText(each.heartbeat)}${compared(each.heartbeat, same?.heartbeat)}`,
    });
  }
  return [...rows, ...[ours, ...others].map(toMemoryRow)];
}

/** A registry by one of its APIs, and how many times as much ours does by its own. */
function rowsOf(
  { peer }: PeerFigures,
  { api, register, heartbeat }: ApiFigures,
  native: ApiFigures | undefined,
): Row[] {
  const rows: Row[] = [
    {
      work: `${peer.name} registers by ${api.register}`,
      figure: measuredText(register) + against(native?.register, register),
      ...(native === undefined
        ? {}
        : {
            target: `Portolan ≥ ${TARGET} ×`,
            met: native.register.perSecond >= TARGET * register.perSecond,
          }),
    },
  ];
  if (heartbeat !== undefined) {
    rows.push({
      work: `${peer.name} hears heartbeats by ${api.heartbeat}`,
      figure: measuredText(heartbeat) + against(native?.heartbeat, heartbeat),
    });
  }
  return rows;
}

function against(ours: LoadResult | undefined, theirs: LoadResult): string {
  return ours === undefined ? '' : `; Portolan ${times(ours, theirs)}`;
}

function times(one: LoadResult, other: LoadResult): string {
  return `${(one.perSecond / other.perSecond).toFixed(2)} ×`;
}

function toMemoryRow({ peer, fillSeconds, filledBytes }: PeerFigures): Row {
  return {
    work: `${peer.name} with ${instances.toLocaleString('en')} instances`,
    figure: `${Math.round(filledBytes / 2 ** 20).toLocaleString('en')} MiB resident, filled in ${fillSeconds.toFixed(1)} s; acknowledged: ${peer.durability}`,
  };
}

function toMissingRow({ name, missing: why }: MissingPeer): Row {
  return { work: name, figure: `not measured: ${why}`, target: `Portolan ≥ ${TARGET} ×` };
}
