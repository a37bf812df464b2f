import { createServer, type Server, type Socket } from 'node:net';

/** A listener on a free port of the loopback address. */
export async function aServer(
  onSocket: (socket: Socket) => void,
): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer(onSocket);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { server, port: address.port };
}

/** The least an HTTP/2 server says. */
export const EMPTY_SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

/** Type and flags of the frames of streams, ahead of which the connection's preface may be. */
export function streamFrames(bytes: Buffer): number[][] {
  const found: number[][] = [];
  let at = bytes.subarray(0, 3).toString() === 'PRI' ? 24 : 0;
  for (; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
    if (bytes.readUInt32BE(at + 5) > 0) found.push([bytes[at + 3] ?? 0, bytes[at + 4] ?? 0]);
  }
  return found;
}
