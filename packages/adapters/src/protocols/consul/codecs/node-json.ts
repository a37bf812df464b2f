import { createHash } from 'node:crypto';
import { type Instance, parseIp } from '@portolan/core';
import { nodeAddressOf, nodeMetaOf, nodeNameOf } from '../reserved-labels.ts';

/** The node of an instance as Consul's readers see it. */
export function toNodeJson(instance: Instance, datacenter: string) {
  const name = nodeNameOf(instance);
  const address = nodeAddressOf(instance);
  return {
    ID: toNodeId(name),
    Node: name,
    Address: address,
    Datacenter: datacenter,
    TaggedAddresses: toNodeAddresses(address),
    Meta: nodeMetaOf(instance),
    CreateIndex: instance.createRevision,
    ModifyIndex: instance.createRevision,
  };
}

/** A UUID that is the same for the same name, in every process and life. */
export function toNodeId(name: string): string {
  const hex = createHash('sha256').update(name).digest('hex');
  const parts = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `5${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
  ];
  return `${parts.join('-')}-${hex.slice(20, 32)}`;
}

function toNodeAddresses(address: string): Record<string, string> {
  const family = parseIp(address)?.family;
  return {
    lan: address,
    ...(family === undefined ? {} : { [`lan_ipv${family}`]: address }),
    wan: address,
    ...(family === undefined ? {} : { [`wan_ipv${family}`]: address }),
  };
}
