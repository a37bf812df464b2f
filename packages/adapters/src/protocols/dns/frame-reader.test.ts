import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createFrameReader } from './frame-reader.ts';

function framed(message: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([message.length >> 8, message.length & 0xff]), message]);
}

test('messages come out as they went in, wherever the stream was cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
      (messages, cuts) => {
        const stream = Buffer.concat(messages.map(framed));
        const reader = createFrameReader(100);
        const out: Uint8Array[] = [];
        for (let at = 0, turn = 0; at < stream.length; turn++) {
          const end = at + (cuts[turn % cuts.length] as number);
          reader.push(stream.subarray(at, end));
          at = end;
          for (let next = reader.next(); next !== undefined; next = reader.next()) {
            if (next === 'too-long') throw new Error('none is');
            out.push(new Uint8Array(next));
          }
        }
        expect(out).toEqual(messages.map((message) => new Uint8Array(message)));
      },
    ),
  );
});

test('a message longer than allowed is refused before it has come', () => {
  const reader = createFrameReader(10);
  reader.push(Buffer.from([0, 11]));
  expect(reader.next()).toBe('too-long');
});
