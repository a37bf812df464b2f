import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SseError, type SseEvent, SseParser } from './sse-parser.ts';

const LIMITS = { lineLimit: 1_000, eventLimit: 1_000 };

function parseInPieces(text: string, cuts: readonly number[] = [], limits = LIMITS): SseEvent[] {
  const bytes = new TextEncoder().encode(text);
  const events: SseEvent[] = [];
  const parser = new SseParser(limits, (event) => void events.push(event));
  let from = 0;
  for (const cut of [...cuts.map((at) => at % (bytes.length + 1)).sort((a, b) => a - b)]) {
    parser.push(bytes.subarray(from, cut));
    from = cut;
  }
  parser.push(bytes.subarray(from));
  return events;
}

const SAMPLE =
  '\ufeff: hello\r\nid: 7\r\nevent: view\r\ndata: {"é":"😀"}\r\n\r\ndata\ndata:two\n\n' +
  'event:x\rdata:  spaced\r\rid: bad\0id\nretry: 5\nunknown: z\ndata: a:b\n\r\ndata: unfinished';

const EXPECTED: SseEvent[] = [
  { type: 'view', data: '{"é":"😀"}', id: '7' },
  { type: 'message', data: '\ntwo', id: '7' },
  { type: 'x', data: ' spaced', id: '7' },
  { type: 'message', data: 'a:b', id: '7' },
];

describe('the event-stream parser', () => {
  test('reads every line end, comments, several data lines and the last id', () => {
    expect(parseInPieces(SAMPLE)).toEqual(EXPECTED);
  });

  test('gives the same events for every split in two', () => {
    const length = new TextEncoder().encode(SAMPLE).length;
    for (let at = 0; at <= length; at++) expect(parseInPieces(SAMPLE, [at])).toEqual(EXPECTED);
  });

  test('gives the same events byte by byte and for any split', () => {
    const length = new TextEncoder().encode(SAMPLE).length;
    expect(
      parseInPieces(
        SAMPLE,
        Array.from({ length }, (_, at) => at),
      ),
    ).toEqual(EXPECTED);
    fc.assert(
      fc.property(fc.array(fc.nat({ max: length })), (cuts) => {
        expect(parseInPieces(SAMPLE, cuts)).toEqual(EXPECTED);
      }),
    );
  });

  test('reads back whatever data a server can send, for any split', () => {
    const line = fc.string({ unit: 'binary', maxLength: 40 }).map((s) => s.replace(/[\r\n]/g, ' '));
    fc.assert(
      fc.property(
        fc.array(fc.array(line, { minLength: 1, maxLength: 3 }), { maxLength: 4 }),
        fc.array(fc.nat({ max: 2_000 })),
        fc.constantFrom('\n', '\r', '\r\n'),
        (messages, cuts, end) => {
          const text = messages
            .map((lines) => lines.map((value) => `data: ${value}${end}`).join('') + end)
            .join('');
          expect(parseInPieces(text, cuts).map((event) => event.data)).toEqual(
            messages.map((lines) => lines.join('\n')),
          );
        },
      ),
    );
  });

  test('an event without data is none', () => {
    expect(parseInPieces('event: view\nid: 3\n\n\n\n')).toEqual([]);
  });

  test('refuses a line or an event beyond its limit, finished or not', () => {
    const limits = { lineLimit: 10, eventLimit: 12 };
    expect(() => parseInPieces('data: 12345', [], limits)).toThrow(SseError);
    expect(() => parseInPieces('data: 1\n'.repeat(7), [], limits)).toThrow(SseError);
    expect(parseInPieces(`${'data: 1\n'.repeat(6)}\n`, [], limits)).toHaveLength(1);
  });

  test('refuses bytes that are not UTF-8', () => {
    const parser = new SseParser(LIMITS, () => undefined);
    expect(() => parser.push(Uint8Array.of(0x64, 0xff))).toThrow(SseError);
  });
});
