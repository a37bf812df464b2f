import type { ControlRequest } from '@portolan/core';
import { badRequest, ConsulError } from '../consul-error.ts';
import { requireDefaultPartition } from '../definitions/service-definition.ts';
import { parseGoBool, parseGoDuration } from '../go-duration.ts';

/** What every read may be asked with. */
export interface ReadOptions {
  readonly namespace: string;
  readonly consistency: 'leader' | 'stale' | 'consistent';
  readonly cached: boolean;
  /** Absent or 0: answer at once. */
  readonly index: number;
  readonly waitMs: number;
  readonly pretty: boolean;
  /** Text of `filter`; absent when there is none. */
  readonly filter?: string;
}

const DEFAULT_WAIT_MS = 300_000;
const MAX_WAIT_MS = 600_000;
const NAMESPACE = /^[A-Za-z0-9](?:[A-Za-z0-9._@:-]{0,126}[A-Za-z0-9])?$/;
const FILTER_LIMIT = 4_096;

/** Reads and judges the parameters that are the same everywhere; what is unknown is ignored, as in Consul. */
export function readOptions(request: ControlRequest, datacenter: string): ReadOptions {
  const { query } = request;
  requireDatacenter(query, datacenter);
  requireDefaultPartition(query.get('partition'));
  if (query.get('peer')) throw badRequest('Invalid query parameter: "peer" - there are no peers');
  const stale = query.has('stale');
  const consistent = query.has('consistent');
  if (stale && consistent) {
    throw badRequest('Cannot specify ?stale with ?consistent, conflicting semantics.');
  }
  const maxStale = query.get('max_stale');
  if (maxStale && parseGoDuration(maxStale) === undefined) {
    throw badRequest(`Invalid max_stale value ${quote(maxStale)}`);
  }
  const filter = query.get('filter') ?? '';
  if (filter.length > FILTER_LIMIT) {
    throw badRequest(`Failed to create filter: longer than ${FILTER_LIMIT} characters`);
  }
  return {
    namespace: namespaceOf(query),
    consistency: stale ? 'stale' : consistent ? 'consistent' : 'leader',
    cached: query.has('cached'),
    index: indexOf(query),
    waitMs: waitOf(query),
    pretty: query.has('pretty'),
    ...(filter.trim() === '' ? {} : { filter }),
  };
}

/** Consul Enterprise's namespaces are namespaces here. */
export function namespaceOf(query: URLSearchParams, fromBody?: string): string {
  const name = query.get('ns') || fromBody || 'default';
  if (NAMESPACE.test(name)) return name;
  throw badRequest(`Invalid namespace ${quote(name)}`);
}

export function requireDatacenter(query: URLSearchParams, datacenter: string): void {
  const wanted = query.get('dc');
  if (wanted && wanted !== datacenter) throw new ConsulError(500, 'No path to datacenter');
}

/** `?name` and `?name=` mean true, as in Consul. */
export function flagParameter(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  if (value === null) return false;
  if (value === '') return true;
  const parsed = parseGoBool(value);
  if (parsed === undefined) throw badRequest(`Invalid value for ?${name}`);
  return parsed;
}

/** `?node-meta=key:value`, all of which have to hold. */
export function nodeMetaParameters(query: URLSearchParams): readonly (readonly [string, string])[] {
  return query.getAll('node-meta').map((pair) => {
    const at = pair.indexOf(':');
    return at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
  });
}

function indexOf(query: URLSearchParams): number {
  const value = query.get('index');
  if (value === null || value === '') return 0;
  if (!/^\d{1,20}$/.test(value)) throw badRequest('Invalid index');
  return Number(value);
}

function waitOf(query: URLSearchParams): number {
  const value = query.get('wait');
  if (value === null || value === '') return DEFAULT_WAIT_MS;
  const waitMs = parseGoDuration(value);
  if (waitMs === undefined || waitMs < 0) throw badRequest('Invalid wait time');
  return waitMs === 0 ? DEFAULT_WAIT_MS : Math.min(waitMs, MAX_WAIT_MS);
}

function quote(value: string): string {
  return JSON.stringify(value.slice(0, 64));
}
