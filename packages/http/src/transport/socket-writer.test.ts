import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SocketWriter } from './socket-writer.ts';

let server: Server;
let near: Socket;
let far: Socket;

beforeEach(async () => {
  server = createServer({ pauseOnConnect: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  near = connect(address.port, '127.0.0.1');
  [far] = (await once(server, 'connection')) as [Socket];
  await once(near, 'connect');
});

afterEach(() => {
  near.destroy();
  far.destroy();
  server.close();
});

async function readAll(socket: Socket): Promise<Buffer> {
  const pieces: Buffer[] = [];
  socket.on('data', (piece: Buffer) => pieces.push(piece));
  socket.resume();
  await once(socket, 'close');
  return Buffer.concat(pieces);
}

/** Writes until the kernel takes no more; says what was written. */
function fill(writer: SocketWriter): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; ; at++) {
    const piece = Buffer.alloc(65_536, 97 + (at % 26));
    pieces.push(piece);
    if (!writer.writeBytes(piece)) return Buffer.concat(pieces);
    if (at > 1_000) throw new Error('the kernel takes everything');
  }
}

describe('the socket writer', () => {
  it('keeps text, bytes and parts in the order they were written', async () => {
    const writer = new SocketWriter(near);
    for (let at = 0; at < 50; at++) {
      writer.writeText(`t${at}\xe9 `);
      writer.writeBytes(Buffer.from(`b${at} `));
      writer.writeParts('<', Buffer.from(`${at}`), '> ');
    }
    near.end();
    const expected = Array.from({ length: 50 }, (_, at) => `t${at}\xe9 b${at} <${at}> `).join('');
    expect((await readAll(far)).toString('latin1')).toBe(expected);
  });

  it('needs what it was lent no longer than for the call, whether the kernel took it or not', async () => {
    const writer = new SocketWriter(near);
    writer.writeText('first ');
    const lent = Buffer.alloc(65_536);
    const expected = [Buffer.from('first ')];
    let waits = 0;
    for (let at = 0; waits < 3; at++) {
      lent.fill(97 + (at % 26));
      expected.push(Buffer.from('<'), Buffer.from(lent), Buffer.from('>'));
      if (!writer.writeLent('<', lent, '>')) waits++;
      lent.fill('!');
      if (at > 1_000) throw new Error('the kernel takes everything');
    }
    near.end();
    expect((await readAll(far)).equals(Buffer.concat(expected))).toBe(true);
  });

  it('says to wait when the kernel takes no more, and when to go on', async () => {
    const writer = new SocketWriter(near);
    writer.writeText('first');
    const filled = fill(writer);
    expect(writer.needsDrain).toBe(true);
    expect(writer.unsentBytes).toBeGreaterThan(0);
    expect(writer.writeText('behind')).toBe(false);
    const drained = once(near, 'drain');
    const read = readAll(far);
    await drained;
    expect(writer.needsDrain).toBe(false);
    expect(writer.writeText('last')).toBe(true);
    near.end();
    const expected = Buffer.concat([
      Buffer.from('first'),
      filled,
      Buffer.from('behind'),
      Buffer.from('last'),
    ]);
    expect((await read).equals(expected)).toBe(true);
  });

  it('has what waits delivered before the socket ends, also when it is to be destroyed soon', async () => {
    const writer = new SocketWriter(near);
    writer.writeText('first');
    const filled = fill(writer);
    near.destroySoon();
    const read = await readAll(far);
    expect(read.length).toBe(filled.length + 5);
  });

  it('destroys the socket when a write fails, and takes everything after that for written', async () => {
    const writer = new SocketWriter(near);
    writer.writeText('first');
    const failed = once(near, 'error');
    far.resetAndDestroy();
    await failed;
    expect(near.destroyed).toBe(true);
    expect(writer.destroyed).toBe(true);
  });
});
