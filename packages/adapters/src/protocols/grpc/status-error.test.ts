import { status } from '@grpc/grpc-js';
import { ERROR_TABLE, type ErrorCode, RegistryError } from '@portolan/core';
import { describe, expect, test } from 'vitest';
import { loadProtos } from './load-protos.ts';
import { toStatusCode, toStatusError } from './status-error.ts';

const { rpc } = loadProtos();
const detailsOf = (error: unknown): string => {
  const [bytes] = toStatusError(error, rpc, 'r1').metadata.get('grpc-status-details-bin');
  return String(bytes);
};

describe('a status', () => {
  test.each(Object.keys(ERROR_TABLE) as ErrorCode[])('of %s is a canonical one', (code) => {
    const error = new RegistryError(code, { detail: 'x' });
    expect(status[toStatusCode(error)]).toBe(ERROR_TABLE[code].grpc);
    expect(detailsOf(error)).toContain(code);
  });

  test('tells nothing of a fault of ours but where the log has it', () => {
    const { code, details } = toStatusError(new TypeError('secret'), rpc, 'r1');
    expect([code, details]).toEqual([status.INTERNAL, expect.stringContaining('r1')]);
    expect(details).not.toContain('secret');
    expect(detailsOf(new TypeError('secret'))).toContain('INTERNAL');
  });

  test('can always be sent: its text is short and well-formed, whatever was cited', () => {
    const error = new RegistryError('VALIDATION_FAILED', {
      detail: `$.id: \ud800${'x'.repeat(9_000)}`,
    });
    const { details } = toStatusError(error, rpc, 'r1');
    expect([details.isWellFormed(), details.startsWith('id: ')]).toEqual([true, true]);
    expect(details.length).toBeLessThanOrEqual(500);
  });

  test('says to clients that try again by themselves when they may', () => {
    const pushback = (retryAfterMs?: number) => {
      const options = { detail: 'x', ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
      const { metadata } = toStatusError(
        new RegistryError('CONTROL_OVERLOADED', options),
        rpc,
        'r',
      );
      return metadata.get('grpc-retry-pushback-ms');
    };
    expect([pushback(1_500.2), pushback()]).toEqual([['1501'], []]);
  });

  test('names the fields at fault, of many some, and when to come back', () => {
    const problems = Array.from({ length: 500 }, (_, at) => ({
      path: `$.tags[${at}]`,
      expected: 'a tag',
      found: '7',
    }));
    const said = detailsOf(
      new RegistryError('VALIDATION_FAILED', { detail: 'x', problems, retryAfterMs: 1_500 }),
    );
    expect(said).toContain('tags[0]');
    expect(said).toContain('expected a tag, found 7');
    expect(said).toContain('google.rpc.RetryInfo');
    expect(said.length).toBeLessThan(4_000);
  });
});
