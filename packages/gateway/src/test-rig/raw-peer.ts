import { connect, createServer, type Socket } from 'node:net';
import { onCleanup } from './running-gateway.ts';

/** One side of a TCP connection, its bytes as latin1 text. */
export class RawPeer {
  readonly socket: Socket;
  text = '';
  ended = false;
  readonly #waiters = new Set<() => void>();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (piece: Buffer) => {
      this.text += piece.toString('latin1');
      this.#wake();
    });
    socket.on('error', () => undefined);
    for (const event of ['end', 'close']) {
      socket.on(event, () => {
        this.ended = true;
        this.#wake();
      });
    }
  }

  send(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** Waits until what was received matches; rejects when the peer ended before. */
  async until(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.text)) {
      if (this.ended) throw new Error(`ended before ${pattern}: ${JSON.stringify(this.text)}`);
      await new Promise<void>((resolve) => this.#waiters.add(resolve));
    }
    return this.text;
  }

  async end(): Promise<string> {
    while (!this.ended) await new Promise<void>((resolve) => this.#waiters.add(resolve));
    return this.text;
  }

  #wake(): void {
    for (const wake of this.#waiters) wake();
    this.#waiters.clear();
  }
}

/** A client that writes bytes. */
export async function aRawClient(port: number): Promise<RawPeer> {
  const socket = connect({ host: '127.0.0.1', port });
  onCleanup(() => socket.destroy());
  const peer = new RawPeer(socket);
  await new Promise((resolve) => socket.once('connect', resolve));
  return peer;
}

/** An upstream that is nothing but a listener; `peers` holds its connections in order. */
export async function aRawUpstream(
  onPeer: (peer: RawPeer) => unknown,
): Promise<{ readonly port: number; readonly peers: readonly RawPeer[] }> {
  const peers: RawPeer[] = [];
  const server = createServer((socket) => {
    const peer = new RawPeer(socket);
    peers.push(peer);
    // What it waits for may never come: then the assertion on the other side says so.
    Promise.resolve(onPeer(peer)).catch(() => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onCleanup(() => {
    for (const peer of peers) peer.socket.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { port: address.port, peers };
}
