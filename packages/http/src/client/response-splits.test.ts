import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answer } from '../test-peers/fed-upstream-connection.ts';
import { RESPONSE_FIXTURES } from '../test-peers/response-fixtures.ts';

const CASES = RESPONSE_FIXTURES.map((fixture) => ({
  ...fixture,
  shown: fixture.bytes.slice(0, 60),
}));

describe('the response of an upstream', () => {
  it.each(CASES)('is what it is taken for: $what, $shown', ({ bytes, askedBy, ending }) => {
    const events = answer([bytes], askedBy);
    expect(events.filter((event) => event.startsWith(ending))).toHaveLength(1);
    expect(events.at(-1)).toBe('gone');
    // The memory it came in was overwritten.
    expect(events.join()).not.toContain('#');
  });

  it.each(CASES)('is the same wherever it is split: $what, $shown', ({ bytes, askedBy }) => {
    const whole = answer([bytes], askedBy);
    for (let cut = 1; cut < bytes.length; cut++) {
      const pieces = [bytes.slice(0, cut), bytes.slice(cut)];
      expect(answer(pieces, askedBy), `split at ${cut}`).toEqual(whole);
    }
    expect(answer([...bytes], askedBy), 'byte by byte').toEqual(whole);
  });

  it('is the same in any pieces', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...RESPONSE_FIXTURES),
        fc.constantFrom('', 'HTTP/1.1 103 Early Hints\r\n\r\n', 'HTTP/1.1 102\r\nA: b\r\n\r\n'),
        fc.array(fc.nat(2_000), { maxLength: 12 }),
        ({ bytes, askedBy }, interim, places) => {
          const text = interim + bytes;
          const cuts = places.map((at) => at % (text.length + 1)).sort((a, b) => a - b);
          const pieces = [0, ...cuts].map((from, at) => text.slice(from, cuts[at]));
          const fed = pieces.filter((piece) => piece !== '');
          expect(answer(fed, askedBy)).toEqual(answer([text], askedBy));
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
