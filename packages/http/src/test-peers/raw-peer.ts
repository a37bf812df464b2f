import { connect, createServer, type Socket } from 'node:net';

/** One end of a connection in a test: it sends exactly the bytes it is told to, and keeps what it gets. */
export class RawPeer {
  readonly socket: Socket;
  /** All that arrived, as latin1. */
  received = '';
  /** The other end sent its FIN. */
  ended = false;
  closed = false;
  readonly #watchers = new Set<() => void>();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (piece: Buffer) => {
      this.received += piece.toString('latin1');
      this.#wake();
    });
    socket.on('end', () => {
      this.ended = true;
      this.#wake();
    });
    // A reset is one of the ways to close; tests look at `closed`.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.closed = true;
      this.#wake();
    });
  }

  send(text: string): void {
    this.socket.write(text, 'latin1');
  }

  sendBytes(bytes: Uint8Array): void {
    this.socket.write(bytes);
  }

  get bytes(): Buffer {
    return Buffer.from(this.received, 'latin1');
  }

  /** Sends the text in pieces, each in its own segment. */
  async sendPieces(pieces: readonly string[]): Promise<void> {
    for (const piece of pieces) {
      await new Promise<void>((resolve) => this.socket.write(piece, 'latin1', () => resolve()));
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  /** What arrived, once `text` is among it; rejects when the connection ends without it. */
  async until(text: string): Promise<string> {
    await this.#when(() => this.received.includes(text) || this.ended || this.closed);
    if (!this.received.includes(text)) {
      throw new Error(`Ended without ${JSON.stringify(text)}: ${JSON.stringify(this.received)}`);
    }
    return this.received;
  }

  /** All that arrived, once the other end is through. */
  async untilEnded(): Promise<string> {
    await this.#when(() => this.ended || this.closed);
    return this.received;
  }

  untilClosed(): Promise<void> {
    return this.#when(() => this.closed);
  }

  #when(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!condition()) return;
        this.#watchers.delete(look);
        resolve();
      };
      this.#watchers.add(look);
      look();
    });
  }

  #wake(): void {
    for (const look of [...this.#watchers]) look();
  }
}

export async function dialRaw(port: number, allowHalfOpen = false): Promise<RawPeer> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true, allowHalfOpen });
  const peer = new RawPeer(socket);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  return peer;
}

/** A listener whose connections a test takes one by one. */
export interface RawListener {
  readonly port: number;
  readonly peers: readonly RawPeer[];
  /** The connection of that number, once it is there. */
  peer(index: number): Promise<RawPeer>;
  close(): Promise<void>;
}

export async function listenRaw(): Promise<RawListener> {
  const peers: RawPeer[] = [];
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    peers.push(new RawPeer(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('No port');
  return {
    port: address.port,
    peers,
    async peer(index) {
      await turnsUntil(() => peers.length > index);
      const peer = peers[index];
      if (peer === undefined) throw new Error('No such connection');
      return peer;
    },
    close: () =>
      new Promise((resolve) => {
        for (const { socket } of peers) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

/** Lets the event loop turn until the condition holds: for states that have no event. */
export async function turnsUntil(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** Lets the event loop poll its sockets a few times: for what must not happen. */
export async function turns(count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn++) {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}
