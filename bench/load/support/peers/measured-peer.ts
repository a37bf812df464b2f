import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type GrpcLoadOptions, runGrpcLoad } from '../grpc-load.ts';
import { type LoadResult, runLoad } from '../http-load.ts';
import {
  type BenchInstance,
  instanceAt,
  type RegistryApi,
  type RegistryPeer,
  type RunningPeer,
} from './registry-peer.ts';

export interface Measured extends LoadResult {
  /** What the server used of its CPU for each. */
  readonly cpuMicroseconds: number;
}

/** A registry that runs and has its instances. */
export interface FilledPeer {
  readonly peer: RegistryPeer;
  readonly server: RunningPeer;
  readonly fillSeconds: number;
  readonly residentBytes: number;
  dispose(): Promise<void>;
}

export interface LoadShape {
  readonly instances: number;
  readonly services: number;
  readonly connections: number;
}

/** One API of a registry under load, for some seconds at a time. */
export interface ApiLane {
  readonly api: RegistryApi;
  readonly server: RunningPeer;
  register(seconds: number): Promise<Measured>;
  /** Of what was there from the beginning, or of what this lane registered. */
  beat(seconds: number): Promise<Measured>;
}

export async function startFilled(peer: RegistryPeer, shape: LoadShape): Promise<FilledPeer> {
  const folder = await mkdtemp(join(tmpdir(), 'portolan-bench-'));
  let server: RunningPeer | undefined;
  const dispose = async (): Promise<void> => {
    await server?.stop('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  };
  try {
    server = await peer.start(folder);
    const { origin } = server;
    const { host } = new URL(origin);
    const filled = Array.from({ length: shape.instances }, (_, at) =>
      instanceAt(at, shape.services),
    );
    const startedMs = performance.now();
    for (const fill of peer.fill(filled)) {
      const next = (sequence: number) => fill.next(host, sequence);
      const result = await runLoad({ origin, connections: fill.connections, next });
      if (result.errors > 0) throw new Error(`${peer.name} was not filled: ${result.firstError}`);
    }
    const fillSeconds = (performance.now() - startedMs) / 1_000;
    const residentBytes = await server.residentBytes();
    return { peer, server, fillSeconds, residentBytes, dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** `from` is the number of the first instance that the lane registers. */
export function createLane(
  server: RunningPeer,
  api: RegistryApi,
  from: number,
  { instances, services, connections }: LoadShape,
): ApiLane {
  const { origin } = server;
  const { host } = new URL(origin);
  let registered = 0;
  let beats = 0;

  async function run(
    seconds: number,
    next: () => Buffer,
    grpc: Pick<GrpcLoadOptions, 'path' | 'before' | 'isStreaming'> | undefined,
  ): Promise<Measured> {
    const plan = { origin, connections, durationMs: seconds * 1_000, next };
    const cpuBefore = await server.cpuSeconds();
    const result = await (grpc === undefined ? runLoad(plan) : runGrpcLoad({ ...plan, ...grpc }));
    const cpuSeconds = (await server.cpuSeconds()) - cpuBefore;
    return { ...result, cpuMicroseconds: (cpuSeconds / result.requests) * 1e6 };
  }

  /** All of them in turn, neighbours far apart. */
  function beaten(): BenchInstance {
    const among = api.beatsFilled ? instances : Math.max(1, registered);
    return instanceAt((api.beatsFilled ? 0 : from) + ((beats++ * 7_919) % among), services);
  }

  return {
    api,
    server,
    register(seconds) {
      let instance = instanceAt(from, services);
      const next = (): Buffer => {
        instance = instanceAt(from + registered++, services);
        return api.registration(host, instance);
      };
      if (!api.grpc) return run(seconds, next, undefined);
      const { register: path, first } = api.grpc;
      const before = first && { path: first.path, next: () => first.message(instance) };
      return run(seconds, next, { path, isStreaming: false, ...(before && { before }) });
    },
    async beat(seconds) {
      const { beat } = api;
      if (beat === undefined) throw new Error(`${api.register} has no heartbeats`);
      const path = api.grpc?.heartbeat;
      return run(
        seconds,
        () => beat(host, beaten()),
        path === undefined ? undefined : { path, isStreaming: true },
      );
    },
  };
}

/** What several rounds gave: the median of each figure, and all that went wrong. */
export function medianOf(rounds: readonly Measured[]): Measured {
  const of = (key: Exclude<keyof Measured, 'firstError'>): number =>
    median(rounds.map((round) => round[key]));
  const firstError = rounds.find((round) => round.firstError !== undefined)?.firstError;
  return {
    requests: rounds.reduce((sum, { requests }) => sum + requests, 0),
    errors: rounds.reduce((sum, { errors }) => sum + errors, 0),
    seconds: of('seconds'),
    perSecond: of('perSecond'),
    p50Ms: of('p50Ms'),
    p90Ms: of('p90Ms'),
    p99Ms: of('p99Ms'),
    p999Ms: of('p999Ms'),
    cpuMicroseconds: of('cpuMicroseconds'),
    ...(firstError === undefined ? {} : { firstError }),
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
