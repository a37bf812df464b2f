import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RegistryError } from '../errors/registry-error.ts';
import { FrameReader } from './frame-reader.ts';
import {
  decodeNumbers,
  encodeFrame,
  encodeNumbers,
  FRAME,
  FRAME_HEADER_BYTES,
  type FrameType,
} from './frames.ts';

const LIMIT_BYTES = 20_000;
const CLIENT_TYPES = Object.values(FRAME).filter((type) => type < FRAME.HELLO);

const aFrame = fc.record({
  type: fc.constantFrom<FrameType>(...CLIENT_TYPES),
  request: fc.nat(0xffff_ffff),
  payload: fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.uint8Array({ minLength: 5_000, maxLength: LIMIT_BYTES, size: 'max' }),
  ),
});

function concat(pieces: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(pieces.flatMap((piece) => [...piece]));
}

/** Feeds the bytes cut at the given places, in memory that is overwritten afterwards as a socket's is. */
function readAll(reader: FrameReader, bytes: Uint8Array, cuts: readonly number[]) {
  const frames: { type: number; request: number; payload: number[] }[] = [];
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  for (const to of [...places, bytes.length]) {
    const lent = bytes.slice(from, to);
    from = to;
    reader.feed(lent);
    for (let frame = reader.next(); frame; frame = reader.next()) {
      frames.push({ ...frame, payload: [...frame.payload] });
    }
    reader.keep();
    lent.fill(0xee);
  }
  return frames;
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as RegistryError).code;
  }
  return 'none';
}

describe('the reader of frames', () => {
  test('gives the frames that were written, however their bytes are split', () => {
    fc.assert(
      fc.property(
        fc.array(aFrame, { maxLength: 12 }),
        fc.array(fc.nat(200_000), { maxLength: 60 }),
        (frames, cuts) => {
          const bytes = concat(
            frames.map(({ type, request, payload }) => encodeFrame(type, request, payload)),
          );
          const reader = new FrameReader('client', LIMIT_BYTES);
          expect(readAll(reader, bytes, cuts)).toEqual(
            frames.map((frame) => ({ ...frame, payload: [...frame.payload] })),
          );
          expect(reader.pendingBytes).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('finds the same fault, after the same frames, however the bytes are split', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 8 }),
        fc.array(fc.nat(600), { maxLength: 12 }),
        (noise, cuts) => {
          const bytes = concat([encodeFrame(FRAME.PING, 7), ...noise]);
          const read = (places: readonly number[]) => {
            const reader = new FrameReader('client', 64);
            const seen: number[] = [];
            const fault = codeOf(() => {
              let from = 0;
              for (const to of [...places, bytes.length]) {
                reader.feed(bytes.slice(from, to));
                from = to;
                for (let frame = reader.next(); frame; frame = reader.next()) seen.push(frame.type);
                reader.keep();
              }
            });
            return { seen, fault };
          };
          const places = [...new Set(cuts.filter((cut) => cut < bytes.length))];
          expect(read(places.sort((a, b) => a - b))).toEqual(read([]));
        },
      ),
    );
  });

  test('refuses a length above the limit by its header alone, before anything is kept for it', () => {
    const reader = new FrameReader('client', 100);
    const header = encodeFrame(FRAME.REGISTER, 1, new Uint8Array(101)).subarray(
      0,
      FRAME_HEADER_BYTES,
    );
    reader.feed(header);
    expect(codeOf(() => reader.next())).toBe('BODY_TOO_LARGE');
  });

  test.each([
    ['unknown types', 0],
    ['unknown types', 99],
    ['what only servers say', FRAME.HELLO],
  ])('refuses %s (%i)', (_what, type) => {
    const frame = encodeFrame(FRAME.PING, 1);
    frame[4] = type;
    const reader = new FrameReader('client', 100);
    reader.feed(frame);
    expect(codeOf(() => reader.next())).toBe('FRAME_INVALID');
  });

  test('holds as much as arrived, not as much as was announced', () => {
    const reader = new FrameReader('client', 1_000_000);
    const frame = encodeFrame(FRAME.REGISTER, 1, new Uint8Array(900_000));
    for (let at = 0; at < 5_000; at++) {
      reader.feed(frame.slice(at, at + 1));
      expect(reader.next()).toBeUndefined();
      reader.keep();
    }
    expect(reader.pendingBytes).toBe(5_000);
  });
});

test('numbers survive the wire, and half a number does not', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(0xffff_ffff)), (numbers) => {
      expect(decodeNumbers(encodeNumbers(numbers))).toEqual(numbers);
    }),
  );
  expect(decodeNumbers(new Uint8Array(7))).toBeUndefined();
});
