import {
  DEFAULT_GROUP,
  type Instance,
  type RegistrationInput,
  type Registry,
  type ServiceKey,
} from '@portolan/core';
import { NACOS_LABELS, withLabels } from '../labels/dialect-labels.ts';
import { beatTimes, type NacosInstance } from './nacos-instance.ts';
import { NACOS_DEFAULT_CLUSTER } from './nacos-names.ts';

/** What keeps an instance: its own beats over HTTP, a gRPC connection, or nothing: it stays until it is taken away. */
export type Keeper = 'beat' | 'connection' | 'nobody';

export const BEAT_CHECK = 'nacos-beat';
/** A connection's instances outlive a crash of ours by this, in which the client comes back. */
export const CONNECTION_LEASE = { ttlMs: 30_000, heartbeatMs: 10_000 } as const;
const WEIGHT_UNIT = 100;
const MAX_WEIGHT = 65_535;

export function toRegistrationInput(
  key: ServiceKey,
  id: string,
  instance: NacosInstance,
  keeper: Keeper,
): RegistrationInput {
  const { ip, port, metadata, clusterName } = instance;
  const { zone } = metadata;
  const named = clusterName !== NACOS_DEFAULT_CLUSTER;
  return {
    service: key,
    id,
    address: ip,
    port,
    // A cluster is where instances stand together: what others call a zone.
    tags: named && zone === undefined ? [`zone:${clusterName}`] : [],
    metadata: withLabels(metadata, {
      [NACOS_LABELS.cluster]: zone === undefined || zone === clusterName ? undefined : clusterName,
    }),
    weight: toWeight(instance.weight),
    initialStatus: instance.healthy ? 'passing' : 'critical',
    ...keptBy(keeper, instance),
  };
}

/** Nacos' 1.0 is our 100. What has any weight keeps some. */
export function toWeight(weight: number): number {
  const whole = Math.min(MAX_WEIGHT, Math.round(weight * WEIGHT_UNIT));
  return weight > 0 ? Math.max(1, whole) : 0;
}

export function fromWeight(weight: number): number {
  return weight / WEIGHT_UNIT;
}

/** The instance of a service at an address, whoever registered it. */
export function findAt(
  registry: Registry,
  key: ServiceKey,
  ip: string,
  port: number,
): Instance | undefined {
  return registry.instanceAt(key, ip, port);
}

/** The id of a new instance: the registry's own form, with the group in front where another service has that. */
export function newId(registry: Registry, key: ServiceKey, ip: string, port: number): string {
  const id = shortId(key, ip, port);
  if (key.group !== DEFAULT_GROUP) return longId(key, ip, port);
  const holder = registry.instance({ namespace: key.namespace, id });
  return holder && holder.service.group !== key.group ? longId(key, ip, port) : id;
}

function shortId({ name }: ServiceKey, ip: string, port: number): string {
  return `${name}-${ip}-${port}`;
}

function longId(key: ServiceKey, ip: string, port: number): string {
  return `${key.group}@@${shortId(key, ip, port)}`;
}

function keptBy(keeper: Keeper, { ip, port, metadata }: NacosInstance): Partial<RegistrationInput> {
  switch (keeper) {
    case 'connection':
      return { lease: CONNECTION_LEASE };
    case 'nobody':
      // As Nacos does, unless its cluster is told otherwise: the server looks whether the port is open.
      return {
        lease: 'none',
        checks: [{ id: 'nacos-tcp', probe: { kind: 'tcp', host: ip, port } }],
      };
    case 'beat': {
      const { timeoutMs, deleteMs } = beatTimes(metadata);
      const deregisterAfterMs = Math.max(100, deleteMs - timeoutMs);
      const probe = { kind: 'ttl', ttlMs: timeoutMs } as const;
      return { lease: 'none', checks: [{ id: BEAT_CHECK, probe, deregisterAfterMs }] };
    }
  }
}
