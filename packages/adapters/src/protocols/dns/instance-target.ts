import { formatIp, type Instance, parseIp, unmapIp } from '@portolan/core';
import { toHexAddress } from './question-name.ts';

/** Where an instance is, in the words of DNS. */
export type InstanceTarget =
  | { readonly type: 'A' | 'AAAA'; readonly address: string; readonly hexLabel: string }
  | { readonly type: 'name'; readonly hostName: string }
  /** A host name that DNS cannot carry. */
  | { readonly type: 'none' };

// RFC 1035 §2.3.4.
const CARRIABLE = /^(?=.{1,253}$)[^.]{1,63}(?:\.[^.]{1,63})*$/;

const known = new WeakMap<Instance, InstanceTarget>();

export function targetOf(instance: Instance): InstanceTarget {
  const kept = known.get(instance);
  if (kept) return kept;
  const made = toTarget(instance.address);
  known.set(instance, made);
  return made;
}

function toTarget(address: string): InstanceTarget {
  const parsed = parseIp(address);
  if (!parsed)
    return CARRIABLE.test(address) ? { type: 'name', hostName: address } : { type: 'none' };
  const ip = unmapIp(parsed);
  return {
    type: ip.family === 4 ? 'A' : 'AAAA',
    address: formatIp(ip),
    hexLabel: toHexAddress(ip),
  };
}
