import { connect, Socket, type SocketConstructorOpts } from 'node:net';

/** Takes the bytes a socket reads. */
export interface PieceTaker {
  /** A `borrowed` piece is overwritten after the call: what is kept of it has to be copied. */
  takePiece(piece: Buffer, borrowed: boolean): void;
  /** Whether the next bytes are likely many, and kept or sent on as they are. */
  readonly expectsMuch: boolean;
}

const READ_BYTES = 65_536;
/** From here on a piece is worth the buffer it lies in; a smaller one is cheaper copied. */
const HAND_OUT_BYTES = 16_384;
/** Heads and small bodies of all sockets are read into this: a read is done with before the next one begins. */
const SHARED = Buffer.allocUnsafeSlow(READ_BYTES);

const READERS = new WeakMap<Socket, SocketReader>();

/**
 * Reads a socket through its `onread` option: no buffer is made for a read, and the stream machinery is passed by. As long as
 * nobody takes the pieces, they go into the socket's own stream, as with any other socket.
 */
class SocketReader {
  taker: PieceTaker | undefined;
  socket: Socket | undefined;
  #buffer: Buffer | undefined;
  #handedOut = false;
  readonly options = {
    buffer: (): Buffer => this.#nextBuffer(),
    callback: (bytes: number, buffer: Uint8Array): boolean => this.#onRead(bytes, buffer as Buffer),
  };

  #nextBuffer(): Buffer {
    const wantsOwn = this.taker?.expectsMuch === true;
    if (!wantsOwn) this.#buffer = SHARED;
    else if (this.#buffer === SHARED || this.#handedOut) {
      this.#buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    }
    this.#handedOut = false;
    return this.#buffer ?? SHARED;
  }

  #onRead(bytes: number, buffer: Buffer): boolean {
    const piece = buffer.subarray(0, bytes);
    const { taker } = this;
    if (taker === undefined) return this.socket?.push(Buffer.from(piece)) ?? true;
    this.#handedOut = buffer !== SHARED && bytes >= HAND_OUT_BYTES;
    taker.takePiece(piece, !this.#handedOut);
    return true;
  }
}

/** Dials over TCP, with a socket that `takePieces` reads directly. */
export function dialTcp(address: string, port: number): Socket {
  const reader = new SocketReader();
  const socket = connect({ host: address, port, noDelay: true, onread: reader.options });
  return registered(socket, reader);
}

interface HandleOwner {
  _handle: { useUserBuffer?: unknown } | null;
}

/**
 * The connection of a socket accepted with `pauseOnConnect`, in a socket that `takePieces` reads directly. `net.Server` has no
 * `onread` option, so the handle changes its owner; where that cannot be, the accepted socket itself is returned.
 */
export function adoptAccepted(accepted: Socket): Socket {
  const owner = accepted as unknown as HandleOwner;
  const handle = owner._handle;
  if (typeof handle?.useUserBuffer !== 'function') {
    accepted.resume();
    return accepted;
  }
  const reader = new SocketReader();
  owner._handle = null;
  accepted.destroy();
  const options = { handle, allowHalfOpen: true, onread: reader.options };
  return registered(new Socket(options as unknown as SocketConstructorOpts), reader);
}

function registered(socket: Socket, reader: SocketReader): Socket {
  reader.socket = socket;
  READERS.set(socket, reader);
  return socket;
}

/** Gives all bytes read from now on to `taker`; the returned function gives them back to the socket's stream. */
export function takePieces(socket: Socket, taker: PieceTaker): () => void {
  const reader = READERS.get(socket);
  if (reader === undefined) {
    const onData = (piece: Buffer): void => taker.takePiece(piece, false);
    socket.on('data', onData);
    return () => socket.off('data', onData);
  }
  reader.taker = taker;
  return () => {
    if (reader.taker === taker) reader.taker = undefined;
  };
}
