import type {
  HandOverAnswer,
  InstanceFilter,
  ServiceDocument,
  ServiceSettingsBody,
  ServiceSettingsDocument,
  ViewDocument,
} from '../wire/documents.ts';
import {
  type Caller,
  type CallScope,
  type GuardedScope,
  type StreamOptions,
  toGuard,
} from './caller.ts';
import { toFilterQuery } from './instance-calls.ts';

/** Services and their views. */
export function createServiceCalls({ call, list, stream }: Caller) {
  const pathOf = (name: string) => `/services/${encodeURIComponent(name)}/instances`;

  const settingsOf = (name: string) => `/services/${encodeURIComponent(name)}/settings`;

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
    /** What is settled for the service; revision 0 where nothing is. */
    settings: (name: string, scope?: CallScope) =>
      call<ServiceSettingsDocument>('GET', settingsOf(name), { scope, reach: 'group' }),
    putSettings: (name: string, body: ServiceSettingsBody, scope?: GuardedScope) =>
      call<ServiceSettingsDocument>('PUT', settingsOf(name), {
        scope,
        reach: 'group',
        body,
        ...toGuard(scope),
      }),
    deleteSettings: (name: string, scope?: GuardedScope) =>
      call<{ readonly deleted: ServiceSettingsDocument }>('DELETE', settingsOf(name), {
        scope,
        reach: 'group',
        ...toGuard(scope),
      }),
    /** Makes `to`, or else the next in line, the active instance of an exclusive service. */
    handOver: (name: string, body: { readonly to?: string } = {}, scope?: CallScope) =>
      call<HandOverAnswer>('POST', `/services/${encodeURIComponent(name)}/hand-over`, {
        scope,
        reach: 'group',
        body,
      }),
    /** `view` events of one service. */
    stream: (name: string, scope: StreamOptions = {}) => stream(pathOf(name), scope),
  };
}
