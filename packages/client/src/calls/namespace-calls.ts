import type { Caller, CallScope } from './caller.ts';

export interface NamespaceDocument {
  readonly name: string;
  readonly services: number;
  readonly instances: number;
}

/** Namespaces as such. */
export function createNamespaceCalls({ call, list }: Caller) {
  const pathOf = (name: string) => `/namespaces/${encodeURIComponent(name)}`;
  const reach = 'server';

  return {
    list: (scope?: CallScope) =>
      list<NamespaceDocument>('namespaces', '/namespaces', { scope, reach }),
    /** Idempotent. */
    put: (name: string, scope?: CallScope) =>
      call<Readonly<Record<string, unknown>>>('PUT', pathOf(name), { scope, reach }),
    /** Refused while it holds something. */
    delete: (name: string, scope?: CallScope) =>
      call<{ readonly deleted: string }>('DELETE', pathOf(name), { scope, reach }),
  };
}
