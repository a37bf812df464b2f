import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** A server on loopback that knows its open connections. */
export class Loopback {
  readonly open = new Set<Socket>();
  readonly #server: Server;
  accepted = 0;

  constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket) => {
      this.accepted++;
      this.open.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.open.delete(socket);
        server.emit('released');
      });
    });
  }

  static async listen(server: Server): Promise<Loopback> {
    const loopback = new Loopback(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return loopback;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/health`;
  }

  async untilReleased(): Promise<void> {
    while (this.open.size > 0) await once(this.#server, 'released');
  }

  async close(): Promise<void> {
    for (const socket of this.open) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** Answers every connection's first bytes with these bytes. */
export function raw(answer: (socket: Socket) => void): Promise<Loopback> {
  return Loopback.listen(createServer((socket) => socket.once('data', () => answer(socket))));
}

/** A port on which nobody listens. */
export async function freePort(): Promise<number> {
  const server = await Loopback.listen(createServer());
  const { port } = server;
  await server.close();
  return port;
}
