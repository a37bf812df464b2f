import {
  hashText,
  type Instance,
  type InstanceRef,
  type Registry,
  type ServiceKey,
} from '@portolan/core';
import { badRequest } from './consul-error.ts';
import { type HostPort, isPortless } from './reserved-labels.ts';

const FIRST_STAND_IN = 49_152;
const STAND_INS = 16_384;
const MAX_TAGGED_ADDRESSES = 16;
const TAG_NAME = /^[A-Za-z0-9_-]{1,64}$/;
const TAGGED_HOST = /^[^\s]{1,255}$/u;

/**
 * A service without a port gets one that nobody else of it has at this address, and weight 0: an instance here is an
 * address and a port, and the gateway must send it nothing.
 */
export function withStandInPort(
  registry: Registry,
  place: InstanceRef & { readonly service: ServiceKey; readonly address: string },
): { port: number; weight: 0 } {
  const siblings = registry.view(place.service)?.instances ?? [];
  const present = siblings.find(({ id }) => id === place.id);
  if (present && isPortless(present) && present.address === place.address) {
    return { port: present.port, weight: 0 };
  }
  const taken = new Set(
    siblings.filter((other) => isOther(other, place)).map((other) => other.port),
  );
  if (taken.size >= STAND_INS)
    throw badRequest('Invalid service: too many services without a port');
  let at = hashText(place.id) % STAND_INS;
  while (taken.has(FIRST_STAND_IN + at)) at = (at + 1) % STAND_INS;
  return { port: FIRST_STAND_IN + at, weight: 0 };
}

function isOther(other: Instance, place: { readonly id: string; readonly address: string }) {
  return other.id !== place.id && other.address === place.address;
}

/** Tagged addresses as they are kept; those of the address itself are made again when they are read. */
export function toTaggedAddresses(
  given:
    | ReadonlyMap<
        string,
        { readonly Address: string | undefined; readonly Port: number | undefined }
      >
    | undefined,
): Map<string, HostPort> {
  const tagged = new Map<string, HostPort>();
  if ((given?.size ?? 0) > MAX_TAGGED_ADDRESSES) {
    throw badRequest(`Invalid service: more than ${MAX_TAGGED_ADDRESSES} TaggedAddresses`);
  }
  for (const [tag, { Address = '', Port = 0 }] of given ?? []) {
    if (/_ipv[46]$/.test(tag)) continue;
    const isValid = TAG_NAME.test(tag) && TAGGED_HOST.test(Address) && Port >= 0 && Port <= 65_535;
    if (!isValid) {
      throw badRequest(`Invalid service: TaggedAddresses ${JSON.stringify(tag.slice(0, 64))}`);
    }
    tagged.set(tag, { address: Address, port: Port });
  }
  return tagged;
}
