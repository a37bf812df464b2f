import type { ProxySource, ServerExchange } from '@portolan/http';
import { type Peer, plainIp } from './trusted-peers.ts';

/** What an upstream is told of a client by the PROXY protocol. */
export function proxySource(
  server: Pick<ServerExchange, 'remotePort' | 'localAddress' | 'localPort'>,
  peer: Peer,
  clientIp: string,
): ProxySource {
  return {
    sourceAddress: clientIp,
    // Of a client whose address a trusted proxy told, the port is not known.
    sourcePort: clientIp === peer.ip ? server.remotePort : 0,
    destinationAddress: plainIp(server.localAddress),
    destinationPort: server.localPort,
  };
}
