import { type Instance, parseIp, type ServiceView } from '@portolan/core';
import { toServiceName, toShownId } from '../identity.ts';
import { isPortless, taggedAddressesOf, toServiceMeta } from '../reserved-labels.ts';
import { toNodeJson } from './node-json.ts';

const WEIGHT_SCALE = 100;
const NO_PROXY = { Mode: '', MeshGateway: {}, Expose: {} };

/**
 * What an instance's weight is divided by: this registry's default is 100 and Consul's 1. Where that does not come out
 * even for every instance of the service, all keep theirs: only the proportions mean something.
 */
export function weightDivisor(view: ServiceView | undefined): number {
  const isEven = view?.instances.every(
    (instance) => isPortless(instance) || instance.effectiveWeight % WEIGHT_SCALE === 0,
  );
  return isEven === false ? 1 : WEIGHT_SCALE;
}

/** `Service` within health answers. */
export function toServiceJson(instance: Instance, divisor: number) {
  return {
    ID: toShownId(instance),
    Service: toServiceName(instance.service),
    Tags: instance.tags,
    Address: instance.address,
    TaggedAddresses: toTaggedJson(instance),
    Meta: toServiceMeta(instance.metadata),
    Port: toPortJson(instance),
    Weights: toWeightsJson(instance, divisor),
    EnableTagOverride: false,
    Proxy: NO_PROXY,
    Connect: {},
    PeerName: '',
    CreateIndex: instance.createRevision,
    ModifyIndex: instance.modifyRevision,
  };
}

/** An entry of `/v1/catalog/service/:name`. */
export function toCatalogJson(instance: Instance, divisor: number, datacenter: string) {
  const node = toNodeJson(instance, datacenter);
  return {
    ID: node.ID,
    Node: node.Node,
    Address: node.Address,
    Datacenter: datacenter,
    TaggedAddresses: node.TaggedAddresses,
    NodeMeta: node.Meta,
    ServiceKind: '',
    ServiceID: toShownId(instance),
    ServiceName: toServiceName(instance.service),
    ServiceTags: instance.tags,
    ServiceAddress: instance.address,
    ServiceTaggedAddresses: toTaggedJson(instance),
    ServiceWeights: toWeightsJson(instance, divisor),
    ServiceMeta: toServiceMeta(instance.metadata),
    ServicePort: toPortJson(instance),
    ServiceSocketPath: '',
    ServiceEnableTagOverride: false,
    ServiceProxy: NO_PROXY,
    ServiceConnect: {},
    ServiceLocality: null,
    CreateIndex: instance.createRevision,
    ModifyIndex: instance.modifyRevision,
  };
}

/** A service as its agent lists it. */
export function toAgentServiceJson(instance: Instance, divisor: number, datacenter: string) {
  return {
    ID: toShownId(instance),
    Service: toServiceName(instance.service),
    Tags: instance.tags,
    Meta: toServiceMeta(instance.metadata),
    Port: toPortJson(instance),
    Address: instance.address,
    TaggedAddresses: toTaggedJson(instance),
    Weights: toWeightsJson(instance, divisor),
    EnableTagOverride: false,
    Datacenter: datacenter,
  };
}

function toPortJson(instance: Instance): number {
  return isPortless(instance) ? 0 : instance.port;
}

function toWeightsJson(instance: Instance, divisor: number) {
  const passing = isPortless(instance) ? 1 : instance.effectiveWeight / divisor;
  return { Passing: passing, Warning: 1 };
}

function toTaggedJson(instance: Instance) {
  const { address } = instance;
  const family = parseIp(address)?.family;
  const own = { Address: address, Port: toPortJson(instance) };
  const tagged: Record<string, { Address: string; Port: number }> =
    family === undefined ? {} : { [`lan_ipv${family}`]: own, [`wan_ipv${family}`]: own };
  for (const [tag, given] of taggedAddressesOf(instance)) {
    tagged[tag] = { Address: given.address, Port: given.port };
  }
  return tagged;
}
