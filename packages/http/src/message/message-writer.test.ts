import { describe, expect, it } from 'vitest';
import { dialRaw, listenRaw, type RawPeer } from '../test-peers/raw-peer.ts';
import { type BodyFraming, CHUNKED, lengthFraming, NO_BODY } from './framing.ts';
import { MessageWriter } from './message-writer.ts';

async function written(write: (writer: MessageWriter, peer: RawPeer) => void): Promise<string> {
  const listener = await listenRaw();
  const near = await dialRaw(listener.port);
  const far = await listener.peer(0);
  try {
    write(new MessageWriter(near.socket), near);
    near.socket.end();
    return await far.untilEnded();
  } finally {
    near.socket.destroy();
    await listener.close();
  }
}

describe('a message writer', () => {
  it.each<[string, BodyFraming, string]>([
    ['HEADabcde', lengthFraming(5), 'length'],
    ['HEAD3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n', CHUNKED, 'chunks'],
    ['HEAD', NO_BODY, 'nothing of a body that must not be'],
  ])('sends %j with %o: %s', async (expected, framing) => {
    const received = await written((writer) => {
      writer.begin('HEAD', framing);
      writer.write(Buffer.from('abc'));
      // A chunk of no bytes would end the body.
      writer.write(Buffer.alloc(0));
      writer.end(Buffer.from('de'));
      writer.end(Buffer.from('late'));
    });
    expect(received).toBe(expected);
  });

  it.each([70_000, 10])('keeps the order of head, piece and framing for %d bytes', async (size) => {
    const body = 'x'.repeat(size);
    const received = await written((writer) => {
      writer.begin('HEAD', CHUNKED);
      writer.write(Buffer.from(body));
      writer.end(undefined, 'A: b\r\n');
    });
    expect(received).toBe(`HEAD${size.toString(16)}\r\n${body}\r\n0\r\nA: b\r\n\r\n`);
  });

  it('lets nothing of a piece that is too long leave', async () => {
    const received = await written((writer) => {
      writer.begin('HEAD', lengthFraming(4));
      writer.write(Buffer.from('abc'));
      expect(() => writer.write(Buffer.from('de'))).toThrow(RangeError);
      expect(() => writer.end()).toThrow(RangeError);
    });
    expect(received).toBe('HEADabc');
  });
});
