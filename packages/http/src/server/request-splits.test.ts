import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { serve } from '../test-peers/fed-server-connection.ts';
import { REQUEST_FIXTURES } from '../test-peers/request-fixtures.ts';

const CASES = REQUEST_FIXTURES.map((fixture) => ({
  ...fixture,
  shown: fixture.bytes.slice(0, 60),
}));

describe('the requests of a connection', () => {
  it.each(CASES)('are what they are taken for: $what, $shown', ({ bytes, fault }) => {
    const text = serve([bytes], 'at once').join('\n');
    // The memory it came in was overwritten.
    expect(text).not.toContain('#');
    if (fault === undefined) expect(text).not.toMatch(/HTTP\/1\.1 [45]/);
    else expect(text).toMatch(new RegExp(`HTTP/1.1 [45]\\d\\d [^"]*Code: ${fault}[^"]*"\nended$`));
  });

  it.each(CASES)('are the same wherever they are split: $what, $shown', ({ bytes }) => {
    for (const appetite of ['at once', 'late'] as const) {
      const whole = serve([bytes], appetite);
      for (let cut = 1; cut < bytes.length; cut++) {
        const pieces = [bytes.slice(0, cut), bytes.slice(cut)];
        expect(serve(pieces, appetite), `split at ${cut}`).toEqual(whole);
      }
      expect(serve([...bytes], appetite), 'byte by byte').toEqual(whole);
    }
  });

  it.each([
    ['BARE_CR', 'A: b\rC'],
    ['BARE_LF', 'A: b\n'],
    ['CONTROL_CHARACTER', 'A: b\0'],
  ])('are refused at a byte of %s, though no more comes', (fault, line) => {
    const text = `GET / HTTP/1.1\r\nHost: a\r\n${line}`;
    for (const pieces of [[text], [...text]]) {
      expect(serve(pieces, 'at once', false).join()).toContain(`Code: ${fault}`);
    }
  });

  it('are the same in any pieces, whatever follows whatever', () => {
    const good = REQUEST_FIXTURES.filter(({ fault }) => fault === undefined);
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...good), { maxLength: 3 }),
        fc.constantFrom(...REQUEST_FIXTURES),
        fc.array(fc.nat(2_000), { maxLength: 12 }),
        fc.constantFrom('at once', 'late'),
        (before, last, places, appetite) => {
          const text = [...before, last].map(({ bytes }) => bytes).join('');
          const cuts = places.map((at) => at % (text.length + 1)).sort((a, b) => a - b);
          const pieces = [0, ...cuts].map((from, at) => text.slice(from, cuts[at]));
          const fed = pieces.filter((piece) => piece !== '');
          expect(serve(fed, appetite)).toEqual(serve(text === '' ? [] : [text], appetite));
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
