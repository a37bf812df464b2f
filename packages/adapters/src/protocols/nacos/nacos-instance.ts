import { RegistryError } from '@portolan/core';
import { parseJsonBody } from '../body/json-body.ts';
import { illegal } from './nacos-error.ts';
import { NACOS_DEFAULT_CLUSTER } from './nacos-names.ts';

/** What a client says of an instance, over HTTP or gRPC. */
export interface NacosInstance {
  readonly ip: string;
  readonly port: number;
  readonly weight: number;
  readonly enabled: boolean;
  readonly healthy: boolean;
  readonly ephemeral: boolean;
  readonly clusterName: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Times of a heartbeat, which metadata may override. */
export interface BeatTimes {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly deleteMs: number;
}

const TIME_KEYS = {
  intervalMs: 'preserved.heart.beat.interval',
  timeoutMs: 'preserved.heart.beat.timeout',
  deleteMs: 'preserved.ip.delete.timeout',
} as const;
const DEFAULT_TIMES: BeatTimes = { intervalMs: 5_000, timeoutMs: 15_000, deleteMs: 30_000 };
const CLUSTER = /^[0-9a-zA-Z-]{1,64}$/;
const MAX_WEIGHT = 10_000;

/** The times that metadata asks for; what is no whole number counts as not said, as in Nacos. */
export function beatTimes(metadata: Readonly<Record<string, string>>): BeatTimes {
  const read = (name: keyof BeatTimes): number => {
    const text = metadata[TIME_KEYS[name]];
    return text !== undefined && /^[1-9]\d{0,9}$/.test(text) ? Number(text) : DEFAULT_TIMES[name];
  };
  return {
    intervalMs: read('intervalMs'),
    timeoutMs: read('timeoutMs'),
    deleteMs: read('deleteMs'),
  };
}

/** Refuses what Nacos' own `checkInstanceIsLegal` refuses. */
export function checkInstance(instance: NacosInstance): NacosInstance {
  const { intervalMs, timeoutMs, deleteMs } = beatTimes(instance.metadata);
  if (timeoutMs < intervalMs || deleteMs < intervalMs) {
    throw new RegistryError('VALIDATION_FAILED', {
      detail:
        "Instance 'heart beat interval' must less than 'heart beat timeout' and 'ip delete timeout'.",
    });
  }
  checkCluster(instance.clusterName);
  return instance;
}

export function checkCluster(name: string): void {
  if (!CLUSTER.test(name)) {
    throw illegal('clusterName', 'letters, digits and - (64 at most)', name);
  }
}

/** Whether a text can be the name of a cluster. */
export function isCluster(name: string): boolean {
  return CLUSTER.test(name);
}

export function readWeight(value: unknown): number {
  const weight = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof weight !== 'number' || !(weight >= 0 && weight <= MAX_WEIGHT)) {
    throw new RegistryError('VALIDATION_FAILED', {
      detail: `instance format invalid: The weights range from 0 to 10000, not ${String(value).slice(0, 40)}`,
      problems: [{ path: '$.weight', expected: 'a number from 0 to 10000' }],
    });
  }
  return weight;
}

export function readPort(value: unknown): number {
  const port = typeof value === 'string' && /^\d{1,5}$/.test(value) ? Number(value) : value;
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 0 || port > 65_535) {
    throw illegal('port', 'a whole number to 65535', String(value));
  }
  return port;
}

/** Metadata as the text of a form: a JSON object, or `k=v,k=v`. */
export function readMetadataText(text: string): Record<string, string> {
  const trimmed = text.trim();
  if (trimmed === '') return {};
  if (trimmed.startsWith('{')) {
    try {
      return readMetadata(parseJsonBody(new TextEncoder().encode(trimmed)));
    } catch (error) {
      throw wrongMetadata(error instanceof RegistryError ? error.message : 'it cannot be read');
    }
  }
  const metadata: Record<string, string> = Object.create(null);
  for (const pair of trimmed.split(',')) {
    const at = pair.indexOf('=');
    if (at <= 0) throw wrongMetadata('a JSON object or k=v,k=v is expected');
    metadata[pair.slice(0, at).trim()] = pair.slice(at + 1).trim();
  }
  return metadata;
}

/** Metadata as JSON has it: scalars as text. */
export function readMetadata(value: unknown): Record<string, string> {
  if (value === null || value === undefined) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw wrongMetadata('it is no object');
  const metadata: Record<string, string> = Object.create(null);
  for (const [key, entry] of Object.entries(value)) {
    if (typeof entry === 'object' && entry !== null) {
      throw wrongMetadata(`${key.slice(0, 64)} has to be text`);
    }
    metadata[key] = entry === null ? '' : String(entry);
  }
  return metadata;
}

/** An instance as JSON: of a gRPC request, a beat, or a batch. */
export function readInstanceJson(value: unknown): NacosInstance {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw illegal('instance', 'an object', typeof value);
  }
  const json = value as Readonly<Record<string, unknown>>;
  const { ip } = json;
  if (typeof ip !== 'string' || ip === '') throw illegal('ip', 'an address', String(ip));
  return checkInstance({
    ip,
    port: readPort(json.port),
    weight: readWeight(json.weight ?? 1),
    enabled: readFlag(json.enabled, 'enabled', true),
    healthy: readFlag(json.healthy, 'healthy', true),
    ephemeral: readFlag(json.ephemeral, 'ephemeral', true),
    clusterName: readCluster(json.clusterName ?? json.cluster),
    metadata: readMetadata(json.metadata),
  });
}

export function readFlag(value: unknown, name: string, fallback: boolean): boolean {
  if (value === undefined || value === null || value === '') return fallback;
  if (value === true || value === 'true') return true;
  if (value === false || value === 'false') return false;
  throw illegal(name, '"true" or "false"', String(value));
}

function readCluster(value: unknown): string {
  if (value === undefined || value === null || value === '') return NACOS_DEFAULT_CLUSTER;
  if (typeof value !== 'string') throw illegal('clusterName', 'text', typeof value);
  return value;
}

function wrongMetadata(why: string): RegistryError {
  return new RegistryError('VALIDATION_FAILED', {
    detail: `caused: Param 'metadata' is illegal: ${why};`,
    problems: [{ path: '$.metadata', expected: 'a map of text' }],
  });
}
