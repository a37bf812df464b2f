import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Base64Decoder } from './base64-decoder.ts';

describe('base64 in pieces', () => {
  it('gives back every byte, wherever it was cut and wherever padding stands', () => {
    const frames = fc.array(fc.uint8Array({ minLength: 1, maxLength: 9 }), { maxLength: 5 });
    const cuts = fc.array(fc.nat(80), { maxLength: 6 });
    void fc.assert(
      fc.property(frames, cuts, (parts, at) => {
        const text = parts.map((part) => Buffer.from(part).toString('base64')).join('');
        const edges = [0, ...at.map((cut) => Math.min(cut, text.length)), text.length];
        edges.sort((a, b) => a - b);
        const decoder = new Base64Decoder();
        const out = edges.slice(1).map((end, index) => {
          return decoder.push(Buffer.from(text.slice(edges[index], end), 'latin1'));
        });
        decoder.end();
        expect(Buffer.concat(out)).toEqual(Buffer.concat(parts));
      }),
    );
  });

  it.each(['!!!!', 'YQ=!', 'Y===', '====', 'YWJj\r\nYW', 'a-_b', 'YQ=='.repeat(2).slice(0, 5)])(
    'refuses %j',
    (text) => {
      const decoder = new Base64Decoder();
      expect(() => {
        decoder.push(Buffer.from(text, 'latin1'));
        decoder.end();
      }).toThrow(RangeError);
    },
  );
});
