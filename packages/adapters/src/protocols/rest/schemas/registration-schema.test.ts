import { isRegistryError } from '@portolan/core';
import { describe, expect, it } from 'vitest';
import { validate } from '../body/body-codec.ts';
import {
  registrationCodec,
  registrationSchema,
  toRegistrationInput,
} from './registration-schema.ts';

function read(body: unknown) {
  const result = validate(registrationCodec, body);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return toRegistrationInput(result.value);
}
function problems(body: unknown) {
  const result = validate(registrationCodec, body);
  return result.ok ? [] : result.problems;
}

describe('a registration', () => {
  it('is taken in each of the shapes of the documentation', () => {
    const examples = registrationSchema.meta()?.examples as unknown[];
    expect(examples).toHaveLength(3);
    for (const example of examples) expect(read(example).service.name).toBe('user-service');
  });

  it('turns a ttl into a lease whose heartbeat is a third of it', () => {
    expect(read({ service: 'a', ip: '10.0.0.1', port: 80, ttl: 30 }).lease).toEqual({
      ttlMs: 30_000,
      heartbeatMs: 10_000,
    });
  });

  it('turns numbers and booleans of metadata into strings', () => {
    const { metadata } = read({ name: 'a', host: 'b', port: 1, meta: { n: 1, b: true, s: 'x' } });
    expect(metadata).toEqual({ n: '1', b: 'true', s: 'x' });
  });

  it('reads an http check into a probe with its schedule', () => {
    const check = {
      http: 'http://10.0.0.1/health',
      interval: '10s',
      expectStatus: ['200-204', 301],
    };
    expect(read({ service: 'a', ip: '10.0.0.1', port: 80, check }).checks).toEqual([
      {
        intervalMs: 10_000,
        probe: {
          kind: 'http',
          url: 'http://10.0.0.1/health',
          method: 'GET',
          headers: {},
          expectStatus: [
            { from: 200, to: 204 },
            { from: 301, to: 301 },
          ],
          skipTlsVerify: false,
        },
      },
    ]);
  });

  it('tells all problems at once, with paths, expectation and what was found', () => {
    const found = problems({
      port: 70_000,
      adress: 'x',
      check: { http: 'ftp://x', tcp: 'a:1', interval: 'soon' },
      lease: { ttl: 'x' },
    });
    const paths = found.map((problem) => problem.path);
    expect(paths).toEqual(
      expect.arrayContaining([
        '$.port',
        '$.adress',
        '$.service',
        '$.address',
        '$.check',
        '$.check.http',
        '$.check.interval',
        '$.lease.ttl',
      ]),
    );
    expect(found.find(({ path }) => path === '$.port')?.found).toBe('70000');
    expect(found.find(({ path }) => path === '$.adress')?.expected).toContain('"address"');
  });

  it('never quotes the value of a header', () => {
    const check = { http: 'http://a/', headers: { authorization: 'Bearer s3cret\n' } };
    const text = JSON.stringify(problems({ service: 'a', ip: 'b', port: 1, check }));
    expect(text).toContain('authorization');
    expect(text).not.toContain('s3cret');
  });

  it.each(['999.1.1.1', '1.2.3', '12', 'a b', '', 'fe80::1%eth0', 'http://a', 'a..b', '-a'])(
    'refuses the address %j',
    (ip) => {
      expect(problems({ service: 'a', ip, port: 1 }).map(({ path }) => path)).toContain('$.ip');
    },
  );

  it.each(['10.0.0.1', '::1', '[::1]', 'web', 'web_1', 'a.b-c.d'])('takes the address %j', (ip) => {
    expect(problems({ service: 'a', ip, port: 1 })).toEqual([]);
  });

  it('refuses a script check with a code of its own', () => {
    try {
      read({ service: 'a', ip: 'b', port: 1, check: { script: ['rm'] } });
      expect.unreachable();
    } catch (error) {
      expect(isRegistryError(error) && error.code).toBe('SCRIPT_CHECK_FORBIDDEN');
    }
  });
});
