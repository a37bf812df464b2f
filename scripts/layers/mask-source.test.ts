import { describe, expect, test } from 'vitest';
import { maskSource } from './mask-source.ts';

describe('masking source text', () => {
  test.each([
    ['a // Date.now\nb', 'a            \nb'],
    ['a /* x\ny */ b', 'a     \n     b'],
    [`f('it''s', "q")`, `f('  '' ', " ")`],
    [String.raw`'\'' + b`, `'  ' + b`],
    ['a / b / c', 'a / b / c'],
    [String.raw`x = /['"/]\//g; y`, 'x = /       /g; y'],
    ['`a $@b + `c $@d}` + {}} e` + f', '`  $@b + `  $@d}` + {}}  ` + f'].map((part) =>
      part.replaceAll('@', '{'),
    ),
  ])('of %j leaves code, offsets and line ends', (text = '', expected = '') => {
    expect(maskSource(text)).toBe(expected);
    expect(maskSource(text)).toHaveLength(text.length);
  });
});
