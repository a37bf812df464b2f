import { type Instance, isRoutableStatus, parseTag, type Registry } from '@portolan/core';
import { NACOS_LABELS, toFlatMetadata } from '../labels/dialect-labels.ts';
import { beatTimes, isCluster } from './nacos-instance.ts';
import { groupedName, NACOS_DEFAULT_CLUSTER, type NacosService } from './nacos-names.ts';
import { fromWeight } from './to-registration.ts';

/** An instance as Nacos' clients read it. */
export interface NacosHost {
  readonly instanceId: string;
  readonly ip: string;
  readonly port: number;
  readonly weight: number;
  readonly healthy: boolean;
  readonly enabled: boolean;
  readonly ephemeral: boolean;
  readonly clusterName: string;
  readonly serviceName: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly instanceHeartBeatInterval: number;
  readonly instanceHeartBeatTimeOut: number;
  readonly ipDeleteTimeout: number;
  readonly instanceIdGenerator: 'simple';
}

export interface HostFilter {
  /** Comma-separated; empty for all. */
  readonly clusters: string;
  readonly healthyOnly: boolean;
  /** A share of healthy instances at or below which all are given out as healthy. */
  readonly protectThreshold: number;
}

/** `ServiceInfo`, but for the time it was made. */
export function toServiceInfo(
  registry: Registry,
  service: NacosService,
  filter: HostFilter,
  nowMs: number,
) {
  const wanted = filter.clusters.split(',').filter((name) => name !== '');
  const present = (registry.view(service.key)?.instances ?? [])
    .map((instance) => toHost(instance, service))
    .filter((host) => host.enabled)
    .filter((host) => wanted.length === 0 || wanted.includes(host.clusterName));
  const healthy = present.filter((host) => host.healthy);
  const reached =
    present.length > 0 && healthy.length / present.length <= Math.max(0, filter.protectThreshold);
  const hosts = reached
    ? present.map((host) => ({ ...host, healthy: true }))
    : filter.healthyOnly
      ? healthy
      : present;
  return {
    name: service.serviceName,
    groupName: service.groupName,
    clusters: filter.clusters,
    cacheMillis: 10_000,
    hosts,
    lastRefTime: nowMs,
    checksum: '',
    // Servers of one age write the first, those of another the second.
    allIPs: false,
    allIps: false,
    reachProtectionThreshold: reached,
    valid: true,
  };
}

export type ServiceInfo = ReturnType<typeof toServiceInfo>;

/** As clients of Nacos 1 read it: the name has its group in front. */
export function forFirstClients(info: ServiceInfo, service: NacosService): ServiceInfo {
  return { ...info, name: groupedName(service) };
}

export function toHost(instance: Instance, service: NacosService): NacosHost {
  const clusterName = clusterOf(instance);
  const serviceName = groupedName(service);
  const { address: ip, port, intent } = instance;
  const times = timesOf(instance);
  return {
    instanceId: `${ip}#${port}#${clusterName}#${serviceName}`,
    ip,
    port,
    weight: fromWeight(instance.effectiveWeight),
    healthy: isRoutableStatus(instance.status) || instance.protected,
    enabled:
      intent.enabled && intent.maintenance === undefined && instance.exclusive?.role !== 'standby',
    ephemeral: isEphemeral(instance),
    clusterName,
    serviceName,
    metadata: metadataOf(instance, clusterName),
    instanceHeartBeatInterval: times.intervalMs,
    instanceHeartBeatTimeOut: times.timeoutMs,
    ipDeleteTimeout: times.deleteMs,
    instanceIdGenerator: 'simple',
  };
}

/** The cluster said, else the zone, when it can be the name of one. */
export function clusterOf({ metadata, labels }: Instance): string {
  const said = metadata[NACOS_LABELS.cluster] ?? labels.zone ?? NACOS_DEFAULT_CLUSTER;
  return isCluster(said) ? said : NACOS_DEFAULT_CLUSTER;
}

/** Something has to keep it alive: a lease, or reports of its own. */
export function isEphemeral({ lease, checks }: Instance): boolean {
  return lease !== undefined || checks.some(({ probe }) => probe.kind === 'ttl');
}

function timesOf(instance: Instance) {
  const said = beatTimes(instance.metadata);
  const { lease } = instance;
  if (!lease) return said;
  return { intervalMs: lease.heartbeatMs, timeoutMs: lease.ttlMs, deleteMs: lease.ttlMs };
}

/** A zone that only stands for the cluster is not said twice. */
function metadataOf(instance: Instance, clusterName: string): Record<string, string> {
  const metadata = toFlatMetadata(instance);
  const tagged = instance.tags.some((tag) => {
    const pair = parseTag(tag);
    return pair?.key === 'zone' && pair.value === clusterName;
  });
  if (tagged && instance.metadata.zone === undefined) delete metadata.zone;
  return metadata;
}
