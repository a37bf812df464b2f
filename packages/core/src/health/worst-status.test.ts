import { describe, expect, it } from 'vitest';
import { isRoutableStatus, worstStatus } from './worst-status.ts';

describe('the worst of several statuses', () => {
  it('is critical before unknown before warning before passing', () => {
    expect(worstStatus(['passing', 'warning'])).toBe('warning');
    expect(worstStatus(['warning', 'unknown', 'passing'])).toBe('unknown');
    expect(worstStatus(['unknown', 'critical', 'passing'])).toBe('critical');
    expect(worstStatus([])).toBe('passing');
  });

  it('routes only to passing and warning', () => {
    expect(
      ['passing', 'warning', 'critical', 'unknown'].filter((s) => isRoutableStatus(s as 'passing')),
    ).toEqual(['passing', 'warning']);
  });
});
