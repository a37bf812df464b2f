import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Cidr, Clock, Logger } from '@portolan/core';
import { matchesCidr } from '@portolan/core';
import type { ListenTarget } from '@portolan/http';
import { TcpConnection, type TcpConnectionContext } from './tcp-connection.ts';

/** Beyond those of its connections. */
export interface TcpListenerContext extends Omit<TcpConnectionContext, 'onOver'> {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly maxConnections: number;
  /** Who may connect where a PROXY header is taken: whoever else could claim to be anybody. */
  readonly proxies: readonly Cidr[];
}

/** A listener whose connections are carried to a service as they are: plain TCP, or TLS that nobody here ends. */
export interface TcpListener {
  listen(address: ListenTarget): Promise<AddressInfo>;
  readonly connections: number;
  /** Stops accepting, lets connections end by themselves for up to `timeoutMs`, then cuts them. */
  drain(timeoutMs: number): Promise<void>;
  close(): Promise<void>;
}

export function createTcpListener(context: TcpListenerContext): TcpListener {
  const { clock, logger } = context;
  const connections = new Set<TcpConnection>();
  const emptyWaiters: (() => void)[] = [];
  let closing = false;

  const server: Server = createServer(
    { allowHalfOpen: true, noDelay: true, pauseOnConnect: true },
    accept,
  );

  function accept(socket: Socket): void {
    const ip = socket.remoteAddress;
    const full = connections.size >= context.maxConnections;
    const trusted = !context.takesProxyHeader || (ip && matchesCidr(ip, context.proxies));
    if (ip === undefined || full || closing || !trusted) {
      if (!trusted) context.count('opening_refused');
      socket.on('error', () => undefined);
      socket.destroy();
      return;
    }
    const connection = new TcpConnection(socket, {
      ...context,
      onOver(over) {
        connections.delete(over);
        if (connections.size === 0) for (const wake of emptyWaiters.splice(0)) wake();
      },
    });
    connections.add(connection);
    connection.start().catch((error: unknown) => {
      logger.error({ err: error }, 'a TCP connection failed');
      connection.destroy();
    });
  }

  function whenEmpty(): Promise<void> {
    if (connections.size === 0) return Promise.resolve();
    return new Promise((resolve) => emptyWaiters.push(resolve));
  }

  function stop(): void {
    closing = true;
    if (server.listening) server.close();
  }

  function cutAll(): void {
    for (const connection of connections) connection.destroy();
  }

  return {
    listen: (address) =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(address, () => {
          server.off('error', reject);
          server.on('error', (error) => logger.error({ err: error }, 'a TCP listener failed'));
          const bound = server.address();
          if (bound === null || typeof bound === 'string') {
            reject(new Error('The listener has no port'));
          } else resolve(bound);
        });
      }),
    get connections() {
      return connections.size;
    },
    async drain(timeoutMs) {
      stop();
      if (connections.size === 0) return;
      const cut = clock.setTimer(timeoutMs, cutAll);
      await whenEmpty();
      cut.cancel();
    },
    async close() {
      stop();
      cutAll();
      await whenEmpty();
    },
  };
}
