import type { StoredTrafficPolicy } from '@portolan/core';
import { describe, expect, it } from 'vitest';
import { createPolicyBook, transportPolicy } from './policy-book.ts';

function aPolicy(service: string, over: Partial<StoredTrafficPolicy> = {}): StoredTrafficPolicy {
  return {
    service,
    namespace: 'default',
    group: 'default',
    subsets: {},
    createRevision: 1,
    modifyRevision: 1,
    ...over,
  };
}

const web = { namespace: 'default', group: 'default', name: 'web' };
const api = { namespace: 'default', group: 'default', name: 'api' };

describe('the book of policies', () => {
  it('names the services whose policy came, changed or went, and no others', () => {
    const book = createPolicyBook();
    expect(book.apply([aPolicy('web'), aPolicy('api')])).toEqual([web, api]);
    expect(book.apply([aPolicy('web'), aPolicy('api', { modifyRevision: 2 })])).toEqual([api]);
    expect(book.of(api)?.modifyRevision).toBe(2);
    expect(book.apply([aPolicy('web')])).toEqual([api]);
    expect(book.of(api)).toBeUndefined();
    expect(book.apply([aPolicy('web')])).toEqual([]);
  });
});

describe('the transport of an instance', () => {
  it('is that of its subset, where that says one, else that of the service', () => {
    const policy = aPolicy('web', {
      transport: { protocol: 'h2' },
      subsets: {
        old: { labels: { version: 'v1' }, transport: { protocol: 'http/1.1' } },
        silent: { labels: { version: 'v2' } },
      },
    });
    expect(transportPolicy(policy, { version: 'v1' })).toEqual({ protocol: 'http/1.1' });
    expect(transportPolicy(policy, { version: 'v2' })).toEqual({ protocol: 'h2' });
    expect(transportPolicy(undefined, { version: 'v2' })).toBeUndefined();
  });
});
