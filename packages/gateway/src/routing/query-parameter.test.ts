import { describe, expect, it } from 'vitest';
import { queryParameter } from './query-parameter.ts';

describe('a query parameter', () => {
  it('is found by its name, the first one counting', () => {
    expect(queryParameter('?a=1&b=2&a=3', 'a')).toBe('1');
    expect(queryParameter('?a=1&b=2', 'b')).toBe('2');
    expect(queryParameter('?aa=1', 'a')).toBeUndefined();
    expect(queryParameter('', 'a')).toBeUndefined();
  });

  it('may be empty or without a sign', () => {
    expect(queryParameter('?a=&b', 'a')).toBe('');
    expect(queryParameter('?a=&b', 'b')).toBe('');
    expect(queryParameter('?b&a=x=y', 'a')).toBe('x=y');
    expect(queryParameter('?b&c=1', 'b')).toBe('');
  });

  it('is decoded, name and value, and left alone where that is impossible', () => {
    expect(queryParameter('?a%5B%5D=%20x', 'a[]')).toBe(' x');
    expect(queryParameter('?a=%ff', 'a')).toBe('%ff');
  });
});
