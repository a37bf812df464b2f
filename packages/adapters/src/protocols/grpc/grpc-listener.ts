import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { type Server, ServerCredentials } from '@grpc/grpc-js';
import type { Clock, Logger, SocketAddress } from '@portolan/core';

export interface GrpcListener {
  readonly address: SocketAddress;
  /** Takes no connections, waits for what is under way as long as `drainMs`, then cuts it off. */
  close(drainMs: number): Promise<void>;
}

/** A client takes the end of its connection for that of its calls, unless their statuses came a moment earlier. */
const FAREWELL_MS = 100;

/** A listener of our own in front of the library's: it says why it cannot listen, and has a cap on connections. */
export async function listenGrpc(
  { host, port }: SocketAddress,
  server: Server,
  options: { readonly maxConnections: number },
  deps: { readonly clock: Clock; readonly logger: Logger },
): Promise<GrpcListener> {
  const sockets = new Set<Socket>();
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const listener = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    if (sockets.size >= options.maxConnections) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    injector.injectConnection(socket);
  });
  listener.listen(port, host);
  await once(listener, 'listening');
  listener.on('error', (err) => deps.logger.warn({ err }, 'the listener of gRPC had an error'));
  const bound = listener.address();
  if (bound === null || typeof bound === 'string') throw new Error('a TCP server has a port');
  return {
    address: { host: bound.address, port: bound.port },
    async close(drainMs) {
      const ended = once(listener, 'close');
      listener.close();
      await new Promise<void>((resolve) => deps.clock.setTimer(FAREWELL_MS, resolve));
      const { promise: drained, resolve } = Promise.withResolvers<void>();
      const timer = deps.clock.setTimer(drainMs, resolve);
      server.tryShutdown(() => resolve());
      await drained;
      timer.cancel();
      server.forceShutdown();
      // What never became a session.
      for (const socket of sockets) socket.destroySoon();
      await ended;
    },
  };
}
