import type { Query } from '../http/transport.ts';
import type {
  BatchAnswerItem,
  HeartbeatAnswer,
  HeartbeatBody,
  InstanceDocument,
  InstanceFilter,
  RegisterAnswer,
  RegistrationBody,
} from '../wire/documents.ts';
import type { Caller, CallScope } from './caller.ts';

/** Everything one can ask of instances. */
export function createInstanceCalls(namespace: string, { call, list }: Caller) {
  const pathOf = (id: string) => `/instances/${encodeURIComponent(id)}`;
  const toBody = (body: RegistrationBody, scope: CallScope = {}): RegistrationBody => ({
    namespace: scope.namespace ?? namespace,
    ...(scope.group === undefined ? {} : { group: scope.group }),
    ...body,
  });

  return {
    register: (body: RegistrationBody, scope?: CallScope) =>
      call<RegisterAnswer>('POST', '/instances', { scope, body: toBody(body, scope) }),
    registerBatch: (bodies: readonly RegistrationBody[], scope?: CallScope) =>
      call<{ readonly results: readonly BatchAnswerItem[]; readonly failed: number }>(
        'POST',
        '/instances/batch',
        { scope, body: { instances: bodies.map((body) => toBody(body, scope)) } },
      ),
    list: (filter?: InstanceFilter & { readonly service?: string }, scope?: CallScope) =>
      list<InstanceDocument>('instances', '/instances', {
        scope,
        reach: 'group',
        query: { ...toFilterQuery(filter), service: filter?.service },
      }),
    get: (id: string, scope?: CallScope) => call<InstanceDocument>('GET', pathOf(id), { scope }),
    patch: (
      id: string,
      patch: {
        readonly tags?: readonly string[];
        readonly metadata?: Readonly<Record<string, string | null>>;
        readonly weight?: number;
      },
      scope?: CallScope,
    ) => call<InstanceDocument>('PATCH', pathOf(id), { scope, body: patch }),
    deregister: (id: string, scope?: CallScope) =>
      call<{ readonly deregistered: InstanceDocument }>('DELETE', pathOf(id), { scope }),
    heartbeat: (id: string, body?: HeartbeatBody, scope?: CallScope) =>
      call<HeartbeatAnswer>('PUT', `${pathOf(id)}/heartbeat`, { scope, ...(body ? { body } : {}) }),
    /** For whoever knows where the instance listens but not its id. */
    heartbeatAt: (
      at: { readonly service: string; readonly address: string; readonly port: number },
      body?: HeartbeatBody,
      scope?: CallScope,
    ) =>
      call<HeartbeatAnswer>('PUT', '/heartbeat', {
        scope,
        reach: 'group',
        body: { ...body, ...at },
      }),
    /** Renews many leases with one call. */
    renew: (ids: readonly string[], scope?: CallScope) =>
      call<{ readonly renewed: number; readonly unknown: readonly string[] }>(
        'POST',
        '/instances/heartbeat',
        { scope, body: { ids } },
      ),
    enable: (id: string, scope?: CallScope) =>
      call<InstanceDocument>('POST', `${pathOf(id)}/enable`, { scope }),
    disable: (id: string, scope?: CallScope) =>
      call<InstanceDocument>('POST', `${pathOf(id)}/disable`, { scope }),
    maintenance: (
      id: string,
      body: { readonly enable: boolean; readonly reason?: string },
      scope?: CallScope,
    ) => call<InstanceDocument>('POST', `${pathOf(id)}/maintenance`, { scope, body }),
    setIntent: (
      id: string,
      body: {
        readonly enabled?: boolean;
        readonly weight?: number | null;
        readonly maintenance?: { readonly reason: string } | null;
      },
      scope?: CallScope,
    ) => call<InstanceDocument>('PUT', `${pathOf(id)}/intent`, { scope, body }),
    resetIntent: (id: string, scope?: CallScope) =>
      call<InstanceDocument>('DELETE', `${pathOf(id)}/intent`, { scope }),
  };
}

/** The query parameters of a filter. */
export function toFilterQuery(filter: InstanceFilter = {}): Query {
  const query: Record<string, Query[string]> = {
    status: filter.status,
    tag: filter.tag,
    zone: filter.zone,
    routable: filter.routable,
  };
  if (filter.group !== undefined) query.group = filter.group;
  for (const [key, value] of Object.entries(filter.metadata ?? {})) {
    query[`metadata.${key}`] = value;
  }
  return query;
}
