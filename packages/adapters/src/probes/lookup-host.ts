import { lookup } from 'node:dns/promises';

/** Resolves a name as the operating system does, in its order; IPv4 and IPv6 alike. */
export async function lookupHost(host: string): Promise<string> {
  const { address } = await lookup(host, { order: 'verbatim' });
  return address;
}
