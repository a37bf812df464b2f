import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { adoptAccepted, dialTcp, type PieceTaker, takePieces } from './socket-reader.ts';

let server: Server;
let near: Socket;
let far: Socket;

beforeEach(async () => {
  server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  near = dialTcp('127.0.0.1', (server.address() as AddressInfo).port);
  const [accepted] = (await once(server, 'connection')) as [Socket];
  far = adoptAccepted(accepted);
});

afterEach(async () => {
  near.destroy();
  far.destroy();
  server.close();
});

/** Takes pieces until so many bytes came. */
function taken(socket: Socket, bytes: number): Promise<Buffer[]> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = [];
    let missing = bytes;
    const taker: PieceTaker = {
      takePiece(piece) {
        pieces.push(Buffer.from(piece));
        missing -= piece.length;
        if (missing <= 0) resolve(pieces);
      },
    };
    takePieces(socket, taker);
  });
}

describe('a socket read directly', () => {
  it('keeps every byte of a long stream', async () => {
    const sent = Buffer.from(
      Array.from({ length: 1_000_000 }, (_, at) => (at * 7 + (at >> 8)) & 255),
    );
    const pieces = taken(far, sent.length);
    near.write(sent);
    expect(Buffer.concat(await pieces).equals(sent)).toBe(true);
  });

  it('is an ordinary stream again once nobody takes its pieces', async () => {
    const leave = takePieces(far, { takePiece: () => undefined });
    leave();
    near.end('after the hand-over');
    const pieces: Buffer[] = [];
    for await (const piece of far) pieces.push(piece as Buffer);
    expect(Buffer.concat(pieces).toString()).toBe('after the hand-over');
  });

  it('says when the other side has ended', async () => {
    takePieces(near, { takePiece: () => undefined });
    far.end();
    await once(near, 'end');
    expect(near.readable).toBe(false);
  });
});
