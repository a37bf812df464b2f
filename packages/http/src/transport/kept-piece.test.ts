import fc from 'fast-check';
import { expect, it } from 'vitest';
import { KeptPiece } from './kept-piece.ts';

it('keeps its bytes for as long as anybody holds it, whoever else comes and goes', () => {
  const step = fc.record({
    length: fc.oneof(fc.nat(200), fc.integer({ min: 8_000, max: 140_000 })),
    holders: fc.integer({ min: 1, max: 3 }),
    releases: fc.nat(3),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const alive: { piece: KeptPiece; fill: number; length: number; holders: number }[] = [];
      for (const [at, { length, holders, releases }] of steps.entries()) {
        const fill = at % 251;
        const lent = Buffer.alloc(length, fill);
        const piece = KeptPiece.copyOf(lent);
        lent.fill(255);
        for (let more = 1; more < holders; more++) piece.retain();
        alive.push({ piece, fill, length, holders });
        for (let left = releases; left > 0 && alive[0]; left--) {
          alive[0].piece.release();
          if (--alive[0].holders === 0) alive.shift();
        }
        for (const one of alive) {
          expect(one.piece.bytes.length).toBe(one.length);
          expect(one.piece.bytes.every((byte) => byte === one.fill)).toBe(true);
        }
      }
    }),
    { numRuns: 50 },
  );
});

it('uses memory again', () => {
  const piece = KeptPiece.copyOf(Buffer.alloc(65_536, 1));
  const { buffer } = piece.bytes;
  piece.release();
  const next = KeptPiece.copyOf(Buffer.alloc(60_000, 2));
  expect(next.bytes.buffer).toBe(buffer);
  next.release();
});
