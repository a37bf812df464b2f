import type { Instance, Labels } from '@portolan/core';
import { isDialectLabel } from '../labels/dialect-labels.ts';

/*
 * What Consul's clients say of an instance and this model has no field for is kept in its metadata under keys that no
 * Consul client can use itself: Consul's own keys hold no dot.
 */
const PREFIX = 'consul.';
const NODE = `${PREFIX}node`;
const NODE_ADDRESS = `${PREFIX}node-address`;
const NODE_META = `${PREFIX}node-meta.`;
const TAGGED = `${PREFIX}address.`;
const PORTLESS = `${PREFIX}portless`;

export interface HostPort {
  readonly address: string;
  readonly port: number;
}

/** The parts of a registration that are kept as labels. */
export interface ReservedFields {
  readonly node?: string | undefined;
  readonly nodeAddress?: string | undefined;
  readonly nodeMeta?: Readonly<Record<string, string>> | undefined;
  readonly taggedAddresses?: ReadonlyMap<string, HostPort> | undefined;
  /** It serves no port: the one it is registered with stands in. */
  readonly portless?: boolean;
}

export function toReservedLabels(fields: ReservedFields): Labels {
  const labels: Record<string, string> = {};
  if (fields.node !== undefined) labels[NODE] = fields.node;
  if (fields.nodeAddress !== undefined) labels[NODE_ADDRESS] = fields.nodeAddress;
  for (const [key, value] of Object.entries(fields.nodeMeta ?? {})) {
    labels[`${NODE_META}${key}`] = value;
  }
  for (const [tag, { address, port }] of fields.taggedAddresses ?? []) {
    labels[`${TAGGED}${tag}`] = `${address} ${port}`;
  }
  if (fields.portless) labels[PORTLESS] = 'true';
  return labels;
}

/** Metadata as the registrant gave it: no dialect's own notes. */
export function toServiceMeta(metadata: Labels): Labels {
  const keys = Object.keys(metadata);
  if (!keys.some(isDialectLabel)) return metadata;
  return Object.fromEntries(
    keys.filter((key) => !isDialectLabel(key)).map((key) => [key, metadata[key] ?? '']),
  );
}

/** Every address is a node of its own, unless the registration named one. */
export function nodeNameOf(instance: Pick<Instance, 'metadata' | 'address'>): string {
  return instance.metadata[NODE] ?? instance.address;
}

export function nodeAddressOf(instance: Pick<Instance, 'metadata' | 'address'>): string {
  return instance.metadata[NODE_ADDRESS] ?? instance.address;
}

/** What the registration said of the node, and where the instance is. */
export function nodeMetaOf(instance: Pick<Instance, 'metadata' | 'labels'>): Labels {
  const meta: Record<string, string> = {};
  const { zone, region } = instance.labels;
  if (zone !== undefined) meta.zone = zone;
  if (region !== undefined) meta.region = region;
  for (const key of Object.keys(instance.metadata)) {
    if (key.startsWith(NODE_META)) {
      meta[key.slice(NODE_META.length)] = instance.metadata[key] ?? '';
    }
  }
  return meta;
}

export function taggedAddressesOf(instance: Pick<Instance, 'metadata'>): Map<string, HostPort> {
  const tagged = new Map<string, HostPort>();
  for (const key of Object.keys(instance.metadata)) {
    if (!key.startsWith(TAGGED)) continue;
    const [address = '', port = ''] = (instance.metadata[key] ?? '').split(' ');
    tagged.set(key.slice(TAGGED.length), { address, port: Number(port) || 0 });
  }
  return tagged;
}

export function isPortless(instance: Pick<Instance, 'metadata'>): boolean {
  return instance.metadata[PORTLESS] !== undefined;
}
