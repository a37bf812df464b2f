import type { AddressPolicy } from '@portolan/core';

export interface SwappableAddressPolicy extends AddressPolicy {
  /** Judges by `policy` from now on: when a listener got its port, and at a reload. */
  swap(policy: AddressPolicy): void;
}

/** One policy object for everybody who dials, whose rules can change. */
export function createSwappableAddressPolicy(first: AddressPolicy): SwappableAddressPolicy {
  let policy = first;
  return {
    check: (ip, port) => policy.check(ip, port),
    swap(next) {
      policy = next;
    },
  };
}
