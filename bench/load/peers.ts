/**
 * Registration and heartbeats with Consul, Eureka, Nacos and etcd beside Portolan. Each is on CPU 0 with a fresh data folder and in the
 * mode that a single server of it has by default, the load on the other CPU; the two take turns of a few seconds, and stand still while
 * it is the other's, so that whatever else the machine does meets both. A registry that is not on this machine is said to be missing;
 * docs/operations/load-testing.md tells how to get each.
 *
 *   node bench/load/peers.ts [--instances 100000] [--seconds 3] [--rounds 5] [--connections 64] [--only consul,etcd]
 */
import { findConsul } from './support/peers/consul.ts';
import { findEtcd } from './support/peers/etcd.ts';
import { findEureka } from './support/peers/eureka.ts';
import {
  type ApiLane,
  createLane,
  type FilledPeer,
  type LoadShape,
  type Measured,
  median,
  medianOf,
  startFilled,
} from './support/peers/measured-peer.ts';
import { findNacos } from './support/peers/nacos.ts';
import { nativeApi, portolan, spokenApis } from './support/peers/portolan.ts';
import type { MissingPeer, RegistryPeer } from './support/peers/registry-peer.ts';
import { figures, option, progress, type Row, report, textOption } from './support/report.ts';

const instances = option('instances', 100_000);
const seconds = option('seconds', 3);
const rounds = Math.max(1, option('rounds', 5));
const only = textOption('only')?.split(',');
const shape: LoadShape = {
  instances,
  services: Math.max(1, Math.floor(instances / 100)),
  connections: option('connections', 64),
};
/** What one lane registers in a run; the next one starts behind it, so that none meets another's instances. */
const PER_LANE = 2_000_000;
const TARGET = 3;
/** A server that stood still catches up with its own affairs first. */
const SETTLE_MS = 500;

const peers = [
  await findConsul(),
  await findEtcd(instances),
  await findEureka(),
  await findNacos(),
].filter(({ name }) => only?.includes((name.split(' ')[0] ?? '').toLowerCase()) ?? true);

const rows: Row[] = [];
for (const peer of peers) {
  if ('missing' in peer) {
    progress(`${peer.name} is left out: ${peer.missing}`);
    rows.push(toMissingRow(peer));
  } else rows.push(...(await measureBeside(peer)));
}
progress('');
await report(`peers-${instances}`, rows);

async function measureBeside(peer: RegistryPeer): Promise<Row[]> {
  progress(`${peer.name}: ${instances.toLocaleString('en')} instances`);
  const theirs = await startFilled(peer, shape);
  try {
    theirs.server.child.kill('SIGSTOP');
    const ours = await startFilled(portolan, shape);
    try {
      return [
        ...(await measureApis(theirs, ours)),
        toMemoryRow(theirs, instances),
        toMemoryRow(ours, instances),
      ];
    } finally {
      await ours.dispose();
    }
  } finally {
    await theirs.dispose();
  }
}

async function measureApis(theirs: FilledPeer, ours: FilledPeer): Promise<Row[]> {
  const measured: Row[] = [];
  let used = 0;
  const laneOf = ({ server }: FilledPeer, api: ApiLane['api']): ApiLane =>
    createLane(server, api, instances + PER_LANE * used++, shape);
  const native = laneOf(ours, nativeApi);
  for (const api of theirs.peer.apis) {
    const spoken = spokenApis.find(({ register }) => register === api.register);
    const lanes = [
      laneOf(theirs, api),
      native,
      ...(spoken === undefined ? [] : [laneOf(ours, spoken)]),
    ];
    progress(`${theirs.peer.name}: ${api.register}`);
    const register = await takeTurns(lanes, theirs, (lane, lasting) => lane.register(lasting));
    measured.push(...toRows(theirs, lanes, register, 'register'));
    if (api.beat === undefined) continue;
    progress(`${theirs.peer.name}: ${api.heartbeat}`);
    const beats = await takeTurns(lanes, theirs, (lane, lasting) => lane.beat(lasting));
    measured.push(...toRows(theirs, lanes, beats, 'heartbeat'));
  }
  return measured;
}

/** A list of rounds for each lane. The first round is not counted: programs that compile as they run have done so after it. */
async function takeTurns(
  lanes: readonly ApiLane[],
  theirs: FilledPeer,
  work: (lane: ApiLane, seconds: number) => Promise<Measured>,
): Promise<Measured[][]> {
  const results: Measured[][] = lanes.map(() => []);
  const { child } = theirs.server;
  for (let round = 0; round <= rounds; round++) {
    for (const [at, lane] of lanes.entries()) {
      if (lane.server === theirs.server) {
        child.kill('SIGCONT');
        await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      }
      const result = await work(lane, seconds);
      if (lane.server === theirs.server) child.kill('SIGSTOP');
      if (round > 0) results[at]?.push(result);
    }
  }
  return results;
}

function toRows(
  { peer }: FilledPeer,
  lanes: readonly ApiLane[],
  [theirs = [], native = [], spoken]: readonly Measured[][],
  what: 'register' | 'heartbeat',
): Row[] {
  const verb = what === 'register' ? 'registers by' : 'hears heartbeats by';
  const ratio = (ours: readonly Measured[]): number =>
    median(ours.map(({ perSecond }, at) => perSecond / (theirs[at]?.perSecond ?? Number.NaN)));
  const compared = (ours: readonly Measured[]): string => {
    const cpu = medianOf(theirs).cpuMicroseconds / medianOf(ours).cpuMicroseconds;
    return `; **${ratio(ours).toFixed(2)} ×**, by CPU time ${cpu.toFixed(2)} ×`;
  };
  const row = (name: string, lane: ApiLane | undefined, results: readonly Measured[]): Row => ({
    work: `${name} ${verb} ${lane?.api[what]}`,
    figure: textOf(medianOf(results)),
  });
  const [theirLane, nativeLane, spokenLane] = lanes;
  const nativeRow = row('— Portolan beside it', nativeLane, native);
  return [
    row(peer.name, theirLane, theirs),
    {
      ...nativeRow,
      figure: nativeRow.figure + compared(native),
      ...(what === 'register' && theirLane?.api.isPart !== true
        ? { target: `≥ ${TARGET} × ${peer.name}`, met: ratio(native) >= TARGET }
        : {}),
    },
    ...(spoken === undefined
      ? []
      : [
          {
            ...row('— Portolan beside it', spokenLane, spoken),
            figure: textOf(medianOf(spoken)) + compared(spoken),
          },
        ]),
  ];
}

function textOf(result: Measured): string {
  return `${figures(result)}, ${result.cpuMicroseconds.toFixed(0)} µs of CPU each`;
}

function toMemoryRow({ peer, fillSeconds, residentBytes }: FilledPeer, count: number): Row {
  return {
    work: `${peer.name} with ${count.toLocaleString('en')} instances`,
    figure: `${Math.round(residentBytes / 2 ** 20).toLocaleString('en')} MiB resident, filled in ${fillSeconds.toFixed(1)} s; acknowledged when: ${peer.durability}`,
  };
}

function toMissingRow({ name, missing }: MissingPeer): Row {
  return { work: name, figure: `not measured: ${missing}`, target: `≥ ${TARGET} × ${name}` };
}
