import { expect, it } from 'vitest';
import { interpolate } from './interpolate.ts';

const variable = (expression: string) => `\${${expression}}`;

it('replaces a variable, and takes the default when it is missing or empty', () => {
  const text = `a-${variable('X')}-${variable('Y:-fall back')}-${variable('Z:-z')}`;
  expect(interpolate(text, { X: '1', Z: '' })).toEqual({ ok: true, text: 'a-1-fall back-z' });
});

it('names a variable that is missing and has no default', () => {
  expect(interpolate(variable('DB_URL'), {})).toEqual({
    ok: false,
    problem: 'the environment variable DB_URL is not set and has no default',
  });
});

it('leaves an escaped expression as text', () => {
  expect(interpolate(`$${variable('X')} ${variable('X')}`, { X: '1' })).toEqual({
    ok: true,
    text: `${variable('X')} 1`,
  });
});

it('does not look again at what a variable holds', () => {
  expect(interpolate(variable('X'), { X: variable('X') })).toEqual({
    ok: true,
    text: variable('X'),
  });
});

it.each([variable('1X'), variable(''), variable('A-B'), '${', 'x${Y'])(
  'refuses the malformed %s',
  (text) => {
    expect(interpolate(text, { A: '1', Y: '1' }).ok).toBe(false);
  },
);
