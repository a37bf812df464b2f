import type { ExplanationDocument } from '../wire/documents.ts';
import type { RouteBody, RouteDocument } from '../wire/route-documents.ts';
import { type Caller, type CallScope, type GuardedScope, toGuard } from './caller.ts';

/** A request that might come. */
export interface RequestToExplain {
  /** Default GET. */
  readonly method?: string;
  /** Absolute, http or https. */
  readonly url: string;
  /** `Name: value` each. */
  readonly headers?: readonly string[];
  /** IP address it comes from; default: this machine's, as the registry sees it. */
  readonly source?: string;
}

/** Routes of the gateway. */
export function createRouteCalls({ call, list }: Caller) {
  const pathOf = (name: string) => `/routes/${encodeURIComponent(name)}`;

  return {
    list: (scope?: CallScope) => list<RouteDocument>('routes', '/routes', { scope }),
    get: (name: string, scope?: CallScope) => call<RouteDocument>('GET', pathOf(name), { scope }),
    put: (name: string, body: RouteBody, scope?: GuardedScope) =>
      call<RouteDocument>('PUT', pathOf(name), { scope, body, ...toGuard(scope) }),
    delete: (name: string, scope?: GuardedScope) =>
      call<{ readonly deleted: RouteDocument }>('DELETE', pathOf(name), {
        scope,
        ...toGuard(scope),
      }),
    /** Where the gateway of the registry's process would send that request, and why. */
    explain: (
      { method, url, headers, source }: RequestToExplain,
      scope?: Pick<CallScope, 'signal' | 'timeoutMs'>,
    ) =>
      call<ExplanationDocument>('GET', '/routes/explain', {
        scope,
        reach: 'server',
        query: { method, url, header: headers, source },
      }),
    /** In the order of the destinations, or by the `version` of their labels. */
    setWeights: (
      name: string,
      weights: readonly number[] | Readonly<Record<string, number>>,
      scope?: GuardedScope,
    ) =>
      call<RouteDocument>('PUT', `${pathOf(name)}/weights`, {
        scope,
        body: { weights },
        ...toGuard(scope),
      }),
  };
}
