import type { PolicyBody, PolicyDocument } from '../wire/route-documents.ts';
import { type Caller, type CallScope, type GuardedScope, toGuard } from './caller.ts';

/** Traffic policies, one a service. */
export function createPolicyCalls({ call, list }: Caller) {
  const pathOf = (service: string) => `/policies/${encodeURIComponent(service)}`;

  return {
    list: (scope?: CallScope) => list<PolicyDocument>('policies', '/policies', { scope }),
    get: (service: string, scope?: CallScope) =>
      call<PolicyDocument>('GET', pathOf(service), { scope }),
    put: (service: string, body: PolicyBody, scope?: GuardedScope) =>
      call<PolicyDocument>('PUT', pathOf(service), { scope, body, ...toGuard(scope) }),
    delete: (service: string, scope?: GuardedScope) =>
      call<{ readonly deleted: PolicyDocument }>('DELETE', pathOf(service), {
        scope,
        ...toGuard(scope),
      }),
  };
}
