import type { Instance, ServiceView } from '@portolan/core';
import { isPortless } from '../consul/reserved-labels.ts';
import type { DnsRecord } from './dns-answer.ts';
import { targetOf } from './instance-target.ts';
import { createWeightedPool, type WeightedPool } from './weighted-pool.ts';

export type PooledType = 'A' | 'AAAA' | 'CNAME' | 'SRV' | 'TXT';

export interface PooledRecord {
  readonly weight: number;
  readonly record: DnsRecord;
  /** Address of the target that the record names. */
  readonly additional?: DnsRecord & { readonly name: string };
}

/** The records of a service's routable instances, made once a view, to be drawn from at each question. */
export interface ServicePools {
  of(
    view: ServiceView,
    type: PooledType,
    zone: string,
    tag: string | undefined,
  ): WeightedPool<PooledRecord>;
}

/** RFC 6763 §6.1: a string of a TXT record has at most 255 bytes. */
const MAX_TEXT_BYTES = 255;
const DEFAULT_WEIGHT = 100;

export function createServicePools(ttl: number): ServicePools {
  const byView = new WeakMap<ServiceView, Map<string, WeightedPool<PooledRecord>>>();
  return {
    of(view, type, zone, tag) {
      const pools = byView.get(view) ?? new Map<string, WeightedPool<PooledRecord>>();
      byView.set(view, pools);
      const key = `${type} ${zone} ${tag ?? ''}`;
      const kept = pools.get(key);
      if (kept) return kept;
      const records = recordsOf(routableInstances(view, tag), type, zone, ttl);
      const pool = createWeightedPool(records, ({ weight }) => weight);
      // There is no end of tags that no instance has.
      if (pool.size > 0) pools.set(key, pool);
      return pool;
    },
  };
}

function routableInstances(view: ServiceView, tag: string | undefined): readonly Instance[] {
  return view.instances.filter(
    (instance) =>
      instance.routable &&
      weightOf(instance) > 0 &&
      targetOf(instance).type !== 'none' &&
      (tag === undefined || instance.tags.some((each) => each.toLowerCase() === tag)),
  );
}

/** Consul's services without a port have a weight that keeps the gateway away; their addresses are asked for all the same. */
function weightOf(instance: Instance): number {
  const isForConsul = isPortless(instance) && instance.intent.weight === undefined;
  return isForConsul ? DEFAULT_WEIGHT : instance.effectiveWeight;
}

function portOf(instance: Instance): number {
  return isPortless(instance) ? 0 : instance.port;
}

function recordsOf(
  instances: readonly Instance[],
  type: PooledType,
  zone: string,
  ttl: number,
): PooledRecord[] {
  switch (type) {
    case 'A':
    case 'AAAA':
      return unique(instances, (instance) => {
        const target = targetOf(instance);
        return target.type === type ? target.address : undefined;
      }).map(([data, weight]) => ({ weight, record: { type, ttl, data } }));
    case 'CNAME': {
      // RFC 1034 §3.6.2: a name that is an alias has no other records.
      if (instances.some((instance) => targetOf(instance).type !== 'name')) return [];
      return unique(instances, ({ address }) => address).map(([data, weight]) => ({
        weight,
        record: { type, ttl, data },
      }));
    }
    case 'SRV':
      return instances.map((instance) => toTargetRecord(instance, zone, ttl));
    case 'TXT':
      return instances.map((instance) => ({
        weight: weightOf(instance),
        record: { type, ttl, data: textsOf(instance) },
      }));
  }
}

/** Each value once, with the weights of all instances that have it. */
function unique(
  instances: readonly Instance[],
  toValue: (instance: Instance) => string | undefined,
): [string, number][] {
  const weights = new Map<string, number>();
  for (const instance of instances) {
    const value = toValue(instance);
    if (value === undefined) continue;
    weights.set(value, (weights.get(value) ?? 0) + weightOf(instance));
  }
  return [...weights];
}

function toTargetRecord(instance: Instance, zone: string, ttl: number): PooledRecord {
  const port = portOf(instance);
  const weight = weightOf(instance);
  const where = targetOf(instance);
  const record = (target: string): DnsRecord => ({
    type: 'SRV',
    ttl,
    data: { priority: 1, weight, port, target },
  });
  if (where.type === 'name' || where.type === 'none') {
    return { weight, record: record(instance.address) };
  }
  const name = `${where.hexLabel}.addr.${zone}`;
  const additional = { name, type: where.type, ttl, data: where.address } as const;
  return { weight, record: record(name), additional };
}

/** RFC 6763 §6: `key=value` strings, the instance's own words first. */
function textsOf(instance: Instance): string[] {
  const own = { id: instance.id, port: `${portOf(instance)}`, weight: `${weightOf(instance)}` };
  return [...Object.entries(own), ...Object.entries(instance.labels)]
    .filter(([key]) => !key.includes('='))
    .map(([key, value]) => `${key}=${value}`)
    .filter((text) => Buffer.byteLength(text) <= MAX_TEXT_BYTES);
}
