import { type Cidr, matchesCidr, parseCidr } from '@portolan/core';

/** Throws a RangeError for what is neither an address nor a network. */
export function readNetworks(texts: readonly string[]): readonly Cidr[] {
  return texts.map((text) => {
    const cidr = parseCidr(text);
    if (!cidr) throw new RangeError(`"${text}" is not an address or a network`);
    return cidr;
  });
}

/** Whether an address lies in one of the networks. Throws a RangeError as `readNetworks` does. */
export function matchesAny(texts: readonly string[]): (address: string) => boolean {
  const cidrs = readNetworks(texts);
  return (address) => matchesCidr(address, cidrs);
}
