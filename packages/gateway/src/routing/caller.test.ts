import { describe, expect, it } from 'vitest';
import { callerOf, cookieValue } from './caller.ts';
import type { RouteQuery } from './route-match.ts';

const query: RouteQuery = {
  host: 'h',
  path: '/',
  method: 'GET',
  secure: false,
  clientIp: '192.0.2.9',
  header: (name) => ({ 'x-user': 'ann', cookie: 'a=1; sid=s-7;b="q"' })[name],
  queryParameter: (name) => (name === 'u' ? 'bob' : undefined),
};

describe('the caller', () => {
  it('is what the key points at', () => {
    expect(callerOf({ kind: 'header', name: 'X-User' }, query)).toBe('ann');
    expect(callerOf({ kind: 'query', name: 'u' }, query)).toBe('bob');
    expect(callerOf({ kind: 'source' }, query)).toBe('192.0.2.9');
    expect(callerOf({ kind: 'cookie', name: 'sid' }, query)).toBe('s-7');
    expect(callerOf({ kind: 'cookie', name: 'none' }, query)).toBeUndefined();
  });

  it('is read from a cookie by its whole name', () => {
    expect(cookieValue('xsid=1; sid=2', 'sid')).toBe('2');
    expect(cookieValue('sid', 'sid')).toBeUndefined();
    expect(cookieValue('a; sid=', 'sid')).toBe('');
    expect(cookieValue('a="x;sid=3', 'sid')).toBe('3');
    expect(cookieValue(undefined, 'sid')).toBeUndefined();
    expect(cookieValue('b="q"', 'b')).toBe('"q"');
  });
});
