import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

export interface ListenTarget {
  readonly host: string;
  readonly port: number;
  readonly backlog?: number;
  /** Other processes may listen there too, if they say so as well: the kernel spreads the connections over them. */
  readonly reusePort?: boolean;
}

export interface SharedListenersOptions {
  /** Sockets that listen at the same address, in this process. */
  readonly count: number;
  onAccepted(socket: Socket): void;
  onError(error: Error): void;
}

/**
 * The listening sockets of one address. libuv takes one connection a turn of the event loop from each: with a single one, and
 * a loop that has much to do, a new connection waits for as many turns as there are others before it.
 */
export class SharedListeners {
  readonly #options: SharedListenersOptions;
  #servers: Server[] = [];

  constructor(options: SharedListenersOptions) {
    this.#options = options;
  }

  /** Resolves once all of them listen; where sockets cannot share an address there is one. */
  async listen(target: ListenTarget): Promise<AddressInfo> {
    const first = this.#create();
    // Alone, so that an address that somebody else has is refused.
    const bound = await listening(first, target);
    this.#servers = [first];
    const { count } = this.#options;
    if (count <= 1 || target.reusePort === true) return bound;
    await closed(first);
    const shared = { ...target, port: bound.port, reusePort: true };
    const servers = Array.from({ length: count }, () => this.#create());
    this.#servers = servers;
    const outcomes = await Promise.allSettled(servers.map((server) => listening(server, shared)));
    if (outcomes.every(({ status }) => status === 'fulfilled')) return bound;
    await Promise.all(servers.map(closed));
    const only = this.#create();
    this.#servers = [only];
    return listening(only, { ...target, port: bound.port });
  }

  close(): void {
    for (const server of this.#servers) if (server.listening) server.close();
  }

  #create(): Server {
    const server = createServer(
      { allowHalfOpen: true, noDelay: true, pauseOnConnect: true },
      (accepted) => this.#options.onAccepted(accepted),
    );
    // Before it listens, `listening` hears of it.
    server.on('error', (error) => {
      if (server.listening) this.#options.onError(error);
    });
    return server;
  }
}

function listening(server: Server, target: ListenTarget): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(target, () => {
      server.off('error', reject);
      const bound = server.address();
      if (bound === null || typeof bound === 'string') {
        reject(new Error('The listener has no port'));
      } else resolve(bound);
    });
  });
}

async function closed(server: Server): Promise<void> {
  if (!server.listening) return;
  server.close();
  await once(server, 'close');
}
