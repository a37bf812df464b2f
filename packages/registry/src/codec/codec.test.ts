import type { Registration } from '@portolan/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { refKey } from './keys.ts';
import {
  decodeParts,
  decodeShape,
  encodeRegistration,
  encodeShape,
  WrittenRegistration,
} from './registration-codec.ts';
import { decodeIntent, decodeProtection, decodeStatus, encodeStatus } from './status-codec.ts';
import { DamagedValue } from './stored-value.ts';

const registration: Registration = {
  id: 'i1',
  service: { namespace: 'default', group: 'default', name: 'web' },
  address: '::1',
  port: 80,
  tags: ['zone:a'],
  metadata: JSON.parse('{"__proto__":"x"}') as Record<string, string>,
  weight: 1,
  lease: { profile: 'fast', heartbeatMs: 5_000, ttlMs: 10_000 },
  checks: [
    {
      id: 'port',
      probe: { kind: 'tcp', host: '::1', port: 80 },
      intervalMs: 1_000,
      timeoutMs: 500,
      rise: 1,
      fall: 3,
      deregisterAfterMs: 5_000,
    },
  ],
  initialStatus: 'passing',
  registeredAtMs: 7,
};

const KEY = refKey({ namespace: 'default', id: 'i1' });

/** What the catalogue makes of a stored registration. */
function decoded(value: string) {
  const { shape, ...parts } = decodeParts(KEY, value);
  return { ...parts, ...decodeShape(shape) };
}

function withoutId({ id, ...rest }: Registration) {
  return rest;
}

describe('stored values', () => {
  it('are handed on as they would be read', () => {
    const name = fc.oneof(fc.constantFrom('web', 'a.b'), fc.string());
    const made = fc.record({
      name,
      group: fc.oneof(fc.constant('default'), name),
      address: fc.oneof(fc.constantFrom('10.0.0.1', '::1', 'users.internal'), fc.string()),
      port: fc.nat(65_535),
      registeredAtMs: fc.nat(),
      tags: fc.array(fc.string()),
      condition: fc.option(
        fc.record({ state: fc.constantFrom('draining', 'starting'), reason: fc.string() }),
        { nil: undefined },
      ),
    });
    fc.assert(
      fc.property(made, ({ name, group, condition, ...rest }) => {
        const service = { namespace: 'default', group, name };
        const written: Registration = {
          ...registration,
          ...rest,
          service,
          ...(condition === undefined ? {} : { condition: condition as never }),
        };
        const handed = new WrittenRegistration(written, encodeShape(written));
        expect(decodeParts(KEY, encodeRegistration(written))).toEqual({ ...handed });
      }),
    );
  });

  it('come back as they went in', () => {
    const back = decoded(encodeRegistration(registration));
    expect(JSON.stringify(back.metadata)).toBe('{"__proto__":"x"}');
    expect({ ...back, metadata: {} }).toEqual({ ...withoutId(registration), metadata: {} });
    const { service } = registration;
    const other: Registration = {
      ...registration,
      service: { ...service, group: 'blue' },
      metadata: {},
      owner: 'docker',
      condition: { state: 'draining', reason: 'stopping' },
    };
    expect(decoded(encodeRegistration(other))).toEqual(withoutId(other));
    const status = { status: 'warning', reason: 'r', protected: true, checks: { port: 'passing' } };
    expect(decodeStatus(encodeStatus(status as never))).toEqual(status);
  });

  it('share a shape word for word where only place and time differ', () => {
    const one = decodeParts(KEY, encodeRegistration(registration));
    const other = { ...registration, address: '10.0.0.9', port: 81, registeredAtMs: 9 };
    expect(decodeParts(KEY, encodeRegistration(other)).shape).toBe(one.shape);
  });

  it('of another version, shape or no JSON at all are loudly damaged', () => {
    for (const decode of [decoded, decodeStatus, decodeIntent, decodeProtection]) {
      for (const value of [
        '',
        'null',
        '[]',
        '1',
        '{}',
        '{"v":2}',
        '{"v":1}',
        '{"v":1,',
        '2 3 [1]',
      ]) {
        expect(() => decode(value)).toThrow(DamagedValue);
      }
    }
  });

  it('cut short or with a field of another type are loudly damaged, never half read', () => {
    const text = encodeRegistration(registration);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: text.length - 1 }), (at) => {
        expect(() => decoded(text.slice(0, at))).toThrow(DamagedValue);
      }),
    );
    const { shape } = decodeParts(KEY, text);
    const head = text.slice(0, -shape.length);
    const fields = JSON.parse(shape) as unknown[];
    for (const at of fields.keys()) {
      const bad = JSON.stringify(fields.with(at, { no: 1 }));
      expect(() => decoded(head + bad), `${at}`).toThrow(DamagedValue);
    }
    const [, name] = /^2 \d+ (\[.*\])$/.exec(head) ?? [];
    const parts = JSON.parse(name ?? '') as unknown[];
    for (const at of parts.keys()) {
      const bad = JSON.stringify(parts.with(at, { no: 1 }));
      expect(() => decoded(`2 ${bad.length} ${bad}${shape}`), `${at}`).toThrow(DamagedValue);
    }
  });

  it('of the first layout are read as well', () => {
    const old = { v: 1, ...registration, metadata: { a: 'b' } };
    expect(decoded(JSON.stringify(old))).toEqual({
      ...withoutId(registration),
      metadata: { a: 'b' },
    });
    expect(() => decoded(JSON.stringify({ ...old, port: '80' }))).toThrow(DamagedValue);
  });
});
