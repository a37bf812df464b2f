import { isRegistryError } from '@portolan/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { validate } from '../body/body-codec.ts';
import { readPlainRegistration } from './plain-registration.ts';
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

const text = fc.oneof(
  fc.constantFrom('web', 'v1', 'version:v1', 'a.b', '10.0.0.1', '[::1]', 'fe80::1%eth0', 'UP'),
  fc.constantFrom('', ' ', 'default', 'fast', 'none', '10s', '1m30s', 'passing', '\ud800', 'a/b'),
  fc.constantFrom('toString', 'constructor', '__proto__', '127.1', '0x7f.1', '1'.repeat(130)),
  fc.string({ maxLength: 6, unit: 'binary' }),
);
const number = fc.oneof(fc.integer({ min: -2, max: 70_000 }), fc.double());
const scalar = fc.oneof(text, number, fc.boolean(), fc.constant(null));
const anything = fc.oneof(scalar, fc.array(scalar, { maxLength: 3 }), fc.dictionary(text, scalar));
const usual = {
  service: fc.constantFrom('web', 'users.api'),
  serviceName: text,
  name: text,
  address: fc.constantFrom('10.0.0.1', 'fd00::1', '[fd00::1]', 'users.internal'),
  ip: text,
  host: text,
  port: fc.integer({ min: 1, max: 65_535 }),
  id: fc.constantFrom('web-1', 'web:1'),
  instanceId: text,
  namespace: fc.constantFrom('default', 'shop'),
  group: text,
  tags: fc.array(text, { maxLength: 4 }),
  metadata: fc.dictionary(text, fc.oneof(text, number, fc.boolean())),
  meta: fc.dictionary(text, scalar),
  weight: fc.integer({ min: 0, max: 65_535 }),
  status: fc.constantFrom('UP', 'DOWN', 'passing', 'unknown', 'toString'),
  ttl: fc.constantFrom(30, '10s', 0.05, '31d', -1),
  lease: fc.constantFrom('default', 'fast', 'none', 'slow'),
  check: fc.constant({ tcp: '10.0.0.1:80' }),
  preflight: fc.boolean(),
  extra: scalar,
};
const body = fc.record(
  Object.fromEntries(
    Object.entries(usual).map(([field, likely]) => [
      field,
      fc.oneof({ weight: 12, arbitrary: likely }, { weight: 1, arbitrary: anything }),
    ]),
  ),
  { requiredKeys: ['port'] },
);
const oneOfEach = fc
  .subarray(['id', 'namespace', 'group', 'tags', 'metadata', 'weight', 'status', 'ttl'])
  .chain((fields) => fc.tuple(body, fc.constant(['service', 'address', 'port', ...fields])))
  .map(([whole, fields]) =>
    Object.fromEntries(fields.flatMap((field) => (field in whole ? [[field, whole[field]]] : []))),
  );

describe('a registration without checks', () => {
  it('is read by hand as the schema reads it, or left to the schema', () => {
    let taken = 0;
    const given = fc.oneof(body, oneOfEach, anything);
    const fallback = fc.record(
      { namespace: fc.constant('n'), group: fc.constant('g') },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(given, fallback, (value, silent) => {
        const plain = readPlainRegistration(value, silent);
        if (plain === undefined) return;
        taken++;
        const result = validate(registrationCodec, value);
        expect(result).toMatchObject({ ok: true });
        if (result.ok) expect(plain).toEqual(toRegistrationInput(result.value, silent));
      }),
      { numRuns: 3_000 },
    );
    expect(taken).toBeGreaterThan(200);
  });

  it('is read by hand in the shape that services send all day', () => {
    const sent = {
      service: 'user-service',
      id: 'user-service-1',
      address: '10.0.0.1',
      port: 8080,
      tags: ['version:v1'],
      metadata: { start: 1763900000, weight: '100' },
      ttl: 30,
    };
    expect(readPlainRegistration(sent, {})).toEqual(read(sent));
  });
});
