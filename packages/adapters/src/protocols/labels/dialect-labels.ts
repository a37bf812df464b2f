import { type Instance, type Labels, parseTag } from '@portolan/core';

/** What a Eureka client says beyond what the registry has a place for; kept as labels, and not shown to Eureka clients. */
export const EUREKA_LABELS = {
  instanceId: 'eureka.instanceId',
  hostName: 'eureka.hostName',
  status: 'eureka.status',
  vipAddress: 'eureka.vipAddress',
  secureVipAddress: 'eureka.secureVipAddress',
  ports: 'eureka.ports',
  homePageUrl: 'eureka.homePageUrl',
  statusPageUrl: 'eureka.statusPageUrl',
  healthCheckUrl: 'eureka.healthCheckUrl',
  secureHealthCheckUrl: 'eureka.secureHealthCheckUrl',
  appGroupName: 'eureka.appGroupName',
  asgName: 'eureka.asgName',
  sid: 'eureka.sid',
  countryId: 'eureka.countryId',
  dataCenter: 'eureka.dataCenter',
  lastDirtyTimestamp: 'eureka.lastDirtyTimestamp',
} as const;

/** Each entry of an Amazon data centre's metadata is a label of its own, below this. */
export const AMAZON_LABEL_PREFIX = 'eureka.amazon.';

/** The same for Nacos. */
export const NACOS_LABELS = {
  cluster: 'nacos.cluster',
} as const;

const OWN_LABELS: ReadonlySet<string> = new Set([
  ...Object.values(EUREKA_LABELS),
  ...Object.values(NACOS_LABELS),
]);

/** Consul's are all below this. */
const CONSUL_PREFIX = 'consul.';

/** Whether a label is a dialect's own note rather than something an application said for others to read. */
export function isDialectLabel(key: string): boolean {
  return (
    OWN_LABELS.has(key) || key.startsWith(AMAZON_LABEL_PREFIX) || key.startsWith(CONSUL_PREFIX)
  );
}

/**
 * What a dialect that knows a metadata map but no tags is told of both: metadata, tags of the form `key:value` as entries,
 * all others joined under `tags`. Metadata wins; dialects' own notes are left out.
 */
export function toFlatMetadata(instance: Instance): Record<string, string> {
  const flat: Record<string, string> = Object.create(null);
  const { labels, tags } = instance;
  for (const key of Object.keys(labels)) {
    if (!isDialectLabel(key)) flat[key] = labels[key] as string;
  }
  const words = tags.filter((tag) => parseTag(tag) === undefined);
  if (words.length > 0) flat.tags ??= words.join(',');
  return flat;
}

/** `metadata` without the entries that are absent. */
export function withLabels(
  metadata: Labels,
  own: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const labels: Record<string, string> = Object.assign(Object.create(null), metadata);
  for (const key of Object.keys(own)) {
    const value = own[key];
    if (value === undefined) delete labels[key];
    else labels[key] = value;
  }
  return labels;
}
