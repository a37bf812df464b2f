import { TurnableClock } from '@portolan/testing';
import { expect, test } from 'vitest';
import { createResponseLimiter } from './response-limiter.ts';

test('a source gets so many answers a second, then TC and silence in turn', async () => {
  const clock = new TurnableClock();
  const judge = createResponseLimiter(2, clock);
  const verdicts = () => Array.from({ length: 5 }, () => judge('10.0.0.1'));
  expect(verdicts()).toEqual(['send', 'send', 'truncate', 'drop', 'truncate']);
  await clock.advance(500);
  expect(judge('10.0.0.1')).toBe('send');
  expect(judge('10.0.0.1')).not.toBe('send');
  await clock.advance(60_000);
  expect(verdicts().filter((verdict) => verdict === 'send')).toHaveLength(2);
});

test('sources do not take from each other, but all of an IPv6 network are one', () => {
  const judge = createResponseLimiter(1, new TurnableClock());
  expect([judge('10.0.0.1'), judge('10.0.0.2')]).toEqual(['send', 'send']);
  expect([judge('fd00::1'), judge('fd00::2'), judge('fd00:0:0:1::2')]).toEqual([
    'send',
    'truncate',
    'send',
  ]);
});

test('so many sources that the oldest is forgotten take no more memory', () => {
  const judge = createResponseLimiter(1, new TurnableClock());
  judge('10.0.0.1');
  expect(judge('10.0.0.1')).toBe('truncate');
  for (let at = 0; at < 10_000; at++) judge(`source-${at}`);
  expect(judge('10.0.0.1')).toBe('send');
});

test('0 is no limit', () => {
  const judge = createResponseLimiter(0, new TurnableClock());
  expect(Array.from({ length: 5_000 }, () => judge('10.0.0.1'))).not.toContain('drop');
});
