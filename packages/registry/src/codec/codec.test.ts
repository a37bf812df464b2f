import type { Registration } from '@portolan/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeRegistration, encodeRegistration } from './registration-codec.ts';
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

/** Where metadata stand in a stored registration. */
const METADATA = 6;

describe('stored values', () => {
  it('come back as they went in', () => {
    const back = decodeRegistration('default/i1', encodeRegistration(registration));
    expect(JSON.stringify(back.metadata)).toBe('{"__proto__":"x"}');
    expect({ ...back, metadata: {} }).toEqual({ ...registration, metadata: {} });
    const status = { status: 'warning', reason: 'r', protected: true, checks: { port: 'passing' } };
    expect(decodeStatus(encodeStatus(status as never))).toEqual(status);
  });

  it('of another version, shape or no JSON at all are loudly damaged', () => {
    const decodeInstance = (value: string) => decodeRegistration('default/i1', value);
    for (const decode of [decodeInstance, decodeStatus, decodeIntent, decodeProtection]) {
      for (const value of [
        '',
        'null',
        '[]',
        '[3]',
        '[2,"web"]',
        '1',
        '{}',
        '{"v":2}',
        '{"v":1}',
        '{"v":1,',
      ]) {
        expect(() => decode(value)).toThrow(DamagedValue);
      }
    }
  });

  it('cut short or with a field of another type are loudly damaged, never half read', () => {
    const text = encodeRegistration(registration);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: text.length - 1 }), (at) => {
        expect(() => decodeRegistration('default/i1', text.slice(0, at))).toThrow(DamagedValue);
      }),
    );
    const fields = JSON.parse(text) as unknown[];
    for (const at of fields.keys()) {
      const bad = JSON.stringify(fields.with(at, at === METADATA ? { no: 1 } : { no: 'such' }));
      expect(() => decodeRegistration('default/i1', bad), `${at}`).toThrow(DamagedValue);
    }
  });

  it('of the first layout are read as well', () => {
    const { service } = registration;
    const old = JSON.stringify({ v: 1, ...registration, metadata: { a: 'b' } });
    const back = decodeRegistration('default/i1', old);
    expect(back).toEqual({ ...registration, metadata: { a: 'b' } });
    const group = { ...registration, service: { ...service, group: 'blue' }, metadata: {} };
    expect(decodeRegistration('default/i1', encodeRegistration(group))).toEqual(group);
    expect(() => decodeRegistration('default/i1', old.replace('"port":80', '"port":"80"'))).toThrow(
      DamagedValue,
    );
  });
});
