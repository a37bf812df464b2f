import { describe, expect, it } from 'vitest';
import {
  compareReadings,
  findDifference,
  LENIENCIES,
  REQUESTS,
  STRICTER,
} from './find-difference.ts';
import type { Reading } from './llhttp-reader.ts';
import type { ReadRequest } from './reading.ts';
import { RESPONSE_STRICTER, RESPONSES } from './response-difference.ts';
import { aCase } from './run-cases.ts';

const SEED = 20_261_124;
const CASES = 20_000;

describe('beside the parser of the runtime', () => {
  it(`the engine reads ${CASES} streams alike, or refuses by a rule it can name`, () => {
    const surprises: string[] = [];
    const excuses = new Set<string>();
    // Too rare for the slice: the runtime overlooks a coding that has a tab behind it, and the one that follows.
    const lines = 'Transfer-Encoding: chunked\t\r\nTransfer-Encoding: xchunked\r\n';
    const rare = findDifference(Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\n${lines}\r\n`));
    excuses.add(rare.excuse ?? '');
    let agreed = 0;
    for (let at = 0; at < CASES; at++) {
      const text = aCase(REQUESTS, SEED, at);
      const comparison = findDifference(Buffer.from(text, 'latin1'));
      agreed += comparison.agreed;
      if (comparison.excuse !== undefined) excuses.add(comparison.excuse);
      if (comparison.difference !== undefined) {
        surprises.push(`case ${at}: ${comparison.difference}: ${JSON.stringify(text)}`);
      }
    }
    expect(surprises).toEqual([]);
    // The streams are about something: every rule is met, and much is read by both.
    expect([...STRICTER.keys()].filter((fault) => !excuses.has(fault))).toEqual([]);
    expect(excuses).toContain(LENIENCIES[0]?.rule);
    expect(agreed).toBeGreaterThan(CASES / 3);
  });
});

describe('beside the parser of the runtime, for responses', () => {
  it(`the engine reads ${CASES} responses alike, or refuses by a rule it can name`, () => {
    const surprises: string[] = [];
    const excuses = new Set<string>();
    let agreed = 0;
    for (let at = 0; at < CASES; at++) {
      const text = aCase(RESPONSES, SEED, at);
      const comparison = RESPONSES.compare(Buffer.from(text, 'latin1'));
      agreed += comparison.agreed;
      if (comparison.excuse !== undefined) excuses.add(comparison.excuse);
      if (comparison.difference !== undefined) {
        surprises.push(`case ${at}: ${comparison.difference}: ${JSON.stringify(text)}`);
      }
    }
    expect(surprises).toEqual([]);
    expect([...RESPONSE_STRICTER.keys()].filter((fault) => !excuses.has(fault))).toEqual([]);
    expect(agreed).toBeGreaterThan(CASES / 4);
  });
});

const REQUEST: ReadRequest = {
  method: 'GET',
  target: '/',
  authority: undefined,
  minorVersion: 1,
  fields: ['Host', 'a'],
  keepAlive: true,
  upgrade: false,
  complete: true,
  body: 'abc',
  trailers: [],
};
const reading = (changes: Partial<ReadRequest>, fault?: string): Reading<ReadRequest> => ({
  messages: [{ ...REQUEST, ...changes }],
  fault,
});
const NOTHING: Reading<ReadRequest> = { messages: [], fault: undefined };
const refused = (fault: string): Reading<ReadRequest> => ({ messages: [], fault });

describe('a comparison', () => {
  it.each([
    ['another method', reading({ method: 'get' })],
    ['another target', reading({ target: '/a' })],
    ['another authority', reading({ authority: 'b' })],
    ['another version', reading({ minorVersion: 0 })],
    ['a field more', reading({ fields: ['Host', 'a', 'A', 'b'] })],
    ['another value', reading({ fields: ['Host', 'b'] })],
    ['another body', reading({ body: 'ab' })],
    ['a trailer', reading({ trailers: ['A', 'b'] })],
    ['the end of the connection', reading({ keepAlive: false })],
    ['an upgrade', reading({ upgrade: true })],
    ['a body that goes on', reading({ complete: false })],
    ['a faulty body', reading({ complete: false }, 'HPE_INVALID_CHUNK_SIZE')],
    ['a head that goes on', NOTHING],
    ['a faulty head', refused('HPE_INVALID_HEADER_TOKEN')],
    ['a second request', { messages: [REQUEST, REQUEST], fault: undefined }],
  ])('notices where the runtime sees %s', (_what, theirs) => {
    expect(compareReadings(reading({}), theirs).difference).toBeDefined();
  });

  it('excuses a refusal by its rule, and no other', () => {
    expect(compareReadings(refused('HOST_INVALID'), reading({})).difference).toBeUndefined();
    expect(compareReadings(refused('FIELD_NAME_INVALID'), reading({})).difference).toBeDefined();
  });
});
