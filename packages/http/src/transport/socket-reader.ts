import { connect, Socket, type SocketConstructorOpts } from 'node:net';
import { type NativeSocket, type NativeSocketOwner, takeNatively } from './native-sockets.ts';
import { READ_BYTES } from './read-bytes.ts';

/** Takes the bytes a socket reads. */
export interface PieceTaker {
  /** The piece is lent: it is overwritten after the call, and what is kept of it has to be copied. */
  takePiece(piece: Buffer): void;
}

/** All sockets are read into this: a read is done with before the next one begins. */
const SHARED = Buffer.allocUnsafeSlow(READ_BYTES);

const READERS = new WeakMap<Socket, SocketReader>();

/**
 * Reads a socket through its `onread` option: no buffer is made for a read, and the stream machinery is passed by. As long as
 * nobody takes the pieces, they go into the socket's own stream, as with any other socket.
 */
export class SocketReader implements NativeSocketOwner {
  taker: PieceTaker | undefined;
  socket: Socket | undefined;
  /** While somebody takes the pieces, and where the native transport is there. */
  native: NativeSocket | undefined;
  /** Something written natively was not taken at once by the kernel. */
  onUnsent: () => void = ignore;
  readonly options = {
    buffer: SHARED,
    callback: (bytes: number, buffer: Uint8Array): boolean =>
      this.onPiece((buffer as Buffer).subarray(0, bytes)),
  };

  onReleased(): void {
    this.native = undefined;
  }

  onPiece(piece: Buffer): boolean {
    const { taker } = this;
    if (taker === undefined) return this.socket?.push(Buffer.from(piece)) ?? true;
    taker.takePiece(piece);
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

/** The reader of a socket that was dialled or adopted here. */
export function readerOf(socket: Socket): SocketReader | undefined {
  return READERS.get(socket);
}

/** Gives all bytes read from now on to `taker`; the returned function gives them back to the socket's stream. */
export function takePieces(socket: Socket, taker: PieceTaker): () => void {
  const reader = READERS.get(socket);
  if (reader === undefined) {
    const onData = (piece: Buffer): void => taker.takePiece(piece);
    socket.on('data', onData);
    return () => socket.off('data', onData);
  }
  reader.taker = taker;
  reader.native ??= takeNatively(socket, reader);
  return () => {
    if (reader.taker !== taker) return;
    reader.taker = undefined;
    reader.native?.release();
  };
}

function ignore(): void {}
