import type { Status } from './status.ts';

/** When to ask, and how many answers it takes to believe. */
export interface CheckSchedule {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Consecutive successes that bring an instance back. */
  readonly rise: number;
  /** Consecutive failures that take it out. */
  readonly fall: number;
  /** Removed after being critical this long; absent: never. */
  readonly deregisterAfterMs?: number;
}

export interface HttpProbeConfig {
  readonly kind: 'http';
  /** Absolute http or https URL without credentials or fragment. */
  readonly url: string;
  readonly method: 'GET' | 'HEAD' | 'POST' | 'OPTIONS';
  readonly headers: Readonly<Record<string, string>>;
  /** Inclusive ranges; default 200 to 299. */
  readonly expectStatus: readonly { readonly from: number; readonly to: number }[];
  /** The body's first 64 KiB must contain this. */
  readonly bodyContains?: string;
  readonly skipTlsVerify: boolean;
}

export interface TcpProbeConfig {
  readonly kind: 'tcp';
  readonly host: string;
  readonly port: number;
}

/** grpc.health.v1.Health/Check. */
export interface GrpcProbeConfig {
  readonly kind: 'grpc';
  readonly host: string;
  readonly port: number;
  /** Name asked for; empty asks for the server as a whole. */
  readonly service: string;
  readonly tls: boolean;
}

/** The instance reports by itself; critical when it has not for `ttlMs`. */
export interface TtlProbeConfig {
  readonly kind: 'ttl';
  readonly ttlMs: number;
}

/** Exit 0 passing, 1 warning, else critical. Never accepted from the network. */
export interface ScriptProbeConfig {
  readonly kind: 'script';
  readonly command: readonly [string, ...string[]];
}

export type ProbeConfig =
  | HttpProbeConfig
  | TcpProbeConfig
  | GrpcProbeConfig
  | TtlProbeConfig
  | ScriptProbeConfig;

export type ProbeKind = ProbeConfig['kind'];

/** A probe plus its schedule. `id` is unique within its instance. */
export interface CheckSpec extends CheckSchedule {
  readonly id: string;
  readonly probe: ProbeConfig;
}

/** One answer to one probe. */
export interface ProbeResult {
  readonly status: Exclude<Status, 'unknown'>;
  /** For people, at most 256 characters; says what was seen without quoting a response body. */
  readonly output: string;
  readonly durationMs: number;
}

/** Present state of one check of one instance. */
export interface CheckState {
  readonly id: string;
  readonly kind: ProbeKind;
  readonly status: Status;
  readonly output: string;
  readonly consecutiveSuccesses: number;
  readonly consecutiveFailures: number;
  /** Epoch milliseconds; absent before the first probe. */
  readonly lastProbeAtMs?: number;
}

export const DEFAULT_CHECK_SCHEDULE: CheckSchedule = {
  intervalMs: 10_000,
  timeoutMs: 5_000,
  rise: 1,
  fall: 3,
};
