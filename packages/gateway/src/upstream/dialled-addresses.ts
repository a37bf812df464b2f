import type { UpstreamEndpoint } from './upstream-endpoint.ts';

/** Who dials which address: services may share one, and its connections close when the last of them is through with it. */
export interface DialledAddresses {
  /** Sets the address to dial; undefined gives up the present one. */
  assign(endpoint: UpstreamEndpoint, ip: string | undefined): void;
  /** Addresses in use. */
  readonly size: number;
}

/** Makes the book of addresses; `onUnused` is called when nobody dials an address any more. */
export function createDialledAddresses(
  onUnused: (ip: string, port: number) => void,
): DialledAddresses {
  const uses = new Map<string, number>();
  return {
    assign(endpoint, ip) {
      const { ip: before, port } = endpoint;
      if (ip === before) return;
      endpoint.ip = ip;
      if (ip !== undefined) uses.set(keyOf(ip, port), (uses.get(keyOf(ip, port)) ?? 0) + 1);
      if (before === undefined) return;
      const left = (uses.get(keyOf(before, port)) ?? 1) - 1;
      if (left > 0) uses.set(keyOf(before, port), left);
      else {
        uses.delete(keyOf(before, port));
        onUnused(before, port);
      }
    },
    get size() {
      return uses.size;
    },
  };
}

function keyOf(ip: string, port: number): string {
  return `${ip}|${port}`;
}
