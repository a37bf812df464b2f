import { countOf, textAt } from '@portolan/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJsonBody } from '../../body/json-body.ts';
import { HEARTBEAT_BATCH_MAX, heartbeatBatchSchema } from './heartbeat-schema.ts';
import { readPlainHeartbeats } from './plain-heartbeats.ts';

/** As the schema reads it; undefined where it refuses. */
function bySchema(body: Buffer): readonly string[] | undefined {
  let value: unknown;
  try {
    value = parseJsonBody(body, { limitBytes: 4 * 2 ** 20 });
  } catch {
    return undefined;
  }
  return heartbeatBatchSchema.safeParse(value).data?.ids;
}

function byHand(body: Buffer): readonly string[] | undefined {
  const ids = readPlainHeartbeats(body);
  return ids && Array.from({ length: countOf(ids) }, (_, at) => textAt(ids, at));
}

const character = fc.integer({ min: 0, max: 0x17f }).map((code) => String.fromCharCode(code));
const plainId = fc.stringMatching(/^[A-Za-z0-9][!$&-.0-;=@-[\]-~]{0,20}$/);
const id = fc.oneof(
  { weight: 6, arbitrary: plainId },
  fc.string({ minLength: 1, maxLength: 12 }),
  fc.tuple(fc.constantFrom('a', 'Z', '0'), character).map((both) => both.join('')),
  fc.constantFrom('i-1', '', 'x'.repeat(256), 'x'.repeat(257), '-a'),
);
const space = fc.constantFrom('', '', ' ', '\n\t', '\r');
const token = fc.constantFrom(
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '"',
  '\\',
  '"ids"',
  '"id"',
  '0',
  '\u00a0',
  '\v',
);

const written = fc
  .tuple(fc.array(id, { maxLength: 6 }), fc.array(space, { minLength: 20, maxLength: 20 }))
  .map(([ids, spaces]) => {
    let at = 0;
    const between = (): string => spaces[at++ % spaces.length] ?? '';
    const items = ids.map((each) => between() + JSON.stringify(each) + between());
    return `${between()}{${between()}"ids"${between()}:${between()}[${items.join(',')}]${between()}}${between()}`;
  });
/** With tokens put in or in the place of what was there. */
const spoilt = fc
  .tuple(written, fc.array(fc.tuple(fc.nat(), fc.nat(2), token), { maxLength: 3 }))
  .map(([text, edits]) => {
    let now = text;
    for (const [place, cut, more] of edits) {
      const at = place % (now.length + 1);
      now = now.slice(0, at) + more + now.slice(at + cut);
    }
    return now;
  });

describe('heartbeats read by hand', () => {
  it('are those that the schema reads, or left to it', () => {
    let taken = 0;
    fc.assert(
      fc.property(fc.oneof(written, spoilt), (text) => {
        const body = Buffer.from(text);
        const found = byHand(body);
        if (found === undefined) return;
        taken++;
        expect(found).toEqual(bySchema(body));
      }),
      { numRuns: 3_000 },
    );
    expect(taken).toBeGreaterThan(300);
  });

  it('are read whenever they are plain', () => {
    const plain = fc.array(plainId, { minLength: 1 });
    fc.assert(
      fc.property(plain, (ids) => {
        expect(byHand(Buffer.from(JSON.stringify({ ids }, null, 1)))).toEqual(ids);
      }),
    );
  });

  it.each([1, HEARTBEAT_BATCH_MAX, HEARTBEAT_BATCH_MAX + 1])('are at most a batch: %i', (count) => {
    const body = Buffer.from(JSON.stringify({ ids: Array.from({ length: count }, () => 'i') }));
    expect(byHand(body)?.length).toBe(count > HEARTBEAT_BATCH_MAX ? undefined : count);
    expect(bySchema(body)?.length).toBe(byHand(body)?.length);
  });

  it('end where the body ends', () => {
    const whole = Buffer.from('{"ids":["abc","d"]}');
    for (let length = 0; length < whole.length; length++) {
      expect(byHand(whole.subarray(0, length))).toBeUndefined();
    }
  });
});
