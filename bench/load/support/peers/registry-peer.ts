import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import type { PinnedProcess } from '../pinned-process.ts';

/** What is registered: the same facts in every registry's own form. */
export interface BenchInstance {
  readonly index: number;
  readonly service: string;
  readonly id: string;
  readonly address: string;
  readonly port: number;
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
}

export function instanceAt(index: number, services: number): BenchInstance {
  return {
    index,
    service: `service-${index % services}`,
    id: `i-${index}`,
    address: `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`,
    port: 8080,
    tags: ['version:v1', 'region:eu'],
    metadata: { start: '1763900000', weight: '100' },
  };
}

/** Long enough that nothing expires while it is measured. */
export const LEASE_SECONDS = 3_600;

/** One way to register with a registry, and to be heard of afterwards. */
export interface RegistryApi {
  /** As the table names it. */
  readonly register: string;
  registration(host: string, instance: BenchInstance): Buffer;
  readonly heartbeat?: string;
  beat?(host: string, instance: BenchInstance): Buffer;
  /** The bytes are gRPC messages for this method, and not HTTP/1.1 requests. */
  readonly grpc?: {
    readonly register: string;
    readonly heartbeat?: string;
    /** A call that comes before each registration and belongs to it. */
    readonly first?: { readonly path: string; message(instance: BenchInstance): Buffer };
  };
  /** It is not a whole registration: shown beside ours, not held against it. */
  readonly isPart?: boolean;
  /** What was there from the beginning can be beaten too, and not only what this API registered. */
  readonly beatsFilled: boolean;
}

/** Requests that are answered before anything is measured. */
export interface Fill {
  readonly connections: number;
  /** Undefined: there is no more. */
  next(host: string, sequence: number): Buffer | undefined;
}

export interface RunningPeer extends PinnedProcess {
  readonly origin: string;
}

/** A registry that can be measured on this machine. */
export interface RegistryPeer {
  readonly name: string;
  /** When a registration is acknowledged. */
  readonly durability: string;
  start(folder: string): Promise<RunningPeer>;
  fill(instances: readonly BenchInstance[]): readonly Fill[];
  readonly apis: readonly RegistryApi[];
}

/** Why a registry cannot be measured here, and how it could be. */
export interface MissingPeer {
  readonly name: string;
  readonly missing: string;
}

/** The program that the environment names, or the one of that name on the PATH. */
export async function findProgram(variable: string, name: string): Promise<string | undefined> {
  const given = process.env[variable];
  if (given !== undefined) {
    await access(given, constants.X_OK);
    return given;
  }
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, name);
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  return undefined;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

const START_LIMIT_MS = 180_000;
const ASK_AGAIN_MS = 200;

/** Resolves once `url` answers with what `isReady` accepts; rejects when the process ends before that. */
export async function untilReady(
  server: PinnedProcess,
  url: string,
  isReady: (text: string) => boolean = () => true,
): Promise<void> {
  const endMs = performance.now() + START_LIMIT_MS;
  while (performance.now() < endMs) {
    const { exitCode, signalCode } = server.child;
    if (exitCode !== null || signalCode !== null) {
      throw new Error(`it ended with ${exitCode ?? signalCode} before it served`);
    }
    try {
      const answer = await fetch(url);
      const text = await answer.text();
      if (answer.ok && isReady(text)) return;
    } catch {
      // It does not listen yet.
    }
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
  }
  await server.stop('SIGKILL');
  throw new Error(`${url} did not answer within ${START_LIMIT_MS / 1_000} s`);
}

/** `size` at a time, as many times as there are. */
export function inBatches(
  instances: readonly BenchInstance[],
  size: number,
  request: (host: string, batch: readonly BenchInstance[]) => Buffer,
): Fill['next'] {
  return (host, sequence) => {
    const batch = instances.slice(sequence * size, (sequence + 1) * size);
    return batch.length === 0 ? undefined : request(host, batch);
  };
}
