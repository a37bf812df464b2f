import type { InstanceFilter, ServiceDocument, ViewDocument } from '../wire/documents.ts';
import type { Caller, CallScope, StreamOptions } from './caller.ts';
import { toFilterQuery } from './instance-calls.ts';

/** Services and their views. */
export function createServiceCalls({ call, list, stream }: Caller) {
  const pathOf = (name: string) => `/services/${encodeURIComponent(name)}/instances`;

  return {
    /** Of all groups unless the scope names one. */
    list: (scope?: CallScope) =>
      list<ServiceDocument>('services', '/services', { scope, reach: 'group' }),
    view: (name: string, filter?: InstanceFilter, scope?: CallScope) =>
      call<ViewDocument>('GET', pathOf(name), {
        scope,
        reach: 'group',
        query: toFilterQuery(filter),
      }),
    /** Answers when the view's revision is greater than `index`, or after `waitMs` with the present view. */
    wait: (
      name: string,
      query: { readonly index: number; readonly waitMs: number; readonly group?: string },
      scope: CallScope = {},
    ) => {
      const group = query.group ?? scope.group;
      return call<ViewDocument>('GET', pathOf(name), {
        scope: {
          ...scope,
          ...(group === undefined ? {} : { group }),
          timeoutMs: query.waitMs + (scope.timeoutMs ?? 10_000),
        },
        reach: 'group',
        query: { index: query.index, wait: `${query.waitMs}ms` },
      });
    },
    /** `view` events of one service. */
    stream: (name: string, scope: StreamOptions = {}) => stream(pathOf(name), scope),
  };
}
