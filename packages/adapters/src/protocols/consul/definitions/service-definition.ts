import { LABEL_LIMITS, type Labels } from '@portolan/core';
import { withoutBrackets } from '../../targets/probe-target.ts';
import { badRequest, type ConsulError } from '../consul-error.ts';
import { type CheckDefinition, checkDefinition } from './check-definition.ts';
import { anything, flag, listOf, mapOf, struct, text, whole } from './go-decoder.ts';

const taggedAddress = struct('structs.ServiceAddress', { Address: text, Port: whole });
const weights = struct('structs.Weights', { Passing: whole, Warning: whole });
const locality = struct('structs.Locality', { Region: text, Zone: text });
const connect = struct('structs.ServiceConnect', {
  Native: flag,
  SidecarService: anything,
  Proxy: anything,
  PeerMeta: anything,
});

/** Body of `PUT /v1/agent/service/register`. */
export const serviceDefinition = struct('structs.ServiceDefinition', {
  Kind: text,
  ID: text,
  Name: text,
  Tags: listOf(text),
  Address: text,
  TaggedAddresses: mapOf(taggedAddress),
  Meta: mapOf(text),
  Port: whole,
  SocketPath: text,
  Check: checkDefinition,
  Checks: listOf(checkDefinition),
  Weights: weights,
  Token: text,
  EnableTagOverride: flag,
  Proxy: anything,
  Connect: connect,
  Locality: locality,
  Namespace: text,
  Partition: text,
  EnterpriseMeta: anything,
});

export type ServiceDefinition = NonNullable<ReturnType<typeof serviceDefinition.decode>>;

/** A service within `PUT /v1/catalog/register`. */
export const catalogService = struct('structs.NodeService', {
  Kind: text,
  ID: text,
  Service: text,
  Tags: listOf(text),
  Address: text,
  TaggedAddresses: mapOf(taggedAddress),
  Meta: mapOf(text),
  Port: whole,
  SocketPath: text,
  Weights: weights,
  EnableTagOverride: flag,
  Proxy: anything,
  Connect: connect,
  Locality: locality,
  Namespace: text,
  Partition: text,
  PeerName: text,
  EnterpriseMeta: anything,
  CreateIndex: whole,
  ModifyIndex: whole,
});

export type CatalogService = NonNullable<ReturnType<typeof catalogService.decode>>;

/** What both kinds of registration say of a service besides its name. */
type ServiceFields = Pick<
  ServiceDefinition & CatalogService,
  'Kind' | 'SocketPath' | 'Proxy' | 'Connect' | 'Partition' | 'Port' | 'Weights' | 'Meta'
>;

const META_KEY = /^[A-Za-z0-9_-]+$/;
const WEIGHT_SCALE = 100;
const MAX_WEIGHT = 65_535;

export function checksOf({ Check, Checks }: ServiceDefinition): readonly CheckDefinition[] {
  return [...(Check === undefined ? [] : [Check]), ...(Checks ?? [])];
}

/** Refuses what this server cannot keep a promise about. */
export function refuseUnsupported(service: ServiceFields): void {
  const { Kind = '', SocketPath = '', Connect, Partition } = service;
  if (Kind !== '' && Kind !== 'typical') {
    throw invalidService(
      `Kind ${JSON.stringify(Kind.slice(0, 64))}: there is no service mesh here`,
    );
  }
  if (Connect?.SidecarService !== undefined || Connect?.Proxy !== undefined) {
    throw invalidService('sidecar proxies: there is no service mesh here');
  }
  if (hasContent(service.Proxy)) throw invalidService('Proxy: there is no service mesh here');
  if (SocketPath !== '') throw invalidService('SocketPath is not supported');
  requireDefaultPartition(Partition);
}

export function requireDefaultPartition(partition: string | null | undefined): void {
  if (!partition || partition === 'default') return;
  throw badRequest(
    'Invalid query parameter: "partition" - Partitions are a Consul Enterprise feature',
  );
}

/** The port as given; 0 where the service serves none. */
export function toPort({ Port = 0 }: ServiceFields): number {
  if (Port >= 0 && Port <= 65_535) return Port;
  throw invalidService(`Port ${Port} is not a port from 0 to 65535`);
}

/** The address as the registry takes it. */
export function toAddress(address: string | undefined, fallback: string): string {
  const given = withoutBrackets(address === undefined || address === '' ? fallback : address);
  if (given === '0.0.0.0' || given === '::') throw badRequest('Invalid service address');
  return given;
}

/** Consul's default weight is 1 and this registry's 100: the same share either way. */
export function toWeight({ Weights }: ServiceFields): number | undefined {
  if (Weights === undefined) return undefined;
  const { Passing = 1, Warning = 1 } = Weights;
  if (Passing < 1) throw badRequest('Invalid Weights: Passing must be greater than 0');
  if (Warning < 0) throw badRequest('Invalid Weights: Warning must be greater or equal than 0');
  if (Passing > MAX_WEIGHT || Warning > MAX_WEIGHT) {
    throw badRequest('Invalid Weights: Passing and Warning must be at most 65535');
  }
  return Math.min(MAX_WEIGHT, Passing * WEIGHT_SCALE);
}

export function toMeta({ Meta }: ServiceFields): Labels {
  return toMetaLabels(Meta, 'Service');
}

/** Metadata within Consul's limits. */
export function toMetaLabels(
  meta: ReadonlyMap<string, string> | undefined,
  what: 'Service' | 'Node',
): Labels {
  const refuse = (why: string): ConsulError => badRequest(`Invalid ${what} Meta: ${why}`);
  const pairs = meta ?? new Map<string, string>();
  if (pairs.size > LABEL_LIMITS.keys) {
    throw refuse(`${what} metadata cannot contain more than ${LABEL_LIMITS.keys} key/value pairs`);
  }
  for (const [key, value] of pairs) {
    const load = `Couldn't load metadata pair (${JSON.stringify(key.slice(0, 64))})`;
    if (key === '') throw refuse(`${load}: Key cannot be blank`);
    if (!META_KEY.test(key)) throw refuse(`${load}: Key contains invalid characters`);
    if (key.length > LABEL_LIMITS.keyBytes) {
      throw refuse(`${load}: Key is too long (limit: ${LABEL_LIMITS.keyBytes} characters)`);
    }
    if (Buffer.byteLength(value) > LABEL_LIMITS.valueBytes) {
      throw refuse(`${load}: Value is too long (limit: ${LABEL_LIMITS.valueBytes} characters)`);
    }
  }
  return Object.fromEntries(pairs);
}

export function invalidService(why: string): ConsulError {
  return badRequest(`Invalid service: ${why}`);
}

function hasContent(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return value !== undefined && value !== null;
  return Object.values(value).some((each) => each !== '' && hasContent(each));
}
