import type { Instance } from '@portolan/core';
import { describe, expect, it } from 'vitest';
import { decideTerm, successionOf, whyUnfit } from './decide-term.ts';

function anInstance(id: string, more: Partial<Instance> = {}): Instance {
  return {
    id,
    service: { namespace: 'default', group: 'default', name: 'web' },
    address: '10.0.0.1',
    port: 80,
    tags: [],
    metadata: {},
    labels: {},
    weight: 100,
    effectiveWeight: 100,
    checks: [],
    initialStatus: 'passing',
    registeredAtMs: 0,
    status: 'passing',
    statusReason: 'as registered',
    intent: { enabled: true },
    routable: false,
    protected: false,
    createRevision: 1,
    modifyRevision: 1,
    ...more,
  };
}

const KEPT = { status: 'critical', protected: true } as const;
const SICK = { status: 'critical', statusReason: 'check port critical' } as const;
const idsOf = (instances: readonly Instance[]) => instances.map(({ id }) => id);

describe('succession', () => {
  it('puts passing before warning before kept, then weight, then who was registered first, then the id', () => {
    const line = successionOf([
      anInstance('z'),
      anInstance('kept', KEPT),
      anInstance('late', { createRevision: 9 }),
      anInstance('warned', { status: 'warning', effectiveWeight: 900 }),
      anInstance('heavy', { effectiveWeight: 200, createRevision: 9 }),
      anInstance('a'),
    ]);
    expect(idsOf(line)).toEqual(['heavy', 'a', 'z', 'late', 'warned', 'kept']);
  });

  it('has no place for what is critical, unknown, disabled, in maintenance or without weight', () => {
    const line = successionOf([
      anInstance('sick', SICK),
      anInstance('new', { status: 'unknown' }),
      anInstance('off', { intent: { enabled: false } }),
      anInstance('mended', { intent: { enabled: true, maintenance: { reason: 'disk' } } }),
      anInstance('light', { effectiveWeight: 0 }),
    ]);
    expect(line).toEqual([]);
  });

  it('says why one cannot take over', () => {
    expect(whyUnfit(anInstance('a'))).toBeUndefined();
    expect(whyUnfit(anInstance('a', SICK))).toContain('check port critical');
    expect(whyUnfit(anInstance('a', { intent: { enabled: false } }))).toContain('disabled');
    expect(whyUnfit(anInstance('a', { effectiveWeight: 0 }))).toContain('weight');
    const maintenance = { reason: 'disk' };
    expect(whyUnfit(anInstance('a', { intent: { enabled: true, maintenance } }))).toContain('disk');
  });
});

describe('a term', () => {
  const a = anInstance('a');
  const b = anInstance('b', { createRevision: 2 });

  it('goes on while its instance is fit, whoever would come before it in the line', () => {
    expect(decideTerm({ term: 5, active: 'b' }, [a, b])).toBeUndefined();
    const warned = { ...b, status: 'warning' } as const;
    expect(decideTerm({ term: 5, active: 'b' }, [a, warned])).toBeUndefined();
  });

  it.each([
    ['gone', []],
    ['unhealthy', [{ ...a, ...SICK }]],
    ['drained', [{ ...a, intent: { enabled: false } }]],
    ['drained', [{ ...a, effectiveWeight: 0 }]],
    ['unhealthy', [{ ...a, ...KEPT }]],
  ] as const)('is followed by another when its instance is %s', (reason, rest) => {
    const decision = decideTerm({ term: 5, active: 'a' }, [...rest, b]);
    expect(decision).toEqual({ active: b, reason });
  });

  it('goes on with what mass-loss protection keeps when nobody else is heard', () => {
    const kept = { ...a, ...KEPT };
    expect(decideTerm({ term: 5, active: 'a' }, [kept, { ...b, ...KEPT }])).toBeUndefined();
    const other = { ...b, ...KEPT };
    expect(decideTerm({ term: 5 }, [other])).toEqual({ active: other, reason: 'vacant' });
  });

  it('ends without a successor when nobody can take over, and begins again with the first that can', () => {
    expect(decideTerm({ term: 5, active: 'a' }, [{ ...a, ...SICK }])).toEqual({
      reason: 'unhealthy',
    });
    expect(decideTerm({ term: 6 }, [{ ...a, ...SICK }])).toBeUndefined();
    expect(decideTerm({ term: 6 }, [a])).toEqual({ active: a, reason: 'vacant' });
  });
});
